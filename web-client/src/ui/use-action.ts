import { shallowRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { Refused } from '../api/http'
import { forget } from '../api/identity'

/** One thing that a person does: under way, done, or refused with the hub's own sentence. */
export function useDeed() {
  const { t } = useI18n()
  const busy = shallowRef(false)
  const fault = shallowRef('')

  /** Answers whether it was done. What it was refused with stands in `fault`. */
  async function run(deed: () => Promise<unknown>): Promise<boolean> {
    if (busy.value)
      return false
    busy.value = true
    fault.value = ''
    try {
      await deed()
      return true
    }
    catch (error) {
      if (error instanceof Refused && error.problem.type.endsWith('/signed-out'))
        forget()
      fault.value = error instanceof Refused ? error.message : t('fault.unanswered')
      return false
    }
    finally {
      busy.value = false
    }
  }

  return { busy, fault, run }
}
