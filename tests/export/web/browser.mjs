// What the scripts that operate the page in a browser share: `node SCRIPT.mjs PLAYWRIGHT BROWSER URL FOLDER`.
import { createRequire } from 'node:module'
import { writeFile } from 'node:fs/promises'

const [playwright, executablePath, url, folder] = process.argv.slice(2)
const { chromium } = createRequire(import.meta.url)(playwright)
const QUIET = ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync']
export const TIMEOUT = 90_000
export { folder, url }
export const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }
export const DESKTOP = { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' }

/** Opens a browser, calls `task` with it and a report, and writes FOLDER/report.json. */
export async function drive(task, flags = ['--disable-gpu']) {
  const browser = await chromium.launch({ executablePath, args: [...QUIET, ...flags], timeout: TIMEOUT })
  const report = { console: [], external: [] }
  try {
    await task(browser, report)
  } finally {
    await browser.close()
  }
  await writeFile(`${folder}/report.json`, JSON.stringify(report))
}

/** A page whose messages, and requests to other servers, are in the report. */
export async function newPage(context, report) {
  const page = await context.newPage()
  page.setDefaultTimeout(TIMEOUT)
  page.on('console', message => report.console.push(message.text()))
  page.on('pageerror', error => report.console.push(String(error.stack)))
  page.on('request', request => {
    if (/^https?:/.test(request.url()) && new URL(request.url()).hostname !== '127.0.0.1') report.external.push(request.url())
  })
  return page
}

/** Opens the page and waits until its sample is painted. */
export async function start(page, query = '') {
  await page.goto(url + query)
  await page.waitForSelector('html[data-started]')
  await painted(page)
}

/** Waits until the chosen style is painted at the size that is shown; returns the note on it. */
export async function painted(page) {
  await page.waitForFunction(() => {
    const chosen = document.querySelector('.style[aria-checked=true]').dataset.style
    return document.querySelector('#painted').dataset.ready === chosen && document.querySelector('#working').hidden
  })
  return page.textContent('#note')
}

/** Waits until each style has its thumbnail. */
export const thumbnails = page => page.waitForFunction(() => !document.querySelector('.thumb:not(.ready)'))

/** Opens a file of FOLDER. */
export const open = (page, name) => page.setInputFiles('#file', `${folder}/${name}`)

/** Opens a photo of FOLDER and waits until it is painted. */
export async function openPhoto(page, name) {
  await page.evaluate(() => { document.querySelector('#painted').dataset.ready = '' })
  await open(page, name)
  return painted(page)
}

export async function choose(page, style) {
  await page.click(`.style[data-style="${style}"]`)
  await painted(page)
}

/** The error that is shown after an action. */
export async function errorAfter(page, action) {
  await action()
  await page.waitForSelector('#error:not([hidden])')
  return page.textContent('#error')
}

/** Sets a slider as a user does. */
export const slide = (page, id, value) => page.fill(`#${id}`, String(value))

/** Waits until what was adjusted is on the screen. */
export const settled = page => page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))))

/** Saves the picture through the sheet; returns the name that the browser suggests. */
export async function save(page, name, { format = 'png', size = 'full' } = {}) {
  await settled(page)
  await page.click('#save:enabled')
  await page.check(`input[name=format][value=${format}]`)
  await page.check(`input[name=size][value=${size}]`)
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#save-file')])
  await download.saveAs(`${folder}/${name}`)
  await page.waitForSelector('#save-sheet:not([open])', { state: 'attached' })
  return download.suggestedFilename()
}

/** Whether the page is wider or higher than its window. */
export const overflow = page => page.evaluate(() => {
  const { scrollWidth, scrollHeight } = document.documentElement
  return scrollWidth > innerWidth || scrollHeight > innerHeight
})

/** The middle of an element. */
export async function middle(page, selector) {
  const box = await page.locator(selector).boundingBox()
  return { x: box.x + box.width / 2, y: box.y + box.height / 2, box }
}

/** Moves the mouse, pressed, from one point of the picture to another; points are shares of its sides. */
export async function draw(page, from, to) {
  const box = await page.locator('#frame').boundingBox()
  const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height]
  await page.mouse.move(...at(from))
  await page.mouse.down()
  await page.mouse.move(...at(to), { steps: 6 })
  await page.mouse.up()
}
