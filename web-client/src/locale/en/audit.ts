import type { audit as words } from '../zh-CN/audit'

/** Words of the audit. */
export const audit: typeof words = {
  audit: {
    title: 'Audit', time: 'When', actor: 'Who', act: 'Did what', object: 'To what', outcome: 'Outcome', detail: 'Note', address: 'From', chain: 'Chain',
    done: 'Done', refused: 'Refused', any: 'All', from: 'From', until: 'Until', actorHint: 'person:… or system', actHint: 'e.g. sign_in', objectHint: 'e.g. lesson:…',
    export: 'Export CSV', emptyTitle: 'Nothing recorded under these filters', empty: 'Choose another time, or clear the filters.', beside: 'beside {name}',
    head: 'Head of the chain: line {seq}, {sha}', headHint: 'Each line holds the digest of the one before. Write the head down elsewhere; tongke verify audit on the server then tells whether, and from which line, anything was touched.',
    who: { system: 'System', guest: 'Not signed in', publisher: 'Encoder', person: 'Person', classroom: 'Classroom' },
  },
}
