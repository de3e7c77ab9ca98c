import type { Problem } from '../api/problem'
import { computed, shallowRef } from 'vue'
import { problemOf } from '../api/http'
import { forgetIfSignedOut } from '../api/identity'
import { useProblem } from './problem/use-problem'

/** One action of a person: under way, done, or refused. */
export function useAction() {
  const { whyOf } = useProblem()
  const busy = shallowRef(false)
  /** `problem`: why the hub refused; `null`: there was no answer. */
  const failure = shallowRef<{ problem: Problem | null } | null>(null)
  const fault = computed(() => failure.value === null ? '' : whyOf(failure.value.problem))

  function clear(): void {
    failure.value = null
  }

  /** Something else of the page has failed, as reading what the action changes. */
  function fail(error: unknown): void {
    failure.value = { problem: problemOf(error) }
  }

  /** Gives whether it was done; `fault` says why not. Does nothing while another one is under way. */
  async function run(action: () => Promise<unknown>): Promise<boolean> {
    if (busy.value)
      return false
    busy.value = true
    clear()
    try {
      await action()
      return true
    }
    catch (error) {
      forgetIfSignedOut(error)
      fail(error)
      return false
    }
    finally {
      busy.value = false
    }
  }

  return { busy, fault, run, clear, fail }
}
