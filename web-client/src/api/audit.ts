/** The audit: who did what, and what came of it. */
import type { components } from './schema'

type Schema = components['schemas']

export type AuditEntry = Schema['AuditEntry']
export type Outcome = Schema['Outcome']
