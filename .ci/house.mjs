// Keeps the shape of the source tree: `node .ci/house.mjs`, from the top of the repository, or `--self-test`.
//
// It reads the tracked source files (not tests, benches, fuzz targets or generated code) and fails on
//   - an import circle between files,
//   - an import from a lower floor to a higher one (the floors stand in FLOORS),
//   - a folder with more than FILES_MAX source files directly in it,
//   - a source file of more than LINES_MAX lines.
//
// An arrow A -> B means: file A names something that file B defines. A re-export is looked through: whoever imports
// `crate::store::AuditRow` depends on the file that defines `AuditRow`, and re-exporting a name is no use of it. In Rust
// `mod x;` is no arrow, a module's own path is none either (what is named by it is), and `#[cfg(test)]` is not read.
// Methods are not resolved: `store.audit()` is an arrow to where `Store` is defined only if its name is written.
// `--arrows` prints every arrow as well.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, posix } from 'node:path'
import process from 'node:process'

const FILES_MAX = 15
const LINES_MAX = 500
const TIES_SHOWN = 40

// From the top floor to the ground; the longest matching path wins, and `x/` stands for `x.rs` too. A folder that does not
// exist does no harm; a source file on no floor is an offence. Files of one floor may import each other, but in no circle.
const FLOORS = [
  ['load generator', 'load-tests/'],
  ['server: program', 'signaling/src/main.rs', 'signaling/src/cli/', 'signaling/build.rs'],
  ['server: router, listener, jobs', 'signaling/src/', 'signaling/src/jobs/', 'signaling/src/listener/'],
  ['server: HTTP features', 'signaling/src/http/'],
  ['server: app', 'signaling/src/app.rs'],
  ['server: HTTP base', 'signaling/src/http/web/'],
  ['server: state', 'signaling/src/state/'],
  ['server: lessons in progress', 'signaling/src/live/'],
  ['server: scheduling', 'signaling/src/scheduling/'],
  ['server: config', 'signaling/src/config/'],
  ['server: store features', 'signaling/src/store/'],
  ['server: store base', 'signaling/src/store/db/'],
  ['server: base', ...['clock', 'error_chain', 'data_dir', 'rate_limit', 'secret'].map(name => `signaling/src/${name}.rs`)],
  ['school rules', 'signaling/school/'],
  ['school rules: base', 'signaling/school/src/base/'],
  ['recorder', 'recorder/'],
  ['media plane', 'sfu/'],

  ['pages: program', 'web-client/'],
  ['pages: families', ...['account', 'audit', 'classroom', 'dispatch', 'lesson', 'library', 'organisation', 'replay', 'report',
    'retention', 'teacher', 'timetable', 'watch'].map(name => `web-client/src/${name}/`)],
  ['pages: lesson, shared', 'web-client/src/lesson-ui/'],
  ['pages: calendar', 'web-client/src/calendar/'],
  ['pages: console frame', 'web-client/src/console/'],
  ['pages: lesson in progress', 'web-client/src/live/'],
  ['pages: media and playback', 'web-client/src/media/', 'web-client/src/playback/'],
  ['pages: parts', 'web-client/src/ui/'],
  ['pages: client of the server', 'web-client/src/api/'],
  ['pages: words', 'web-client/src/locale/'],
]

// ---------------------------------------------------------------------------------------------------------------------
// Rust

/// The code as tokens: identifiers, `::`, and single characters. Comments and literals are left out, but for a literal that
/// is a path (`#[serde(with = "crate::x")]`).
function tokenize(code) {
  const pattern = new RegExp([
    String.raw`(?<skip>\s+|//[^\n]*)`,
    String.raw`(?<block>/\*)`,
    String.raw`(?<raw>(?:b|c)?r(?<hashes>#*)"[\s\S]*?"\k<hashes>)`,
    String.raw`(?<string>(?:b|c)?"(?:[^"\\]|\\[\s\S])*")`,
    String.raw`(?<char>b?'(?:[^'\\\n]|\\(?:u\{[^}]*\}|x..|.))')`,
    String.raw`(?<lifetime>'[A-Za-z_]\w*)`,
    String.raw`(?<word>(?:r#)?[A-Za-z_]\w*)`,
    String.raw`(?<number>\d[\w]*)`,
    String.raw`(?<sign>::|[\s\S])`,
  ].join('|'), 'y')
  const tokens = []
  while (pattern.lastIndex < code.length) {
    const { groups } = pattern.exec(code)
    if (groups.block) pattern.lastIndex = endOfBlockComment(code, pattern.lastIndex)
    else if (groups.word) tokens.push(groups.word.replace(/^r#/, ''))
    else if (groups.sign) tokens.push(groups.sign)
    else if (groups.number) tokens.push('0')
    else if (groups.string && /^"(crate|self|super)(::\w+)+"$/.test(groups.string)) {
      tokens.push(...groups.string.slice(1, -1).split(/(::)/))
    }
    else if (groups.string) tokens.push(groups.string)
  }
  return tokens
}

/// Block comments nest in Rust.
function endOfBlockComment(code, from) {
  for (let depth = 1, at = from; at < code.length; at += 1) {
    if (code.startsWith('/*', at)) (depth += 1, at += 1)
    else if (code.startsWith('*/', at)) {
      (depth -= 1, at += 1)
      if (depth === 0) return at + 1
    }
  }
  return code.length
}

const OPEN = { '(': ')', '[': ']', '{': '}' }
const CLOSED = new Set(Object.values(OPEN))
const isWord = token => token !== undefined && /^[A-Za-z_]\w*$/.test(token)
const DEFINES = new Set(['fn', 'struct', 'enum', 'union', 'trait', 'type', 'const', 'static'])
const BEFORE_ITEM = new Set(['pub', 'unsafe', 'async', 'extern', 'default'])

/// The position behind the bracket that closes the one at `at`.
function behindBracket(tokens, at) {
  for (let depth = 0; at < tokens.length; at += 1) {
    if (OPEN[tokens[at]]) depth += 1
    else if (CLOSED.has(tokens[at]) && (depth -= 1) === 0) return at + 1
  }
  return at
}

/// The position behind the item, statement, field or match arm that begins at `at`, its attributes included.
function behindItem(tokens, at) {
  while (tokens[at] === '#') at = behindBracket(tokens, at + 1)
  let start = at
  while (BEFORE_ITEM.has(tokens[start]) || tokens[start] === '(' || (tokens[start] === 'const' && DEFINES.has(tokens[start + 1]))) {
    start = tokens[start] === '(' ? behindBracket(tokens, start) : start + 1
  }
  const isItem = DEFINES.has(tokens[start]) || ['mod', 'impl', 'use', 'macro_rules', 'let'].includes(tokens[start])
  const endsAtBrace = !['use', 'let', 'const', 'static', 'type'].includes(tokens[start])
  while (at < tokens.length && tokens[at] !== '}') {
    if (tokens[at] === ';' || (tokens[at] === ',' && !isItem)) return at + 1
    const isBody = tokens[at] === '{' && endsAtBrace
    at = OPEN[tokens[at]] ? behindBracket(tokens, at) : at + 1
    if (isBody) return at
  }
  return at
}

/// `a::{b::C, d as e, f::*}` as flat paths. Gives the position behind the tree.
function readUseTree(tokens, at, prefix, found) {
  const path = [...prefix]
  for (;;) {
    const token = tokens[at]
    if (token === '{') {
      at += 1
      while (at < tokens.length && tokens[at] !== '}') at = tokens[at] === ',' ? at + 1 : readUseTree(tokens, at, path, found)
      return at + 1
    }
    if (token === '*') return found.push({ path, glob: true }) && at + 1
    if (token !== '::' && (!isWord(token) || token === 'as')) {
      if (path.at(-1) === 'self' && path.length > 1) path.pop()
      found.push({ path, name: token === 'as' ? tokens[at + 1] : path.at(-1) })
      return token === 'as' ? at + 2 : at
    }
    if (token !== '::') path.push(token)
    at += 1
  }
}

function newModule(crate, file, parent, folder) {
  return { crate, file, parent, folder, children: new Map(), items: new Set(), bindings: new Map(), globs: [], paths: [], words: new Map() }
}

/// Reads one file into `module`, and the files of its child modules.
function readRustFile(house, module) {
  const { crate, file } = module
  crate.files.add(file)
  const tokens = tokenize(house.text(file))
  const scopes = [module]
  const closes = []
  let depth = 0
  for (let at = 0; at < tokens.length;) {
    const token = tokens[at]
    const scope = scopes.at(-1)
    if (token === '#' && tokens[at + 1] === '[') {
      const text = tokens.slice(at + 2, behindBracket(tokens, at + 1) - 1).join('')
      if (text.startsWith('path=')) scope.nextPath = text.slice(6, -1)
      at = /^cfg\((all\()?test\b/.test(text) ? behindItem(tokens, at) : at + 2
      continue
    }
    if (token === 'use' && !['<', ',', '+'].includes(tokens[at - 1])) {
      const found = []
      const isExport = tokens[at - 1] === 'pub' || (tokens[at - 1] === ')' && tokens.slice(at - 5, at).includes('pub'))
      at = readUseTree(tokens, at + 1, [], found)
      for (const one of found) {
        if (one.glob) scope.globs.push(one.path)
        else if (one.name !== '_') scope.bindings.set(one.name, one.path)
        if (!one.glob) scope.paths.push({ path: one.path, name: one.name, isExport })
      }
      continue
    }
    if (token === 'mod' && isWord(tokens[at + 1]) && ['{', ';'].includes(tokens[at + 2])) {
      const folder = posix.join(scope.folder, tokens[at + 1])
      const child = newModule(crate, file, scope, folder)
      scope.children.set(tokens[at + 1], child)
      if (tokens[at + 2] === '{') {
        scopes.push(child)
        closes.push(depth)
        depth += 1
      }
      else {
        const named = scope.nextPath && posix.join(dirname(file), scope.nextPath)
        const childFile = [named, `${folder}.rs`, `${folder}/mod.rs`].find(path => path && house.has(path))
        if (childFile) readRustFile(house, Object.assign(child, { file: childFile, folder: named ? dirname(named) : folder }))
      }
      scope.nextPath = undefined
      at += 3
      continue
    }
    if (token === 'macro_rules' && tokens[at + 1] === '!' && isWord(tokens[at + 2])) {
      crate.macros.set(tokens[at + 2], file)
      scope.items.add(tokens[at + 2])
      at += 3
      continue
    }
    if (DEFINES.has(token) && isWord(tokens[at + 1]) && !DEFINES.has(tokens[at + 1])) {
      scope.items.add(tokens[at + 1])
      at += 2
      continue
    }
    if (token === '{') depth += 1
    if (token === '}') {
      depth -= 1
      if (closes.at(-1) === depth) {
        closes.pop()
        scopes.pop()
      }
    }
    if (isWord(token) && tokens[at - 1] !== '.') {
      const path = [token]
      while (tokens[at + 1] === '::' && isWord(tokens[at + 2])) {
        path.push(tokens[at + 2])
        at += 2
      }
      scope.words.set(token, (scope.words.get(token) ?? 0) + 1)
      if (path.length > 1) scope.paths.push({ path, inCode: true })
      if (tokens[at + 1] === '!' && path.length === 1) scope.paths.push({ macro: token })
    }
    at += 1
  }
}

/// What `path`, written in `module`, names: `{ module }` or `{ file, name }`; nothing where it is of a foreign crate.
function resolve(house, module, path, seen = new Set()) {
  const key = `${module.file} ${module.folder} ${path.join('::')}`
  if (seen.has(key)) return undefined
  seen.add(key)
  const [first, ...rest] = path
  if (first === 'crate') return resolveIn(house, module.crate.root, rest, seen)
  if (first === 'self') return resolveIn(house, module, rest, seen)
  if (first === 'super') return module.parent && resolveIn(house, module.parent, rest, seen)
  const here = lookUp(house, module, first, rest.length === 0, seen)
  if (here) return here.module ? resolveIn(house, here.module, rest, seen) : here
  const crate = house.crates.get(first)
  return crate && resolveIn(house, crate.root, rest, seen)
}

function resolveIn(house, module, path, seen) {
  const [name, ...rest] = path
  if (name === undefined) return { module }
  if (name === 'super') return module.parent && resolveIn(house, module.parent, rest, seen)
  const found = lookUp(house, module, name, rest.length === 0, seen)
  if (found?.module) return resolveIn(house, found.module, rest, seen)
  if (found) return found
  const macro = module === module.crate.root && module.crate.macros.get(name)
  return { file: macro || module.file, name }
}

/// A name inside one module: its own item, what it imports or re-exports, a child module, or something behind a glob.
function lookUp(house, module, name, isLast, seen) {
  if (isLast && module.items.has(name)) return { file: module.file, name }
  const child = module.children.get(name)
  if (child && !isLast) return { module: child }
  const bound = module.bindings.get(name)
  const target = bound && resolve(house, module, bound, seen)
  if (target) return target
  if (child) return { module: child }
  if (module.items.has(name)) return { file: module.file, name }
  for (const glob of module.globs) {
    const from = resolve(house, module, glob, seen)
    const found = from?.module && lookUp(house, from.module, name, isLast, seen)
    if (found) return found
  }
  return undefined
}

function readRust(house, arrow) {
  for (const manifest of house.files.filter(file => /(^|\/)Cargo\.toml$/.test(file) && !isAside(file))) {
    const name = /^\[package\][^[]*?^name = "([^"]+)"/ms.exec(house.text(manifest))?.[1]?.replaceAll('-', '_')
    if (!name) continue
    const folder = dirname(manifest) === '.' ? '' : `${dirname(manifest)}/`
    const roots = house.files.filter(file => file.startsWith(folder) && /^(build\.rs|src\/(lib|main)\.rs|src\/bin\/([^/]+|[^/]+\/main)\.rs)$/.test(file.slice(folder.length)))
    for (const file of roots) {
      const crate = { name, files: new Set(), macros: new Map() }
      crate.root = newModule(crate, file, undefined, dirname(file))
      if (file.endsWith('src/lib.rs')) house.crates.set(name, crate)
      house.allCrates.push(crate)
      readRustFile(house, crate.root)
    }
  }
  for (const crate of house.allCrates) {
    for (const modules = [crate.root]; modules.length > 0;) {
      const module = modules.pop()
      modules.push(...module.children.values())
      for (const { path, name, isExport, macro } of module.paths) {
        if (macro) arrow(module.file, crate.macros.get(macro), macro)
        else if (!isExport || module.words.has(name)) {
          const found = resolve(house, module, path)
          if (found?.file) arrow(module.file, found.file, found.name)
        }
      }
      for (const glob of module.globs) {
        const from = resolve(house, module, glob)
        if (!from?.module) continue
        for (const word of module.words.keys()) {
          const found = lookUp(house, from.module, word, true, new Set())
          if (found?.file && !module.bindings.has(word) && !module.items.has(word)) arrow(module.file, found.file, word)
        }
      }
    }
    for (const file of crate.files) house.sources.add(file)
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// TypeScript and Vue

function readPages(house, arrow) {
  const sources = house.files.filter(file => /\.(ts|vue)$/.test(file) && !/\.test\.ts$|\/schema\.ts$/.test(file) && !isAside(file))
  for (const file of sources) {
    const text = house.text(file)
    house.sources.add(file)
    const scripts = file.endsWith('.vue') ? [...text.matchAll(/<script\b[^>]*>([\s\S]*?)<\/script>/g)].map(found => found[1]).join('\n') : text
    const code = scripts.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/[^\n]*/g, '$1')
    const pattern = /(?:^|[;\s])(?:import\s|export\s+(?:type\s*)?(?=[{*]))([^'"`;()=]*?)\bfrom\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/g
    for (const [, names, from, bare] of code.matchAll(pattern)) {
      arrow(file, pageFile(house, file, from ?? bare), ...(names?.match(/\w+/g) ?? []).filter(word => !['type', 'as', 'default'].includes(word)))
    }
  }
}

function pageFile(house, file, from) {
  const base = from.startsWith('@/')
    ? file.replace(/(^|\/)src\/.*$/, `$1src/${from.slice(2)}`)
    : from.startsWith('.') ? posix.join(dirname(file), from) : undefined
  const found = base && ['', '.ts', '.vue', '.d.ts', '/index.ts'].map(end => base + end).find(path => house.has(path))
  return found && /\.(ts|vue)$/.test(found) && !/\/schema\.ts$/.test(found) ? found : undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// The four rules

/// Files that are no part of the house: tests, benches, fuzz targets, examples.
const isAside = file => /(^|\/)(tests|benches|fuzz|e2e|examples|node_modules|target)\//.test(file)

/// Sets of files that reach each other (Tarjan).
function circlesOf(arrows) {
  const state = new Map()
  const stack = []
  const circles = []
  const visit = (file) => {
    const own = { index: state.size, low: state.size, onStack: true }
    state.set(file, own)
    stack.push(file)
    for (const next of arrows.get(file)?.keys() ?? []) {
      const other = state.get(next) ?? visit(next)
      if (other.onStack) own.low = Math.min(own.low, other.low)
    }
    if (own.low === own.index) {
      const circle = stack.splice(stack.indexOf(file))
      for (const one of circle) state.get(one).onStack = false
      if (circle.length > 1) circles.push(circle.sort())
    }
    return own
  }
  for (const file of arrows.keys()) if (!state.has(file)) visit(file)
  return circles
}

/// The floor of a file, 0 on top; `undefined`: on none.
function floorOf(file, floors) {
  let best
  floors.forEach(([name, ...places], index) => {
    for (const place of places) {
      const isIn = place.endsWith('/') ? file.startsWith(place) || file === `${place.slice(0, -1)}.rs` : file === place
      if (isIn && place.length > (best?.length ?? -1)) best = { name, index, length: place.length }
    }
  })
  return best
}

function readHouse(root, files) {
  const known = new Set(files)
  const texts = new Map()
  const text = (file) => {
    if (!texts.has(file)) texts.set(file, readFileSync(join(root, file), 'utf8'))
    return texts.get(file)
  }
  const house = { files, has: file => known.has(file), text, sources: new Set(), crates: new Map(), allCrates: [] }
  const arrows = new Map()
  const arrow = (from, to, ...names) => {
    if (!to || from === to) return
    if (!arrows.has(from)) arrows.set(from, new Map())
    if (!arrows.get(from).has(to)) arrows.get(from).set(to, new Set())
    for (const name of names) arrows.get(from).get(to).add(name)
  }
  readRust(house, arrow)
  readPages(house, arrow)
  return { house, arrows }
}

const listed = names => names.size === 0 ? '' : `: ${[...names].slice(0, 8).join(', ')}${names.size > 8 ? ', ...' : ''}`

/// Judges a tree. Gives the offences as texts, and the figures.
function judge(root, files, floors = FLOORS) {
  const { house, arrows } = readHouse(root, files)
  const offences = []
  const circles = circlesOf(arrows)
  for (const circle of circles) {
    const ties = circle.flatMap(from => [...arrows.get(from)].filter(([to]) => circle.includes(to)).map(([to, names]) => `\n    ${from} -> ${to}${listed(names)}`))
    offences.push(`import circle of ${circle.length} files; move what both sides need into a file below them, or pass it in:${ties.slice(0, TIES_SHOWN).join('')}${ties.length > TIES_SHOWN ? `\n    ... and ${ties.length - TIES_SHOWN} more` : ''}`)
  }
  const folders = new Map()
  for (const file of house.sources) {
    folders.set(dirname(file), (folders.get(dirname(file)) ?? 0) + 1)
    const lines = house.text(file).split('\n').length - 1
    if (lines > LINES_MAX) offences.push(`${file} has ${lines} lines, ${LINES_MAX} are allowed; move one noun of it into a file of its own`)
    const floor = floorOf(file, floors)
    if (!floor) offences.push(`${file} stands on no floor; add its folder to FLOORS in .ci/house.mjs`)
    for (const [to, names] of arrows.get(file) ?? []) {
      const other = floorOf(to, floors)
      if (floor && other && other.index < floor.index) {
        offences.push(`${file} (${floor.name}) imports from a higher floor, ${to} (${other.name})${listed(names)}; move it down, or let the higher floor pass it in`)
      }
    }
  }
  for (const [folder, count] of folders) {
    if (count > FILES_MAX) offences.push(`${folder}/ has ${count} source files, ${FILES_MAX} are allowed; sort them into folders by noun`)
  }
  const count = [...arrows.values()].reduce((sum, targets) => sum + targets.size, 0)
  return { offences, summary: `${house.sources.size} source files in ${folders.size} folders, ${count} arrows, ${circles.length} circles`, arrows }
}

/// Each rule catches its offender in a small tree, names it, and leaves a clean tree alone.
function selfTest() {
  const floors = [['top', 'app/'], ['web', 'lib/src/http/'], ['store', 'lib/'], ['page', 'web/src/'], ['ui', 'web/src/ui/']]
  const clean = {
    'app/Cargo.toml': '[package]\nname = "the-app"\n',
    'app/src/main.rs': 'use lib::{store::AuditRow, Store};\nfn main() { lib::http::serve(Store, AuditRow) }\n',
    'lib/Cargo.toml': '[package]\nname = "lib"\n',
    'lib/src/lib.rs': '//! [`store`]\npub mod store;\npub mod http;\n#[macro_use] mod words;\npub use store::Store;\n',
    'lib/src/words.rs': 'macro_rules! words { ($name:ident) => { pub struct $name; } }\n',
    'lib/src/http/mod.rs': 'mod page;\nuse crate::store::{self, AuditRow};\npub fn serve(_: store::Store, _: AuditRow) { let _ = "{ \\" // "; let _ = \'{\'; }\n',
    'lib/src/http/page.rs': 'pub fn serve() {}\n',
    'lib/src/store/mod.rs': 'mod audit;\nmod db;\npub use self::{audit::AuditRow, db::Store};\n',
    'lib/src/store/db.rs': 'words!(Code);\npub struct Store;\n#[cfg(test)]\nmod tests { use crate::http::serve; fn a<\'a>(_: &\'a str) {} }\n',
    'lib/src/store/audit.rs': 'use super::Store;\n/* /* crate::http::serve */ */\npub struct AuditRow;\nimpl Store {}\n',
    'lib/tests/all.rs': 'use lib::http::serve;\n'.repeat(LINES_MAX + 1),
    'web/src/App.vue': '<script setup lang="ts">\nimport type { A } from \'@/ui/a\'\nimport B from \'./ui/B.vue\'\n</script>\n<template>import x from \'./main\'</template>\n',
    'web/src/main.ts': 'import { createApp } from \'vue\'\nimport App from \'./App.vue\'\n// import x from \'./main\'\n',
    'web/src/start.ts': 'export { type A }\n\nconst from = \'./main\'\n',
    'web/src/ui/a.ts': 'export interface A { a: 1 }\n',
    'web/src/ui/B.vue': '<script setup lang="ts">\nimport {\n  a,\n} from \'./a\'\n</script>\n',
    'web/src/ui/a.test.ts': 'import \'../main\'\n',
  }
  const audit = clean['lib/src/store/audit.rs']
  const cases = {
    'a clean tree': [{}, /^$/],
    'a circle through a re-export': [{ 'lib/src/store/db.rs': 'pub struct Store(super::AuditRow);\n' }, /circle of 2 files.*\n.*audit\.rs -> .*db\.rs: Store\n.*db\.rs -> .*audit\.rs: AuditRow$/],
    'a circle of parent and child': [{ 'lib/src/store/mod.rs': 'mod audit;\npub struct Store(pub AuditRow);\npub use audit::AuditRow;\n' }, /^import circle of 2 files.*\n.*audit\.rs -> .*mod\.rs: Store\n.*mod\.rs -> .*audit\.rs: AuditRow$/],
    'a circle by a path in code': [{ 'lib/src/words.rs': 'macro_rules! words { ($name:ident) => { $crate::store::db::make() } }\n', 'lib/src/store/db.rs': 'words!(Code);\npub struct Store;\n' }, /circle of 2 files.*\n.*store\/db\.rs -> .*words\.rs: words\n.*words\.rs -> .*db\.rs: make$/],
    'a circle through a glob': [{ 'lib/src/store/db.rs': 'use super::audit::*;\npub struct Store(AuditRow);\n' }, /circle of 2 files/],
    'an arrow up between folders': [{ 'lib/src/store/audit.rs': `${audit}use crate::{self as lib, store::{db}, http::page::{serve as run}};\n` }, /^lib\/src\/store\/audit\.rs \(store\) imports from a higher floor, lib\/src\/http\/page\.rs \(web\): serve/],
    'an arrow up in pages': [{ 'web/src/ui/a.ts': 'const load = () => import(\'../start\')\n' }, /^web\/src\/ui\/a\.ts \(ui\) imports from a higher floor, web\/src\/start\.ts/],
    'a circle in pages': [{ 'web/src/ui/a.ts': 'export type { B } from \'./B.vue\'\n' }, /circle of 2 files.*\n.*B\.vue -> .*a\.ts: a\n.*a\.ts -> .*B\.vue: B$/],
    'a full folder': [Object.fromEntries(Array.from({ length: FILES_MAX }, (_, n) => [`web/src/ui/c${n}.ts`, '\n'])), /^web\/src\/ui\/ has 17 source files, 15 are allowed/],
    'a long file': [{ 'lib/src/store/audit.rs': audit + '\n'.repeat(LINES_MAX) }, /^lib\/src\/store\/audit\.rs has 504 lines, 500 are allowed/],
    'a file on no floor': [{ 'other/a.ts': '\n' }, /^other\/a\.ts stands on no floor/],
  }
  for (const [name, [changes, expected]] of Object.entries(cases)) {
    const root = mkdtempSync(join(tmpdir(), 'house-'))
    const tree = { ...clean, ...changes }
    for (const [file, text] of Object.entries(tree)) {
      mkdirSync(dirname(join(root, file)), { recursive: true })
      writeFileSync(join(root, file), text)
    }
    const said = judge(root, Object.keys(tree), floors).offences
    rmSync(root, { recursive: true })
    const isMet = said.length === (name === 'a clean tree' ? 0 : 1) && expected.test(said.join('\n'))
    console.log(`${isMet ? 'ok  ' : 'FAIL'} ${name}${isMet ? '' : `\n${said.join('\n')}\n  expected ${expected}`}`)
    if (!isMet) process.exitCode = 1
  }
}

function main() {
  const tracked = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8', maxBuffer: 1 << 28 })
  const { offences, summary, arrows } = judge(process.cwd(), [...new Set(tracked.split('\0'))].filter(file => file && existsSync(file)))
  if (process.argv.includes('--arrows')) for (const [from, targets] of arrows) for (const [to, names] of targets) console.log(`${from} -> ${to}${listed(names)}`)
  for (const offence of offences) console.error(`house: ${offence}`)
  console.log(`house: ${summary}, ${offences.length} offences`)
  if (offences.length > 0) process.exitCode = 1
}

if (process.argv.includes('--self-test')) selfTest()
else main()
