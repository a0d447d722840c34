// Runs a scenario in a page: `node drive_engine.mjs PLAYWRIGHT BROWSER URL SCENARIO [FLAG...]`. Prints its result as
// JSON, with `console`, what the page logged, and `memory`, the most that all processes of the browser had at a time, in
// MB (the sum of their PSS).
import { createRequire } from 'node:module'
import { readFileSync, readdirSync } from 'node:fs'

const [playwright, executablePath, url, scenario, ...flags] = process.argv.slice(2)
const { chromium } = createRequire(import.meta.url)(playwright)
const quiet = ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const server = await chromium.launchServer({ executablePath, args: [...quiet, ...flags], timeout: 60_000 })
const browser = await chromium.connect(server.wsEndpoint()), root = server.process().pid
const log = []
let memory = 0
const timer = setInterval(() => { memory = Math.max(memory, used()) }, 250)
try {
  const context = await browser.newContext(), page = await context.newPage()
  page.setDefaultTimeout(290_000)
  page.on('console', message => log.push(message.text()))
  page.on('pageerror', error => log.push(String(error)))
  await page.goto(url)
  const result = await page.evaluate(name => import('/scenarios.mjs').then(module => module[name]()), scenario)
  console.log(JSON.stringify({ ...result, console: log, memory: Math.round(Math.max(memory, used())) }))
} finally {
  clearInterval(timer)
  await browser.close()
  await server.close()
}

function used() {
  const parents = new Map(), family = new Set([root])
  for (const name of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    try {
      parents.set(Number(name), Number(readFileSync(`/proc/${name}/stat`, 'utf8').replace(/.*\) /, '').split(' ')[1]))
    } catch {}  // it has ended
  }
  for (const pid of [...parents.keys()].sort((a, b) => a - b)) if (family.has(parents.get(pid))) family.add(pid)
  let sum = 0
  for (const pid of family) {
    try {
      sum += Number(/^Pss: +(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) / 1000
    } catch {}
  }
  return sum
}
