// A rural line between a hub and a classroom, each in a network namespace: driven by load-tests/netns.sh.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const script = fileURLToPath(new URL('../../../load-tests/netns.sh', import.meta.url))
const emulator = process.env.TONGKE_LINE ?? fileURLToPath(new URL('../../../target/debug/tongke-line', import.meta.url))

export class RuralLine {
  readonly hub: string
  readonly classroom: string
  // The hub, as the classroom sees it.
  readonly hubAddress = '10.77.0.1'

  private constructor(private readonly prefix: string) {
    this.hub = `${prefix}hub`
    this.classroom = `${prefix}classroom`
  }

  static async up(): Promise<RuralLine> {
    if (process.getuid?.() !== 0) throw new Error('NOT RUN: network namespaces need root')
    for (const program of ['ip', 'nft', 'curl']) {
      await run('which', [program]).catch(() => { throw new Error(`NOT RUN: ${program} is missing`) })
    }
    if (!existsSync(emulator)) throw new Error('NOT RUN: tongke-line is not built')
    const line = new RuralLine(`t${process.pid}-`)
    await line.command('up')
    return line
  }

  private async command(...words: string[]): Promise<string> {
    const env = { ...process.env, NETNS_PREFIX: this.prefix, TONGKE_LINE: emulator }
    return (await run(script, words, { env })).stdout
  }

  // Both directions alike, from now on: `delay_ms=40,loss_pct=10`.
  async both(settings: string): Promise<void> {
    await this.command('set', `up preset=clean,${settings}`)
    await this.command('set', `down preset=clean,${settings}`)
  }

  // Hub to classroom alone.
  async downwards(settings: string): Promise<void> {
    await this.command('set', `down preset=clean,${settings}`)
  }

  // How long a packet to the classroom would wait at the bottleneck now, in milliseconds.
  async queueMs(): Promise<number> {
    const counts = await this.command('counts')
    return Number(/down .*waiting_ms=(\d+)/.exec(counts)?.[1] ?? Number.NaN)
  }

  async move(lastNumber: number): Promise<void> {
    await this.command('move', String(lastNumber))
  }

  // To the hub the classroom's packets come from another port, and from another address where one is named.
  async rebind(from: number, to: number, lastNumber = 2): Promise<void> {
    await this.command('rebind', String(from), String(to), String(lastNumber))
  }

  async blockUdp(): Promise<void> {
    await this.command('block-udp')
  }

  async freeUdp(): Promise<void> {
    await this.command('free-udp')
  }

  async down(): Promise<void> {
    await this.command('down')
  }
}
