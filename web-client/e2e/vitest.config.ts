import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// Real browsers and the real binary: one scenario at a time, or they would measure each other.
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    include: ['e2e/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 60_000,
    disableConsoleIntercept: true,
  },
})
