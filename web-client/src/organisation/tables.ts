import type { Imported, Sheet } from '../api/organisation'
import type { Me, RoleName } from '../api/model'
import { holds } from '../console/navigation'

/** What tables there are, and who may take them in and out. The hub decides again. */
export const sheets: readonly { what: Sheet, takesIn: readonly RoleName[], takesOut: readonly RoleName[] | null }[] = [
  { what: 'organisations', takesIn: ['system_administrator'], takesOut: null },
  { what: 'classrooms', takesIn: ['system_administrator', 'school_administrator'], takesOut: null },
  { what: 'classes', takesIn: ['system_administrator', 'school_administrator'], takesOut: null },
  { what: 'people', takesIn: ['system_administrator', 'school_administrator'], takesOut: ['system_administrator', 'security_administrator', 'school_administrator', 'scheduler'] },
]

const mayTakeOut = (me: Me, takesOut: readonly RoleName[] | null) => takesOut === null || holds(me, ...takesOut)

/** Tables of which this person may do at least one of the two. */
export const sheetsOf = (me: Me): Sheet[] => sheets.filter(sheet => holds(me, ...sheet.takesIn) || mayTakeOut(me, sheet.takesOut)).map(sheet => sheet.what)

export function may(me: Me, what: Sheet): { takeIn: boolean, takeOut: boolean } {
  const sheet = sheets.find(sheet => sheet.what === what)
  return { takeIn: sheet !== undefined && holds(me, ...sheet.takesIn), takeOut: sheet !== undefined && mayTakeOut(me, sheet.takesOut) }
}

const XLSX = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'

/** Windows gives CSV the media type of whatever opens it, so the name tells. `null`: it is no table. */
export function mediaType(fileName: string): 'text/csv' | typeof XLSX | null {
  const name = fileName.toLowerCase()
  return name.endsWith('.csv') ? 'text/csv' : name.endsWith('.xlsx') ? XLSX : null
}

/** Where a file stands between being chosen and being taken in. */
export type Taking
  = | { kind: 'nothing' }
    | { kind: 'looking', file: File }
    | { kind: 'looked', file: File, report: Imported }
    | { kind: 'taking', file: File, report: Imported }
    | { kind: 'taken', report: Imported }

/** What a look at a file found: bad lines, nothing to do, or something to take in. */
export function verdict(report: Imported): 'bad' | 'same' | 'good' {
  if (report.faults.length > 0)
    return 'bad'
  return report.added + report.changed === 0 ? 'same' : 'good'
}
