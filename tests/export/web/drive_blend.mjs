// A store of two styles, and their blend: reads photo.jpg from FOLDER.
import * as at from './browser.mjs'

await at.drive(async (browser, report) => {
  const page = await at.newPage(await browser.newContext(at.PHONE), report)
  await at.start(page)
  await at.openPhoto(page, 'photo.jpg')
  report.styles = await page.locator('.style').evaluateAll(styles => styles.map(({ dataset }) => dataset.style))
  await at.save(page, 'a.png')
  await page.click('#tab-blend')
  report.others = await page.locator('#blend-style option').evaluateAll(options => options.map(({ value }) => value))
  await page.evaluate(() => { document.querySelector('#painted').dataset.ready = '' })
  await at.slide(page, 'blend', 75)
  await page.dispatchEvent('#blend', 'change')
  await at.painted(page)
  await page.screenshot({ path: `${at.folder}/shot-blend.png` })
  await at.save(page, 'blend.png')
})
