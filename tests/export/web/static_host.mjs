// A web host as plain as they come: files of a folder below a path, and none of the headers that isolate a page.
import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import path from 'node:path'

const TYPES = {
  '.html': 'text/html', '.mjs': 'text/javascript', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json',
  '.wasm': 'application/wasm', '.svg': 'image/svg+xml', '.png': 'image/png', '.jpg': 'image/jpeg',
  '.webmanifest': 'application/manifest+json',
}

/** Starts the host; `folder` may be changed, and `stop` really ends it. */
export async function startHost(folder, prefix = '/', port = 0) {
  const host = { folder, requests: [], url: '', stop: async () => {} }
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://host')
    host.requests.push(pathname)
    const name = pathname.startsWith(prefix) ? pathname.slice(prefix.length) || 'index.html' : ''
    const body = name && await readFile(path.join(host.folder, name)).catch(() => null)
    response.writeHead(body ? 200 : 404, { 'Content-Type': TYPES[path.extname(name)] ?? 'application/octet-stream' })
    response.end(request.method === 'HEAD' ? '' : body || 'not found')
  })
  await new Promise(resolve => server.listen(port, '127.0.0.1', resolve))
  host.url = `http://127.0.0.1:${server.address().port}${prefix}`
  host.stop = () => {
    server.closeAllConnections()
    return new Promise(resolve => server.close(resolve))
  }
  return host
}
