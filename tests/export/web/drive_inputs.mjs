// What comes in: files that are no photos, photos that are broken, HEIC, or of 12 megapixels; video and camera.
// Reads broken.jpg, text.jpg, photo.heic, small.png, tiny.png, large.png, broken.mp4, video.webm and camera.y4m from FOLDER.
import { readFile } from 'node:fs/promises'
import * as at from './browser.mjs'

const { folder } = at
const FAKE_CAMERA = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']

/** The most memory, in MB, that the browser's processes had while `task` ran. */
async function peakMemory(browser, task) {
  const session = await browser.newBrowserCDPSession()
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  let most = 0, running = true
  const watch = (async () => {
    while (running) {
      const sizes = await Promise.all(processInfo.map(({ id }) => memoryOf(id)))
      most = Math.max(most, sizes.reduce((sum, size) => sum + size, 0))
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  })()
  await task()
  running = false
  await watch
  return most
}

/** The memory of a process that no other one has, in MB. */
async function memoryOf(id) {
  const text = await readFile(`/proc/${id}/smaps_rollup`, 'utf8').catch(() => '')
  return (text.match(/Private_(Clean|Dirty): +\d+/g) ?? []).reduce((sum, line) => sum + Number(line.split(/ +/)[1]), 0) / 1000
}

async function errors(page, report) {
  report.errors = {}
  for (const name of ['broken.jpg', 'text.jpg', 'photo.heic', 'small.png'])
    report.errors[name] = await at.errorAfter(page, () => at.open(page, name))
  await page.screenshot({ path: `${folder}/shot-error.png` })
  report.stillPainted = await page.locator('#frame.painted').count()
}

async function large(page, browser, report) {
  await page.click('#colors')
  report.memory = await peakMemory(browser, async () => {
    await at.openPhoto(page, 'large.png')
    report.shown = await page.$eval('#painted', ({ width, height }) => [width, height])
    await at.save(page, 'painted.png')
  })
  await page.click('#save')  // a second one is canceled
  await page.check('input[name=size][value=full]')
  await page.click('#save-file')
  await page.click('#save-close')
  await page.waitForSelector('#save-sheet:not([open])', { state: 'attached' })
  report.canceled = [await page.locator('#save-error:not([hidden])').count(), await page.isEnabled('#save')]
}

async function video(page, report) {
  await at.open(page, 'broken.mp4')
  await page.click('#video-start')
  await page.waitForSelector('#video-error:not([hidden])')
  report.brokenVideo = await page.textContent('#video-error')
  await page.click('#video-close')
  await at.open(page, 'video.webm')
  await page.waitForSelector('#video[open]')
  await page.click('#video-start')
  await page.waitForFunction(() => document.querySelector('#video-progress').value > 0)
  report.progress = await page.textContent('#video-text')
  await page.screenshot({ path: `${folder}/shot-video.png` })
  await page.click('#video-close')
  report.videoClosed = await page.locator('#video[open]').count()
  await at.open(page, 'video.webm')
  await page.click('#video-start')
  await page.waitForSelector('#video-result:not([hidden]), #video-error:not([hidden])')
  report.videoError = await page.textContent('#video-error')
  await page.screenshot({ path: `${folder}/shot-video-done.png` })
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#video-start')])
  report.video = download.suggestedFilename()
  await download.saveAs(`${folder}/${report.video}`)
  await page.click('#video-close')
}

/** A large photo, and a small one before it is read: the later one is shown. */
async function two(page, report) {
  await at.open(page, 'large.png')
  await at.openPhoto(page, 'tiny.png')
  await page.waitForTimeout(2000)  // for a large photo that comes late
  await at.painted(page)
  report.later = await page.$eval('#photo', ({ width, height }) => [width, height])
}

async function camera(page, report) {
  await page.click('#camera-button')
  await page.waitForFunction(() => /\d+ × \d+/.test(document.querySelector('#camera-note').textContent))
  const before = await page.$eval('#viewfinder', canvas => canvas.toDataURL())
  await page.waitForFunction(before => document.querySelector('#viewfinder').toDataURL() !== before, before)
  report.rate = await page.textContent('#camera-note')
  await page.click('#camera .style[data-style=udnie]')
  report.tabs = await page.locator('#camera [role=tab]:visible').evaluateAll(tabs => tabs.map(({ id }) => id))
  await page.click('#camera #colors')
  await page.click('#camera #tab-strokes')
  await at.slide(page, 'strokes', 4)
  await page.waitForFunction(() => document.querySelector('#camera-note').textContent.endsWith('finer strokes'))
  await page.waitForFunction(() => {  // a frame with more red than blue, as the camera has it
    const canvas = document.querySelector('#viewfinder'), context = new OffscreenCanvas(1, 1).getContext('2d')
    context.drawImage(canvas, 0, 0, 1, 1)
    const [r, , b] = context.getImageData(0, 0, 1, 1).data
    return r - b > 60
  })
  await page.screenshot({ path: `${folder}/shot-camera.png` })
  await page.click('#camera-take')
  await page.waitForSelector('#camera:not([open])', { state: 'attached' })
  await at.painted(page)
  report.taken = await at.save(page, 'camera.png')
  report.strip = await page.locator('body > .panel + .styles > .strip').count()
  await at.slide(page, 'strokes', 2)
  await page.click('#camera-button')
  await page.waitForSelector('#camera[open]')
  await page.keyboard.press('Escape')
  await page.waitForSelector('.styles > .strip')
}

await at.drive(async (browser, report) => {
  const context = await browser.newContext(at.PHONE)
  const page = await at.newPage(context, report)
  await at.start(page)
  await errors(page, report)
  await two(page, report)
  await camera(page, report)
  await video(page, report)
  await large(page, browser, report)
  const denied = await at.newPage(await browser.newContext(at.PHONE), report)
  await denied.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))
  })
  await at.start(denied)
  report.denied = await at.errorAfter(denied, () => denied.click('#camera-button'))
  report.deniedStrip = await denied.locator('.styles > .strip').count()
}, ['--disable-gpu', ...FAKE_CAMERA, `--use-file-for-fake-video-capture=${folder}/camera.y4m`])
