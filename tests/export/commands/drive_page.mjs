// Uses a bundle's page as a person does: `node drive_page.mjs PLAYWRIGHT BROWSER URL FOLDER`.
// In FOLDER lie photo.png, mask.png, large.png, small.png, text.jpg; there come others, and seen.json.
import { createRequire } from 'node:module'
import { writeFile } from 'node:fs/promises'

const [playwright, executablePath, url, folder] = process.argv.slice(2)
const { chromium } = createRequire(import.meta.url)(playwright)
const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const browser = await chromium.launch({ executablePath, args, timeout: 60_000 })
const seen = { console: [], elsewhere: [], errors: {} }
try {
  const page = await browser.newPage({ viewport: { width: 390, height: 844 } })
  page.setDefaultTimeout(60_000)
  page.on('console', message => seen.console.push(message.text()))
  page.on('pageerror', error => seen.console.push(String(error)))
  page.on('request', request => request.url().startsWith(new URL(url).origin) || seen.elsewhere.push(request.url()))
  const choose = name => page.setInputFiles('#file', `${folder}/${name}`)
  const done = () => page.waitForSelector('#download:enabled')
  // What stood there before may still stand there for a moment.
  const painted = (width, height) =>
    page.waitForFunction(
      ([width, height]) => {
        const [after, download] = ['#after', '#download'].map(name => document.querySelector(name))
        return after.width === width && after.height === height && !download.disabled
      },
      [width, height],
    )
  const fault = async act => {
    const old = await page.textContent('#error')
    await act()
    await page.waitForFunction(old => {
      const box = document.querySelector('#error')
      return !box.hidden && box.textContent !== old
    }, old)
    return page.textContent('#error')
  }
  const save = async name => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')])
    await download.saveAs(`${folder}/${name}`)
    return download.suggestedFilename()
  }
  const split = () => page.$eval('#pictures', box => box.style.getPropertyValue('--split'))

  await page.goto(url)
  await page.waitForFunction(() => document.querySelector('#credit').textContent) // the manifest has come
  seen.credit = await page.textContent('header')
  seen.models = await page.locator('#model option').allTextContents()
  seen.isolated = await page.evaluate(() => crossOriginIsolated)
  await choose('photo.png')
  await done()
  seen.status = await page.textContent('#status')
  seen.name = await save('painted.png')
  await page.fill('#strength', '50')
  await page.waitForTimeout(100)
  await save('half.png')
  await page.screenshot({ path: `${folder}/phone.png` })
  await page.fill('#strength', '100')
  await page.check('#colors')
  await save('colors.png')
  await page.uncheck('#colors')
  seen.errors.mask = await fault(() => page.setInputFiles('#mask', `${folder}/large.png`))
  await page.setInputFiles('#mask', `${folder}/mask.png`)
  await page.waitForFunction(() => document.querySelector('#where').value === 'white')
  await save('subject.png')
  await page.selectOption('#where', 'black')
  await save('background.png')
  await page.screenshot({ path: `${folder}/controls.png` })
  await page.selectOption('#where', 'all')

  const box = await page.locator('#before').boundingBox()
  await page.mouse.move(box.x + box.width / 2, box.y + 10)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width / 4, box.y + 20)
  await page.mouse.up()
  seen.dragged = await split()
  await page.focus('#split')
  await page.keyboard.press('ArrowLeft')
  seen.pressed = await split()

  await page.fill('#strength', '100')
  await page.selectOption('#model', { index: 1 })
  await done()
  await save('other.png')
  await page.setViewportSize({ width: 1280, height: 800 })
  await choose('large.png')
  await painted(700, 400)
  await page.selectOption('#size', '512')
  await page.selectOption('#size', 'full')
  await page.selectOption('#size', '512')
  await painted(512, 293)
  seen.size = await page.$eval('#after', ({ width, height }) => [width, height])
  await save('hasty.png')
  await page.screenshot({ path: `${folder}/desktop.png` })
  for (const [size, ...sides] of [['full', 700, 400], ['512', 512, 293]]) {
    await page.selectOption('#size', size)
    await painted(...sides)
  }
  await save('calm.png')
  for (const name of ['small.png', 'text.jpg']) seen.errors[name] = await fault(() => choose(name))
} finally {
  await browser.close()
}
await writeFile(`${folder}/seen.json`, JSON.stringify(seen))
