// Prints at the end of a run how long each test file took, the longest first, and when it ran; for a file that failed, why.
import { loadavg } from 'node:os'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Reporter, TestModule } from 'vitest/node'

const FOLDER = fileURLToPath(new URL('.', import.meta.url))

export default class FileTimes implements Reporter {
  private beganMs = 0
  private readonly files = new Map<string, { project: string, fromMs: number, untilMs: number }>()

  onTestRunStart(): void {
    this.beganMs = Date.now()
    this.files.clear()
  }

  onTestModuleStart(module: TestModule): void {
    this.files.set(module.moduleId, { project: module.project.name, fromMs: Date.now(), untilMs: Number.NaN })
  }

  onTestModuleEnd(module: TestModule): void {
    const file = this.files.get(module.moduleId)
    if (file !== undefined) file.untilMs = Date.now()
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const rows = modules
      .flatMap(module => {
        const file = this.files.get(module.moduleId)
        return file === undefined ? [] : [{ ...file, ok: module.ok(), why: firstErrors(module), name: relative(FOLDER, module.moduleId) }]
      })
      .sort((a, b) => (b.untilMs - b.fromMs) - (a.untilMs - a.fromMs))
    const seconds = (ms: number) => (ms / 1000).toFixed(1).padStart(7)
    const since = (ms: number) => seconds(ms - this.beganMs)
    console.log('\n  took s   from s   until s  file')
    for (const { name, project, ok, why, fromMs, untilMs } of rows) {
      console.log(`${seconds(untilMs - fromMs)}  ${since(fromMs)}   ${since(untilMs)}  ${name} (${project})${ok ? '' : ' FAILED'}`)
      for (const line of why) console.log(`                             ${line}`)
    }
    const load = loadavg()[1] ?? Number.NaN
    console.log(`${since(Date.now())}  whole run, load average of the last 5 minutes ${load.toFixed(1)}\n`)
  }
}

/** The first line of each error, at most five: the end of a log is what is always kept of it. */
function firstErrors(module: TestModule): string[] {
  const ofTests = [...module.children.allTests()].flatMap(test => (test.result().errors ?? []).map(error => `${test.name}: ${error.message}`))
  const ofFile = module.errors().map(error => error.message)
  return [...ofFile, ...ofTests].slice(0, 5).map(text => (text.split('\n')[0] ?? '').slice(0, 200))
}
