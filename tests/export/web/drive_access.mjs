// Whoever cannot see, use a mouse, or read from the left: axe-core on each state of the page, keys alone, Persian.
// AXE, the path of axe-core's script, is the last argument.
import { readFile } from 'node:fs/promises'
import * as at from './browser.mjs'

const { folder } = at
const AXE = await readFile(process.argv[6], 'utf8')

/** The rules that the page breaks now, with where. */
async function problems(page) {
  await page.evaluate(AXE)  // as the debugger does it, which the page's policy does not bind
  const { violations } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ['violations'] }))
  return violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(({ target }) => target).join(' ')}`)
}

async function inspect(page, name, report) {
  const states = report.axe[name] = {}
  states.painted = await problems(page)
  for (const tab of ['strokes', 'mask', 'strength']) {
    await page.click(`#tab-${tab}`)
    states[tab] = await problems(page)
  }
  for (const [button, dialog, close] of [['save', 'save-sheet', 'save-close'], ['about-button', 'about', 'about-close']]) {
    await page.click(`#${button}`)
    await page.waitForSelector(`#${dialog}[open]`)
    await page.waitForTimeout(400)  // the sheet rises
    states[dialog] = await problems(page)
    await page.screenshot({ path: `${folder}/shot-${name}-${dialog}.png` })
    await page.click(`#${close}`)
  }
}

/** The way of the keyboard: from the top of the page to a style, and back to what was there. */
async function keyboard(page) {
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.dataset.style)
  await page.focus('#about-button')
  const order = [await focused()]
  for (let i = 0; i < 14 && order.at(-1) !== 'starry_night'; i++) {
    await page.keyboard.press('Tab')
    order.push(await focused())
  }
  await page.keyboard.press('ArrowRight')
  await at.painted(page)
  const chosen = [await focused(), await page.getAttribute('.style[aria-checked=true]', 'data-style'), await page.textContent('#announce')]
  await page.keyboard.down('o')
  const held = await page.locator('#frame.holding').count()
  await page.keyboard.up('o')
  return { order, chosen, held, released: await page.locator('#frame.holding').count() }
}

/** Where the painting that is shown changed since the last call, in shares of its sides: left, top, right, bottom. */
const changed = page => page.$eval('#painted', canvas => {
  const { width, height } = canvas, copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })
  copy.drawImage(canvas, 0, 0)
  const { data } = copy.getImageData(0, 0, width, height)
  const before = window.earlier ?? data, xs = [], ys = []
  window.earlier = data
  for (let i = 0; i < data.length; i += 4) {
    if (data[i] === before[i] && data[i + 1] === before[i + 1] && data[i + 2] === before[i + 2]) continue
    xs.push(i / 4 % width)
    ys.push(Math.floor(i / 4 / width))
  }
  const ends = list => [list.reduce((a, b) => Math.min(a, b), Infinity), list.reduce((a, b) => Math.max(a, b), -1)]
  const [[left, right], [top, bottom]] = [ends(xs), ends(ys)]
  return xs.length ? [left / width, top / height, right / width, bottom / height] : []
})

/** A stroke of the mask's brush without a mouse: from the tabs to the picture, and there with arrow keys and Space. */
async function maskByKeys(page, report) {
  const said = async () => { await at.settled(page); return page.textContent('#announce') }
  const press = async keys => { for (const key of keys) await page.keyboard.press(key) }
  await page.focus('#tab-strength')
  await press(['ArrowRight', 'ArrowRight'])
  const tab = await page.evaluate(() => document.activeElement.id)
  for (let i = 0; i < 6 && await page.evaluate(() => document.activeElement.id !== 'frame'); i++) await press(['Shift+Tab'])
  const note = await page.textContent('#note'), role = await page.getAttribute('#frame', 'role')
  await at.settled(page)
  await changed(page)
  await press(['Shift+ArrowUp', 'ArrowLeft'])
  const moved = [await said(), await changed(page)]
  await press([' '])
  const down = await said()
  await press(Array(10).fill('ArrowRight'))
  await at.settled(page)
  const drawn = await changed(page), cursor = await page.isVisible('#brush-cursor')
  await page.screenshot({ path: `${folder}/shot-mask-keys.png` })
  report.axe.phone.brush = await problems(page)
  await press([' '])
  const up = await said()
  await press(['Shift+ArrowDown'])
  await at.settled(page)
  const after = await changed(page)
  await page.click('#mask-clear')
  await page.click('#tab-strength')
  return { tab, note, role, moved, down, drawn, cursor, up, after, left: await page.getAttribute('#frame', 'role') }
}

await at.drive(async (browser, report) => {
  report.axe = {}
  const options = { ...at.PHONE, reducedMotion: 'reduce' }
  const page = await at.newPage(await browser.newContext(options), report)
  await at.start(page)
  await at.thumbnails(page)
  await inspect(page, 'phone', report)
  report.keyboard = await keyboard(page)
  report.mask = await maskByKeys(page, report)
  report.animations = await page.evaluate(() => document.getAnimations().length)

  const persian = await at.newPage(await browser.newContext({ ...at.PHONE, locale: 'fa-IR', colorScheme: 'dark' }), report)
  await at.start(persian)
  await at.thumbnails(persian)
  const read = () => persian.evaluate(() => ({
    language: document.documentElement.lang, direction: document.documentElement.dir,
    note: document.querySelector('#note').textContent, strength: document.querySelector('#strength-value').textContent,
    style: document.querySelector('.style[aria-checked=true]').textContent,
    save: document.querySelector('#save').getBoundingClientRect().x < innerWidth / 2,
  }))
  report.persian = await read()
  await at.slide(persian, 'strength', 25)
  report.quarter = await persian.textContent('#strength-value')
  await persian.screenshot({ path: `${folder}/shot-persian.png` })
  await inspect(persian, 'persian', report)
  report.overflow = await at.overflow(persian)
  await persian.click('#about-button')
  await persian.selectOption('#language', 'en')
  await persian.click('#about-close')
  report.english = await read()
})
