import type { Problem } from './http'
import type * as Wire from './timetable-model'
import type { Day } from '../calendar/days'
import { readProblem, Refused, Unreachable } from './http'

/** A plan of a whole term takes seconds; everything else answers at once. */
const ANSWER_WITHIN_MS = 60_000
/** Stops a cursor that never ends: 20,000 things of one kind are more than a county has. */
const PAGES_MAX = 100

async function send<Answer>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  let response: Response
  try {
    response = await fetch(`/api/v1/${path}`, {
      method,
      headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    })
  }
  catch (cause) {
    throw new Unreachable('no answer', { cause })
  }
  if (!response.ok)
    throw new Refused(await readProblem(response))
  return response.status === 204 ? undefined as Answer : await response.json() as Answer
}

/** Sent twice, done once. */
const create = <Answer>(path: string, body: unknown) => send<Answer>('POST', path, body, { 'idempotency-key': crypto.randomUUID() })

function query(fields: Record<string, string | number | undefined>): string {
  const filled = Object.entries(fields).filter(([, value]) => value !== undefined && value !== '')
  return new URLSearchParams(filled.map(([name, value]) => [name, String(value)])).toString()
}

async function all<Item>(path: string, fields: Record<string, string | number | undefined>): Promise<Item[]> {
  const items: Item[] = []
  let after: string | undefined
  for (let page = 0; page < PAGES_MAX; page++) {
    const answer: Wire.Listed<Item> = await send('GET', `${path}?${query({ ...fields, limit: 200, after })}`)
    items.push(...answer.items)
    if (answer.next === null)
      break
    after = answer.next
  }
  return items
}

const items = async <Item>(path: string) => (await send<Wire.Listed<Item>>('GET', path)).items

export const readTerms = () => items<Wire.Term>('terms')
export const readYears = () => items<Wire.SchoolYear>('school-years')
export const addYear = (year: Wire.NewSchoolYear) => create<Wire.SchoolYear>('school-years', year)
export const addTerm = (term: Wire.NewTerm) => create<Wire.Term>('terms', term)
export const planTerm = (termId: string, organisation_id: string, dry_run: boolean) =>
  send<Wire.TermPlan>('POST', `terms/${termId}/lessons`, { organisation_id, dry_run })

export const readSpecialDays = (from: Day, until: Day) => items<Wire.SpecialDay>(`holidays?${query({ from, until })}`)
export const setSpecialDay = (day: Wire.SpecialDay) => send<Wire.SpecialDay>('PUT', 'holidays', day)
export const clearSpecialDay = (organisation_id: string, date: Day) => send<void>('DELETE', `holidays?${query({ organisation_id, date })}`)

export const readSchedules = () => items<Wire.BellSchedule>('bell-schedules')
export const addSchedule = (schedule: Wire.NewBellSchedule) => create<Wire.BellSchedule>('bell-schedules', schedule)
export const removeSchedule = (id: string) => send<void>('DELETE', `bell-schedules/${id}`)

export const readGrid = (term: string, week: number, by: Wire.GridBy, id: string) => send<Wire.Grid>('GET', `week-grid?${query({ term, week, by, id })}`)
export const readDay = (term: string, date: Day, by: Wire.GridBy, id: string) => send<Wire.Grid>('GET', `week-grid?${query({ term, date, by, id })}`)
export const readSchoolWeeks = (term: string, week: number, organisation_id: string) => send<Wire.SchoolWeeks>('GET', `week-grid/schools?${query({ term, week, organisation_id })}`)
export const readLessonDetail = (lessonId: string) => send<Wire.LessonDetail>('GET', `lessons/${lessonId}`)
export const readTransitions = (lessonId: string) => items<Wire.Transition>(`lessons/${lessonId}/transitions`)

/** `version`: of the lesson as it was seen; the hub refuses where somebody else changed it since. */
export const dispatch = (act: Wire.Deed, dry_run: boolean, version?: number) =>
  send<Wire.Dispatched>('POST', 'dispatch/acts', { act, dry_run }, version === undefined ? {} : { 'if-match': `"v${version}"` })
export const scheduleLesson = (lesson: Wire.NewLesson, dry_run: boolean) =>
  dry_run ? send<Wire.Dispatched>('POST', 'dispatch/lessons', { ...lesson, dry_run }) : create<Wire.Dispatched>('dispatch/lessons', { ...lesson, dry_run })

export const readCourses = (term_id: string) => all<Wire.Course>('courses', { term_id })
export const addCourse = (course: Wire.NewCourse) => create<Wire.Course>('courses', course)
export const readPairings = (term_id: string) => all<Wire.Pairing>('pairings', { term_id })
export const addPairing = (pairing: Wire.NewPairing) => create<Wire.Pairing>('pairings', pairing)
export const changePairing = (id: string, act: Wire.StandingAct) => send<Wire.Pairing>('POST', `pairings/${id}/standing`, { act })
export const readRights = (term_id: string) => all<Wire.ListeningRight>('listening-rights', { term_id })
export const addRight = (right: Wire.NewListeningRight) => create<Wire.ListeningRight>('listening-rights', right)
export const changeRight = (id: string, act: Wire.StandingAct) => send<Wire.ListeningRight>('POST', `listening-rights/${id}/standing`, { act })

export const findOrganisations = (text: string) => items<Wire.Organisation>(`organisations?${query({ text, limit: 50 })}`)
export const readOrganisation = (id: string) => send<Wire.Organisation>('GET', `organisations/${id}`)
export const readClasses = (organisation_id: string) => all<Wire.SchoolClass>('classes', { organisation_id })
export const findClasses = (text: string) => items<Wire.SchoolClass>(`classes?${query({ text, limit: 50 })}`)
export const readClass = (id: string) => send<Wire.SchoolClass>('GET', `classes/${id}`)
export const readClassrooms = (organisation_id: string) => all<Wire.Classroom>('classrooms', { organisation_id })
export const findClassrooms = (text: string) => items<Wire.Classroom>(`classrooms?${query({ text, limit: 50 })}`)
export const readClassroom = (id: string) => send<Wire.Classroom>('GET', `classrooms/${id}`)
export const readPeople = (organisation_id: string) => all<Wire.Person>('people', { organisation_id })
export const findPeople = (text: string) => items<Wire.Person>(`people?${query({ text, limit: 50 })}`)
export const readPerson = (id: string) => send<Wire.Person>('GET', `people/${id}`)

/** The clashes that a refusal names; none where it was refused for another reason. */
export function clashesOf(error: unknown): Wire.Clash[] {
  return error instanceof Refused ? (error.problem as Problem & { clashes?: Wire.Clash[] }).clashes ?? [] : []
}
