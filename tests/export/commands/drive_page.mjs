// Operates a bundle's page in a browser: `node drive_page.mjs PLAYWRIGHT BROWSER URL FOLDER`.
// Reads photo.png, mask.png, large.png, small.png and text.jpg from FOLDER. Writes downloads, screenshots and report.json.
import { createRequire } from 'node:module'
import { writeFile } from 'node:fs/promises'

const [playwright, executablePath, url, folder] = process.argv.slice(2)
const { chromium } = createRequire(import.meta.url)(playwright)
const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const browser = await chromium.launch({ executablePath, args, timeout: 60_000 })
const report = { console: [], external: [], errors: {} }
try {
  const page = await browser.newPage({ viewport: { width: 390, height: 844 } })
  page.setDefaultTimeout(60_000)
  page.on('console', message => report.console.push(message.text()))
  page.on('pageerror', error => report.console.push(String(error)))
  page.on('request', request => request.url().startsWith(new URL(url).origin) || report.external.push(request.url()))
  const open = name => page.setInputFiles('#file', `${folder}/${name}`)
  const finished = () => page.waitForSelector('#download:enabled')
  // The previous result may still be on the page, so wait for the size, too.
  const finishedAt = (width, height) =>
    page.waitForFunction(
      ([width, height]) => {
        const [after, download] = ['#after', '#download'].map(name => document.querySelector(name))
        return after.width === width && after.height === height && !download.disabled
      },
      [width, height],
    )
  const errorAfter = async action => {
    const previous = await page.textContent('#error')
    await action()
    await page.waitForFunction(previous => {
      const box = document.querySelector('#error')
      return !box.hidden && box.textContent !== previous
    }, previous)
    return page.textContent('#error')
  }
  const save = async name => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')])
    await download.saveAs(`${folder}/${name}`)
    return download.suggestedFilename()
  }
  const split = () => page.$eval('#images', box => box.style.getPropertyValue('--split'))

  await page.goto(url)
  await page.waitForFunction(() => document.querySelector('#credit').textContent) // the manifest is loaded
  report.credit = await page.textContent('header')
  report.models = await page.locator('#model option').allTextContents()
  report.isolated = await page.evaluate(() => crossOriginIsolated)
  await open('photo.png')
  await finished()
  report.status = await page.textContent('#status')
  report.name = await save('stylized.png')
  await page.fill('#strength', '50')
  await page.waitForTimeout(100)
  await save('half.png')
  await page.screenshot({ path: `${folder}/phone.png` })
  await page.fill('#strength', '100')
  await page.check('#colors')
  await save('colors.png')
  await page.uncheck('#colors')
  report.errors.mask = await errorAfter(() => page.setInputFiles('#mask', `${folder}/large.png`))
  await page.setInputFiles('#mask', `${folder}/mask.png`)
  await page.waitForFunction(() => document.querySelector('#area').value === 'white')
  await save('subject.png')
  await page.selectOption('#area', 'black')
  await save('background.png')
  await page.screenshot({ path: `${folder}/controls.png` })
  await page.selectOption('#area', 'all')

  const box = await page.locator('#before').boundingBox()
  await page.mouse.move(box.x + box.width / 2, box.y + 10)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width / 4, box.y + 20)
  await page.mouse.up()
  report.dragged = await split()
  await page.focus('#split')
  await page.keyboard.press('ArrowLeft')
  report.pressed = await split()

  await page.fill('#strength', '100')
  await page.selectOption('#model', { index: 1 })
  await finished()
  await save('other.png')
  await page.setViewportSize({ width: 1280, height: 800 })
  await open('large.png')
  await finishedAt(700, 400)
  await page.selectOption('#size', '512')
  await page.selectOption('#size', 'full')
  await page.selectOption('#size', '512')
  await finishedAt(512, 293)
  report.size = await page.$eval('#after', ({ width, height }) => [width, height])
  await save('after_changes.png')
  await page.screenshot({ path: `${folder}/desktop.png` })
  for (const [size, ...sides] of [['full', 700, 400], ['512', 512, 293]]) {
    await page.selectOption('#size', size)
    await finishedAt(...sides)
  }
  await save('expected.png')
  for (const name of ['small.png', 'text.jpg']) report.errors[name] = await errorAfter(() => open(name))
} finally {
  await browser.close()
}
await writeFile(`${folder}/report.json`, JSON.stringify(report))
