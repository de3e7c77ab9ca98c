import { shallowRef } from 'vue'
import { useI18n } from 'vue-i18n'
import { Refused } from '../api/http'
import { forgetIfSignedOut } from '../api/identity'

/** One action of a person: under way, done, or refused with the hub's own sentence. */
export function useAction() {
  const { t } = useI18n()
  const busy = shallowRef(false)
  const fault = shallowRef('')

  /** Gives whether it was done; `fault` says why not. Does nothing while another one is under way. */
  async function run(action: () => Promise<unknown>): Promise<boolean> {
    if (busy.value)
      return false
    busy.value = true
    fault.value = ''
    try {
      await action()
      return true
    }
    catch (error) {
      forgetIfSignedOut(error)
      fault.value = error instanceof Refused ? error.message : t('fault.unanswered')
      return false
    }
    finally {
      busy.value = false
    }
  }

  return { busy, fault, run }
}
