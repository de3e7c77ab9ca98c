export type PeriodKind = 'early_study' | 'lesson' | 'long_break' | 'eye_exercises' | 'evening_study'

const KINDS: readonly PeriodKind[] = ['early_study', 'lesson', 'long_break', 'eye_exercises', 'evening_study']

/** `lesson-3`, as the hub writes it. */
export function readPeriod(period: string): { kind: PeriodKind, number: number } {
  const [word = '', number = '1'] = period.split('-')
  return { kind: KINDS.find(kind => kind === word) ?? 'lesson', number: Number(number) || 1 }
}

/** 第3节 · Period 3 */
export function periodName(period: string, t: (key: string, named: Record<string, unknown>, plural: number) => string): string {
  const { kind, number } = readPeriod(period)
  return t(`timetable.period.${kind}`, { number }, number)
}
