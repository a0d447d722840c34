// The page on a GPU, in software where there is no other: reads photo.jpg from FOLDER; the arguments are flags.
import * as at from './browser.mjs'

await at.drive(async (browser, report) => {
  const page = await at.newPage(await browser.newContext(at.DESKTOP), report)
  await at.start(page, '?runtime=webgpu')
  await at.openPhoto(page, 'photo.jpg')
  await at.choose(page, 'udnie')
  report.note = await page.textContent('#note')
  await page.click('#about-button')
  report.about = await page.textContent('#about-runtime')
  await page.click('#about-close')
  await at.save(page, 'gpu.png')
}, process.argv.slice(6))
