/** The audit: who did what, and what came of it. */
import type { Schema } from './model'

export type AuditEntry = Schema['AuditEntry']
export type Outcome = Schema['Outcome']
