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

await at.drive(async (browser, report) => {
  report.axe = {}
  const options = { ...at.PHONE, reducedMotion: 'reduce' }
  const page = await at.newPage(await browser.newContext(options), report)
  await at.start(page)
  await at.thumbnails(page)
  await inspect(page, 'phone', report)
  report.keyboard = await keyboard(page)
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
