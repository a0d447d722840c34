// The page as an app: on a host without headers, below a path, offline, in two tabs, and when there is a new version.
// Reads photo.jpg and the folders `first` and `second` of impasto-app from FOLDER.
import * as at from './browser.mjs'
import { startHost } from './static_host.mjs'

const { folder } = at
const titles = page => page.locator('.style').evaluateAll(styles => styles.map(style => style.dataset.style))
const version = page => page.evaluate(async () => (await caches.keys()).map(name => name.split(' ').at(-1)))

await at.drive(async (browser, report) => {
  const host = await startHost(`${folder}/first`, '/a/sub-path/')
  const context = await browser.newContext(at.PHONE)
  const visit = async () => {
    const page = await at.newPage(context, report)
    await page.goto(host.url)
    await page.waitForSelector('html[data-started]')
    await at.painted(page)
    return page
  }
  let page = await visit()
  report.isolated = await page.evaluate(() => crossOriginIsolated)
  report.note = await page.textContent('#note')
  await at.thumbnails(page)
  report.outside = host.requests.filter(path => !path.startsWith('/a/sub-path/'))
  report.manifest = await page.evaluate(async () => (await fetch(document.querySelector('[rel=manifest]').href)).json())
  const { port } = new URL(host.url)
  await page.close()

  await host.stop()  // offline
  page = await visit()
  await at.thumbnails(page)
  await at.openPhoto(page, 'photo.jpg')
  report.offline = await at.save(page, 'offline.png')
  report.offlineIsolated = await page.evaluate(() => crossOriginIsolated)
  await page.screenshot({ path: `${folder}/shot-offline.png` })
  report.before = [await titles(page), await version(page)]
  await page.close()

  const again = await startHost(`${folder}/first`, '/a/sub-path/', Number(port))
  page = await visit()
  await at.openPhoto(page, 'photo.jpg')
  const other = await visit()  // two tabs, which paint at the same time
  await Promise.all([page, other].map(tab => at.openPhoto(tab, 'photo.jpg')))
  report.twoTabs = [await at.save(page, 'one.png'), await at.save(other, 'two.png')]
  again.folder = `${folder}/second`
  await page.evaluate(async () => (await navigator.serviceWorker.getRegistration()).update())
  await Promise.all([page, other].map(tab => tab.waitForSelector('#update:not([hidden])')))
  report.unchanged = await titles(page)  // until the user wants it
  await page.screenshot({ path: `${folder}/shot-update.png` })
  await page.click('#update-now')
  await page.waitForFunction(count => document.querySelectorAll('.style').length === count, report.before[0].length + 1)
  await page.waitForSelector('html[data-started]')
  await at.painted(page)
  report.after = [await titles(page), await version(page)]
  await other.click('#update-now')
  await other.waitForFunction(count => document.querySelectorAll('.style').length === count, report.before[0].length + 1)
  await again.stop()
})
