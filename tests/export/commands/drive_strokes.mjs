// Opens a photo on a bundle's page: `node drive_strokes.mjs PLAYWRIGHT BROWSER URL PHOTO`. Writes default.png and
// native.png beside it: the downloads with the page's own strokes, and with native ones. Prints the page's choices.
import { createRequire } from 'node:module'
import { dirname } from 'node:path'

const [playwright, executablePath, url, photo] = process.argv.slice(2)
const { chromium } = createRequire(import.meta.url)(playwright)
const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const browser = await chromium.launch({ executablePath, args, timeout: 60_000 })
try {
  const page = await browser.newPage()
  page.setDefaultTimeout(120_000)
  page.on('console', message => console.error(message.text()))
  page.on('pageerror', error => console.error(String(error)))
  const save = async name => {
    await page.waitForSelector('#download:enabled')
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')])
    await download.saveAs(`${dirname(photo)}/${name}`)
  }
  await page.goto(url)
  await page.waitForFunction(() => document.querySelector('#credit').textContent) // the manifest is loaded
  await page.setInputFiles('#file', photo)
  await save('default.png')
  console.log(`${await page.textContent('#strokes option:checked')}, ${await page.inputValue('#size')}`)
  await page.selectOption('#strokes', 'native') // disables the download at once
  await save('native.png')
} finally {
  await browser.close()
}
