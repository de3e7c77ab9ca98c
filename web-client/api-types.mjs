// Types of the hub's API from its description. `--check`: says whether src/api/schema.ts still is what would be written.
import { readFile, writeFile } from 'node:fs/promises'
import process from 'node:process'
import openapiTS, { astToString } from 'openapi-typescript'

const source = new URL('../docs/openapi.json', import.meta.url)
const target = new URL('src/api/schema.ts', import.meta.url)

const document = JSON.parse(await readFile(source, 'utf8'))
const types = `// Written by \`npm run api-types\` from docs/openapi.json.\n${astToString(await openapiTS(document))}`
if (!process.argv.includes('--check')) {
  await writeFile(target, types)
}
else if (await readFile(target, 'utf8').catch(() => '') !== types) {
  console.error('src/api/schema.ts is not what docs/openapi.json says: run `npm run api-types`.')
  process.exitCode = 1
}
