// Votes as two persons do: `node drive_vote.mjs PLAYWRIGHT BROWSER URL FOLDER`. Writes downloads, screenshots, report.json.
import { createRequire } from 'node:module'
import { writeFile } from 'node:fs/promises'

const [playwright, executablePath, url, folder] = process.argv.slice(2)
const { chromium } = createRequire(import.meta.url)(playwright)
const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const browser = await chromium.launch({ executablePath, args, timeout: 60_000 })
const report = { console: [], requests: [], html: [], voters: [] }

async function open(viewport) {
  const page = await (await browser.newContext({ viewport })).newPage()
  page.setDefaultTimeout(60_000)
  page.on('console', message => report.console.push(message.text()))
  page.on('pageerror', error => report.console.push(String(error)))
  page.on('request', request => report.requests.push(request.url()))
  await page.goto(url)
  return page
}

// What a pair shows, once it takes a choice: the time at which it became visible is then set.
async function pair(page) {
  await page.waitForFunction(() => shownAt !== null)
  report.html.push(await page.content())
  const [photo, left, right] = await page.$$eval('#photo, #left, #right', all => all.map(one => one.getAttribute('src')))
  return { left, right, photo, progress: await page.textContent('#progress') }
}

async function save(page, name) {
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#save')])
  await download.saveAs(`${folder}/${name}`)
  return download.suggestedFilename()
}

try {
  const page = await open({ width: 1280, height: 800 })
  const shown = [await pair(page)]
  report.sizes = await page.$$eval('.frame img', all => all.map(one => [one.clientWidth, one.clientHeight]))
  report.painting = await page.$eval('#painting', one => one.naturalWidth)
  await page.screenshot({ path: `${folder}/desk.png` })

  await page.click('#right', { position: { x: 20, y: 20 } })
  report.zoomed = await page.$$eval('.frame img', all => all.map(one => [one.clientWidth, one.naturalWidth]))
  await page.$eval('.frame', frame => frame.scrollTo(31, 17))
  await page.waitForTimeout(100)
  report.scrolled = await page.$$eval('.frame', all => all.map(one => [one.scrollLeft, one.scrollTop]))
  await page.screenshot({ path: `${folder}/zoom.png` })
  await page.keyboard.press('Escape')
  report.unzoomed = await page.$$eval('.frame img', all => all.map(one => [one.clientWidth, one.clientHeight]))

  await page.fill('#voter', 'Ann')
  await page.press('#voter', 'ArrowLeft') // moves the cursor, and votes for nobody
  await page.locator('#voter').blur()
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('ArrowRight') // too early to be a choice
  shown.push(await pair(page))
  await page.keyboard.press('ArrowDown')
  shown.push(await pair(page))
  await page.reload()
  report.reloaded = await pair(page)
  await page.click('#back')
  report.back = await pair(page)
  await page.keyboard.press('ArrowDown')
  await pair(page)
  report.partial = await save(page, 'partial.json')
  const total = Number(shown[0].progress.split(' ').at(-1))
  for (let turn = 2; turn < total; turn++) {
    await page.click('#choose-left')
    if (turn + 1 < total) shown.push(await pair(page))
  }
  await page.waitForSelector('#end:not([hidden])')
  report.end = await page.textContent('#progress')
  report.againBeforeSaving = await page.isVisible('#again')
  report.name = await save(page, 'ann.json')
  await page.screenshot({ path: `${folder}/end.png` })
  await page.click('#again')
  const next = await pair(page)
  report.next = { progress: next.progress, voter: await page.inputValue('#voter') }
  report.voters.push(shown)

  const phone = await open({ width: 390, height: 844 })
  const other = [await pair(phone)]
  await phone.screenshot({ path: `${folder}/phone.png` })
  for (let turn = 1; turn < total; turn++) {
    await phone.click('#choose-none')
    other.push(await pair(phone))
  }
  await save(phone, 'other.json')
  report.voters.push(other)
} finally {
  await writeFile(`${folder}/report.json`, JSON.stringify(report))
  await browser.close()
}
