// The page on a GPU, in software where there is no other: reads photo.jpg from FOLDER; the arguments are flags.
import * as at from './browser.mjs'

const TIMEOUT = 400_000  // ms: a GPU in software needs minutes beside other work

await at.drive(async (browser, report) => {
  const page = await at.newPage(await browser.newContext(at.DESKTOP), report)
  page.setDefaultTimeout(TIMEOUT)
  await page.goto(`${at.url}?runtime=webgpu`)
  await page.waitForFunction(() => document.querySelector('#file').onchange)
  await at.open(page, 'photo.jpg')  // before the sample, which is larger, is painted
  await page.waitForSelector('#frame:not([hidden]) ~ #invite[hidden]', { state: 'attached' })
  await at.painted(page)
  await at.choose(page, 'udnie')
  report.note = await page.textContent('#note')
  await page.click('#about-button')
  report.about = await page.textContent('#about-runtime')
  await page.click('#about-close')
  await at.save(page, 'gpu.png')
}, process.argv.slice(6))
