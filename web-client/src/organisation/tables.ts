import type { Me, RoleName } from '../api/model'
import type { Imported, Sheet } from '../api/organisation'
import { holds } from '../console/navigation'

/** The tables, and who may import and export them. The hub checks again. */
export const sheets: readonly { what: Sheet, takesIn: readonly RoleName[], takesOut: readonly RoleName[] | null }[] = [
  { what: 'organisations', takesIn: ['system_administrator'], takesOut: null },
  { what: 'classrooms', takesIn: ['system_administrator', 'school_administrator'], takesOut: null },
  { what: 'classes', takesIn: ['system_administrator', 'school_administrator'], takesOut: null },
  { what: 'people', takesIn: ['system_administrator', 'school_administrator'], takesOut: ['system_administrator', 'security_administrator', 'school_administrator', 'scheduler'] },
]

const mayTakeOut = (me: Me, takesOut: readonly RoleName[] | null) => takesOut === null || holds(me, ...takesOut)

/** Tables that this person may import or export. */
export const sheetsOf = (me: Me): Sheet[] => sheets.filter(sheet => holds(me, ...sheet.takesIn) || mayTakeOut(me, sheet.takesOut)).map(sheet => sheet.what)

export function may(me: Me, what: Sheet): { takeIn: boolean, takeOut: boolean } {
  const sheet = sheets.find(sheet => sheet.what === what)
  return { takeIn: sheet !== undefined && holds(me, ...sheet.takesIn), takeOut: sheet !== undefined && mayTakeOut(me, sheet.takesOut) }
}

const XLSX = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'

/** By the file name, because Windows gives CSV the media type of its application. `null`: not a table. */
export function mediaType(fileName: string): 'text/csv' | typeof XLSX | null {
  const name = fileName.toLowerCase()
  return name.endsWith('.csv') ? 'text/csv' : name.endsWith('.xlsx') ? XLSX : null
}

/** Steps of an import. */
export type Taking
  = | { kind: 'nothing' }
    | { kind: 'looking', file: File }
    | { kind: 'looked', file: File, report: Imported }
    | { kind: 'taking', file: File, report: Imported }
    | { kind: 'taken', report: Imported }

/** Result of a dry run: bad lines, nothing to do, or something to import. */
export function verdict(report: Imported): 'bad' | 'same' | 'good' {
  if (report.faults.length > 0)
    return 'bad'
  return report.added + report.changed === 0 ? 'same' : 'good'
}
