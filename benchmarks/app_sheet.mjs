// Pictures of the page with its sample photo: `node app_sheet.mjs PLAYWRIGHT BROWSER URL FOLDER`.
import * as at from '../tests/export/web/browser.mjs'

await at.drive(async (browser, report) => {
  for (const [name, options] of [['phone', at.PHONE], ['desktop', at.DESKTOP]]) {
    const page = await at.newPage(await browser.newContext({ ...options, deviceScaleFactor: 2 }), report)
    await at.start(page)
    await at.thumbnails(page)
    await page.evaluate(() => {
      document.querySelector('#invite').hidden = true
      document.querySelector('#note').classList.remove('shown')
    })
    await page.waitForTimeout(800)  // the note fades
    await page.screenshot({ path: `${at.folder}/${name}.png` })
  }
})
