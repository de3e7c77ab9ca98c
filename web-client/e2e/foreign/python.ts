// Foreign clients that come as Python packages, in the folder that `.ci/setup test` makes.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const python = fileURLToPath(new URL('../../../.venv/bin/python', import.meta.url))

// The value of `expression` after `import module`; fails with NOT RUN where the module is missing.
export async function requirePackage(module: string, expression: string): Promise<string> {
  const printed = await run(python, ['-c', `import ${module}; print(${expression})`]).catch(() => {
    throw new Error(`NOT RUN: ${module} is missing from .venv, which .ci/setup test makes`)
  })
  return printed.stdout.trim()
}
