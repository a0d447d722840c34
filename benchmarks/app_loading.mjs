// How long the page takes to open: `node app_loading.mjs PLAYWRIGHT BROWSER URL FOLDER ROUNDS`.
import * as at from '../tests/export/web/browser.mjs'

const rounds = Number(process.argv[6])

await at.drive(async (browser, report) => {
  report.rounds = []
  for (let round = 0; round < rounds; round++) {
    const context = await browser.newContext(at.PHONE), page = await at.newPage(context, report)
    let bytes = 0
    page.on('response', async response => { bytes += (await response.body().catch(() => '')).length })
    const began = performance.now()
    await at.start(page)
    const first = performance.now() - began, shown = bytes
    await at.thumbnails(page)
    const strip = performance.now() - began
    const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime)
    report.rounds.push({ paint, first, strip, bytes: shown, all: bytes })
    await context.close()  // and its cache
  }
})
