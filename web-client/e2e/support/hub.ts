// The real binary on an empty data folder with its sample county, as a newcomer would start it.
import { createSocket } from 'node:dgram'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const execute = promisify(execFile)

export interface Sample {
  base_url: string
  lesson_id: string
  whip_url: string
  whep_url: string
  publish_token: string
  receive_tokens: string[]
  viewer_token: string
  guest_watch_url: string
  sign_in_links: { teacher: string, classrooms: string[], bureau_officer: string, scheduler: string }
}

/** The program under test: the debug build, or the one that TONGKE names. */
export const binary = process.env.TONGKE ?? fileURLToPath(new URL('../../../target/debug/tongke', import.meta.url))

// Below the ports that Linux gives to outgoing connections (32768 and up): none of them is taken while a hub is down that
// a test has killed. Each process begins elsewhere.
const PORTS_END = 32_768
let nextPort = 16_000 + (process.pid % 1_600) * 10

async function freePort(): Promise<number> {
  while (nextPort < PORTS_END) {
    const port = nextPort++
    if (await isFreeOnTcp(port) && await isFreeOnUdp(port)) return port
  }
  throw new Error('no free port')
}

function isFreeOnTcp(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise(resolve => {
    server.once('error', () => { resolve(false) })
    server.listen(port, '127.0.0.1', () => server.close(() => { resolve(true) }))
  })
}

function isFreeOnUdp(port: number): Promise<boolean> {
  const socket = createSocket('udp4')
  return new Promise(resolve => {
    socket.once('error', () => { socket.close(() => { resolve(false) }) })
    socket.bind(port, '127.0.0.1', () => socket.close(() => { resolve(true) }))
  })
}

export class TestHub {
  private process: ChildProcess | undefined
  private output = ''
  sample!: Sample

  // In a network namespace of its own, pages are also served to the other end of its line.
  private constructor(readonly data: string, readonly ports: { https: number, http: number, metrics: number }, readonly namespace?: string) {}

  static async start(namespace?: string, more: string[] = []): Promise<TestHub> {
    const data = await mkdtemp(join(tmpdir(), 'tongke-e2e-'))
    const hub = new TestHub(data, { https: await freePort(), http: await freePort(), metrics: await freePort() }, namespace)
    await hub.launch(['--sample', ...more])
    hub.sample = JSON.parse(await readFile(join(data, 'sample.json'), 'utf8')) as Sample
    return hub
  }

  // A hub that is not set up: no school, no person, only the secret on the console.
  static async empty(): Promise<TestHub> {
    const hub = new TestHub(await mkdtemp(join(tmpdir(), 'tongke-e2e-')), { https: await freePort(), http: await freePort(), metrics: await freePort() })
    await hub.launch()
    return hub
  }

  // The link to `/set-up` that the console shows at the first start.
  get setUpLink(): string {
    const found = /\S+\/set-up#\S+/.exec(this.output)
    if (found === null) throw new Error(`the console shows no link to set up:\n${this.output}`)
    return this.at(found[0])
  }

  // Media goes over every address of the machine, as in a school; pages over the plain listener.
  async launch(more: string[] = []): Promise<void> {
    const { https, http, metrics } = this.ports
    const pages = this.namespace === undefined ? '127.0.0.1' : '0.0.0.0'
    // `ip netns exec` becomes the program that it starts: the process is the hub's own.
    const [program, ...before] = this.namespace === undefined ? [binary] : ['ip', 'netns', 'exec', this.namespace, binary]
    this.process = spawn(program ?? binary, [
      ...before, 'serve', '--data', this.data, '--listen', `0.0.0.0:${https}`, '--http', `${pages}:${http}`,
      '--metrics', `127.0.0.1:${metrics}`, ...more,
    ], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, RUST_LOG: process.env.RUST_LOG ?? 'info' } })
    const keep = (chunk: Buffer) => { this.output = (this.output + chunk.toString()).slice(-2_000_000) }
    this.process.stdout?.on('data', keep)
    this.process.stderr?.on('data', keep)
    const deadline = Date.now() + 20_000
    while (Date.now() < deadline) {
      if (this.process.exitCode !== null) break
      const ready = (!more.includes('--sample') || existsSync(join(this.data, 'sample.json')))
        && await this.get(`http://127.0.0.1:${http}/readyz`).then(() => true, () => false)
      if (ready) return
      await new Promise(resolve => setTimeout(resolve, 30))
    }
    throw new Error(`the hub did not get ready:\n${this.output}`)
  }

  private async get(url: string): Promise<string> {
    if (this.namespace !== undefined) {
      return (await execute('ip', ['netns', 'exec', this.namespace, 'curl', '-sf', url], { maxBuffer: 1 << 24 })).stdout
    }
    const answer = await fetch(url)
    if (!answer.ok) throw new Error(`${url}: ${answer.status}`)
    return answer.text()
  }

  get pid(): number {
    if (this.process?.pid === undefined) throw new Error('the hub is not running')
    return this.process.pid
  }

  get origin(): string {
    return `http://localhost:${this.ports.http}`
  }

  // A link of sample.json, on the name under which browsers give cameras to plain HTTP.
  at(link: string, origin = this.origin): string {
    return origin + link.slice(new URL(link).origin.length)
  }

  guestLink(): string {
    return this.sample.guest_watch_url
  }

  async metric(name: string, label = ''): Promise<number> {
    const text = await this.get(`http://127.0.0.1:${this.ports.metrics}/metrics`)
    let sum = 0
    for (const line of text.split('\n')) {
      if (line.startsWith(name) && /[ {]/.test(line[name.length] ?? '') && line.includes(label)) {
        sum += Number(line.slice(line.lastIndexOf(' ') + 1))
      }
    }
    return sum
  }

  // Seconds of CPU that the process has used, all threads.
  async cpuSeconds(): Promise<number> {
    const stat = await readFile(`/proc/${this.pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    const running = this.process
    if (running === undefined || running.exitCode !== null) return running?.exitCode ?? null
    const gone = new Promise<number | null>(resolve => running.once('exit', code => resolve(code)))
    running.kill(signal)
    return gone
  }

  // Log lines of panics and errors: none are expected at the end of a test.
  errorLines(): string[] {
    return this.output.split('\n').filter(line => /panicked|ERROR/.test(line))
  }

  get log(): string {
    return this.output
  }

  async stop(): Promise<void> {
    await this.kill('SIGTERM')
    await rm(this.data, { recursive: true, force: true })
  }
}
