// A store of two styles: their blend, in two languages, shared and copied. Reads photo.jpg from FOLDER.
import * as at from './browser.mjs'

/** A browser that shares after a second tap alone, and a clipboard: what they get is in `given`. */
function stub() {
  const given = window.given = []
  const add = async (kind, blob) => {
    const { width, height } = await createImageBitmap(blob)
    given.push([kind, blob.name ?? '', blob.type, width, height])
  }
  navigator.canShare = () => true
  navigator.share = async ({ files }) => {
    await add('share', files[0])
    if (given.length === 1) throw new DOMException('no tap', 'NotAllowedError')
  }
  navigator.clipboard.write = async ([item]) => add('copy', await item.getType('image/png'))
}

async function give(page, report) {
  const closed = () => page.waitForSelector('#save-sheet:not([open])', { state: 'attached' })
  await page.click('#save')
  await page.click('#save-share')
  await page.waitForSelector('#save-error:not([hidden])')
  report.again = await page.textContent('#save-error')
  await page.click('#save-share')
  await closed()
  await page.click('#save')
  await page.click('#save-copy')
  await closed()
  report.given = await page.evaluate(() => window.given)
}

/** The blend in the other language, and without a store: which panels and tabs there are. */
async function leave(page, report) {
  await page.click('#about-button')
  await page.selectOption('#language', 'fa')
  await page.click('#about-close')
  report.share = [await page.textContent('#blend-value'), await page.getAttribute('#blend', 'aria-valuetext')]
  await page.click('.style[data-style=""]')
  report.panels = await page.locator('.adjust:not([hidden])').evaluateAll(panels => panels.map(({ id }) => id))
  report.tab = await page.locator('[role=tab][tabindex="0"], [role=tab]:not([tabindex])').evaluateAll(tabs => tabs.map(({ id }) => id))
}

await at.drive(async (browser, report) => {
  const page = await at.newPage(await browser.newContext(at.PHONE), report)
  await page.addInitScript(stub)
  await at.start(page)
  await at.openPhoto(page, 'photo.jpg')
  report.styles = await page.locator('.style').evaluateAll(styles => styles.map(({ dataset }) => dataset.style))
  await at.save(page, 'a.png')
  await page.click('#tab-blend')
  report.others = await page.locator('#blend-style option').evaluateAll(options => options.map(({ value }) => value))
  await page.evaluate(() => { document.querySelector('#painted').dataset.ready = '' })
  await at.slide(page, 'blend', 75)
  report.blend = [await page.textContent('#blend-value'), await page.getAttribute('#blend', 'aria-valuetext')]
  await page.dispatchEvent('#blend', 'change')
  await at.painted(page)
  await page.screenshot({ path: `${at.folder}/shot-blend.png` })
  await at.save(page, 'blend.png')
  await give(page, report)
  await leave(page, report)
  report.labels = await page.locator('.style').evaluateAll(styles => styles.map(style => style.textContent))
  await at.start(page)  // in the language that was chosen
  await at.choose(page, 'constructor')
  await page.click('#about-button')
  report.about = await page.$eval('#about', ({ scrollWidth, clientWidth }) => {
    const text = document.querySelector('#about-style').textContent
    return [/<img.*W/.exec(text)[0], scrollWidth > clientWidth]
  })
  await page.screenshot({ path: `${at.folder}/shot-about.png` })
})
