import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that judge delays, standstills or lost media: each has the machine to itself. */
const MEASURED = ['e2e/browsers/{kill,lesson,firefox,tcp,replay}.test.ts', 'e2e/deep/**/*.test.ts']
/** The longest first: mostly they wait, for a bell or for a code to expire. */
const FIRST = ['library', 'bell', 'attendance', 'download']
/** Three at a time keep two cores busy, as each of them waits for most of its time. */
const SIDE_BY_SIDE = 3

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = (file: TestSpecification) => {
      const at = FIRST.indexOf(basename(file.moduleId, '.test.ts'))
      return at < 0 ? FIRST.length : at
    }
    return [...files].sort((a, b) => place(a) - place(b) || a.moduleId.localeCompare(b.moduleId))
  }
}

// Real browsers and the real binary.
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    testTimeout: 240_000,
    hookTimeout: 60_000,
    disableConsoleIntercept: true,
    reporters: ['default', fileURLToPath(new URL('file-times.ts', import.meta.url))],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'side by side', include: ['e2e/**/*.test.ts'], exclude: MEASURED, maxWorkers: SIDE_BY_SIDE, sequence: { groupOrder: 1 },
        },
      },
      { extends: true, test: { name: 'measured', include: MEASURED, maxWorkers: 1, sequence: { groupOrder: 2 } } },
    ],
  },
})
