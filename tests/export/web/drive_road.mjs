// The whole road of a photo, on a phone and on a desktop: reads photo.jpg from FOLDER, writes what was saved, screenshots.
import * as at from './browser.mjs'

const { folder } = at

async function hold(page) {
  const { x, y } = await at.middle(page, '#frame')
  const visible = () => page.$eval('#painted', canvas => getComputedStyle(canvas).visibility)
  await page.mouse.move(x, y)
  await page.mouse.down()
  await page.waitForSelector('#frame.holding')
  const held = [await visible(), await page.isVisible('#original-tag')]
  await page.mouse.up()
  return { held, released: await visible() }
}

async function road(page, name, report) {
  const shot = step => page.screenshot({ path: `${folder}/shot-${name}-${step}.png` })
  const result = report[name] = {}
  await at.start(page)
  await at.thumbnails(page)
  await shot('sample')
  result.isolated = await page.evaluate(() => crossOriginIsolated)
  await at.openPhoto(page, 'photo.jpg')
  await at.thumbnails(page)
  await at.choose(page, 'udnie')
  result.note = await page.textContent('#note')
  await shot('style')
  result.name = await at.save(page, `${name}-painted.png`)
  result.hold = await hold(page)
  await at.slide(page, 'strength', 50)
  await at.save(page, `${name}-half.png`)
  await at.slide(page, 'strength', 100)
  await page.click('#colors')
  await at.save(page, `${name}-colors.png`)
  await page.click('#colors')
  await page.click('#tab-mask')
  await at.draw(page, [0.25, 0.25], [0.25, 0.75])
  await shot('mask')
  await at.save(page, `${name}-mask.png`)
  await page.click('#mask-invert')
  await at.save(page, `${name}-inverted.png`)
  await page.click('#mask-undo')
  await page.click('#mask-clear')
  await at.save(page, `${name}-cleared.png`)
  await page.click('#compare')
  await at.draw(page, [0.5, 0.5], [0.3, 0.5])
  await page.focus('#split')
  await page.keyboard.press('ArrowLeft')
  result.split = await page.$eval('#frame', frame => frame.style.getPropertyValue('--split'))
  await shot('compare')
  await page.click('#compare')
  await page.click('#tab-strokes')
  await page.evaluate(() => { document.querySelector('#painted').dataset.ready = '' })
  await at.slide(page, 'strokes', 0)
  await at.painted(page)
  await shot('strokes')
  await at.save(page, `${name}-strokes.png`)
  result.jpeg = await at.save(page, `${name}-photo.jpg`, { format: 'jpeg' })
  await at.save(page, `${name}-shown.png`, { size: 'shown' })
  await page.click('#save')
  await shot('save')
  await page.click('#save-close')
  result.overflow = await at.overflow(page)
}

await at.drive(async (browser, report) => {
  for (const [name, options] of [['phone', at.PHONE], ['desktop', at.DESKTOP]]) {
    const context = await browser.newContext(options)
    await road(await at.newPage(context, report), name, report)
    await context.close()
  }
})
