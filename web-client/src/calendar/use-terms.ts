import type { Organisation } from '../api/organisation'
import type { BellSchedule, SpecialDay, Term } from '../api/timetable'
import type { Loading } from '../ui/loading'
import { computed, shallowRef } from 'vue'
import { readOrganisation } from '../api/organisation'
import { readSchedules, readSpecialDays, readTerms } from '../api/timetable'
import { learn } from '../console/names'
import { failureOf } from '../ui/loading'
import { schoolDay, termFor } from './days'

const lineages = new Map<string, Promise<Organisation[]>>()

/** The organisation and its ancestors, nearest first, as far as the person may see them. */
export function lineageOf(id: string): Promise<Organisation[]> {
  const known = lineages.get(id) ?? climb(id)
  lineages.set(id, known)
  known.catch(() => lineages.delete(id))
  return known
}

async function climb(id: string): Promise<Organisation[]> {
  const chain: Organisation[] = []
  for (let next: string | null = id; next !== null && chain.length < 8;) {
    const here: Organisation | null = await readOrganisation(next).catch((error: unknown) => {
      if (chain.length === 0)
        throw error
      return null
    })
    if (here === null)
      break
    chain.push(here)
    learn(here.organisation_id, { name: here.name, school: '', organisationId: here.organisation_id })
    next = here.parent_id
  }
  return chain
}

/** The terms with their bells and special days; one of them is chosen by its id, else that of today. */
export function useTerms(chosen: () => string | undefined) {
  const terms = shallowRef<Term[]>([])
  const schedules = shallowRef<BellSchedule[]>([])
  const days = shallowRef<SpecialDay[]>([])
  const loading = shallowRef<Loading>({ kind: 'loading' })
  const term = computed(() => terms.value.find(one => one.term_id === chosen()) ?? termFor(terms.value, schoolDay(Date.now())))
  let daysOf = ''

  async function load(): Promise<void> {
    try {
      const [allTerms, bells] = await Promise.all([readTerms(), readSchedules()])
      terms.value = allTerms
      schedules.value = bells
      await loadDays(true)
      loading.value = { kind: 'here' }
    }
    catch (error) {
      loading.value = failureOf(error)
    }
  }

  async function loadDays(again = false): Promise<void> {
    const of = term.value
    if (of === undefined || (daysOf === of.term_id && !again))
      return
    daysOf = of.term_id
    days.value = await readSpecialDays(of.first_day, of.last_day)
  }

  return { terms, term, schedules, days, loading, load, loadDays }
}
