import type { Because, Problem } from '../../api/problem'
import type { ProblemWords } from './words'
import { useI18n } from 'vue-i18n'
import { problemWords, reasonWords } from './words'

/** What the hub refused, in the words of the page. Called where a page draws, it follows the language. */
export function useProblem() {
  const { t, locale } = useI18n()

  const wordsOf = (problem: Problem): ProblemWords => problemWords(problem, t, locale.value)

  /** What is wrong and what to do. `null`: there was no answer, and the page says so. */
  function whyOf(problem: Problem | null, unanswered: 'fault.unanswered' | 'fault.unreachable' = 'fault.unanswered'): string {
    return problem === null ? t(unanswered) : wordsOf(problem).why
  }

  /** Why a cell or a lesson of a plan is refused: a part of a sentence. */
  const reasonOf = (because: Because): string => reasonWords(because, t, locale.value)

  return { wordsOf, whyOf, reasonOf }
}
