/** Why the hub refuses something (RFC 9457). People read neither `title` nor `detail`: a page makes its words of `type` and what stands beside it. */
import type { Schema } from './model'

export interface Problem {
  /** `/problems/not-found`; `about:blank` where the answer is not the hub's. */
  type: string
  /** English, like `detail`: for logs and programs. */
  title: string
  status: number
  detail: string
  /** What belongs to its type: see {@link KnownProblem}. */
  [param: string]: unknown
}

/** Why a field, a cell or a lesson of a plan is refused: a code, and what belongs to it. */
export interface Because {
  reason: string
  [param: string]: unknown
}

/** The last part of its type: `not-found`. */
export const kindOf = (problem: Problem): string => problem.type.slice(problem.type.lastIndexOf('/') + 1)

/** Every type of problem with its parameters, as the features of the hub list them. */
export type KnownProblem = Schema['CommonProblem']
  | Schema['AccountProblem']
  | Schema['LessonProblem']
  | Schema['LibraryProblem']
  | Schema['RetentionProblem']
  | Schema['DispatchProblem']
  | Schema['TimetableProblem']
  | Schema['OrganisationProblem']
export type ProblemType = KnownProblem['type']

/** What stands beside `invalid`, in a cell of an import, and in a lesson that a plan leaves out. */
export type KnownReason = Schema['BadName']
  | Schema['BadSignInName']
  | Schema['WeakPassword']
  | Schema['AccountReason']
  | Schema['AuditReason']
  | Schema['BadCode']
  | Schema['BadPlace']
  | Schema['CellReason']
  | Schema['OrganisationReason']
  | Schema['LessonReason']
  | Schema['NotPlayable']
  | Schema['LibraryReason']
  | Schema['RubricError']
  | Schema['RetentionReason']
  | Schema['NoPolicy']
  | Schema['ReportReason']
  | Schema['TimetableReason']
  | Schema['CalendarError']
  | Schema['BellScheduleError']
  | Schema['TooMuch']
  | Schema['CourseError']
  | Schema['Unresolved']
  | Schema['DispatchReason']
export type ReasonCode = KnownReason['reason']
