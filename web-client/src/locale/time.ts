/** 上午 9:40 · 9:40 AM */
export function clockTime(ms: number, language: string): string {
  if (language === 'en')
    return new Intl.DateTimeFormat('en', { hour: 'numeric', minute: '2-digit' }).format(ms)
  const date = new Date(ms)
  const half = date.getHours() < 12 ? '上午' : '下午'
  const hour = date.getHours() % 12 === 0 ? 12 : date.getHours() % 12
  return `${half} ${hour}:${twoDigits(date.getMinutes())}`
}

/** 09:40–10:20, for where columns must align. */
export function timeSpan(fromMs: number, toMs: number): string {
  return `${wallTime(fromMs)}–${wallTime(toMs)}`
}

export function wallTime(ms: number): string {
  const date = new Date(ms)
  return `${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}`
}

/** 11月21日 周六 · Sat, 21 Nov */
export function dayName(ms: number, language: string): string {
  if (language === 'en')
    return new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short' }).format(ms)
  const date = new Date(ms)
  return `${date.getMonth() + 1}月${date.getDate()}日 周${'日一二三四五六'.charAt(date.getDay())}`
}

/** 2026-10-21 as a school writes it: 2026 年 10 月 21 日 · 21 October 2026 */
export function dateName(date: string, language: string): string {
  const [year = 0, month = 1, day = 1] = date.split('-').map(Number)
  if (language === 'en')
    return new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric' }).format(new Date(year, month - 1, day))
  return `${year} 年 ${month} 月 ${day} 日`
}

/** Midnight of the day, on this machine's calendar. */
export function dayOf(ms: number): number {
  return new Date(ms).setHours(0, 0, 0, 0)
}

/** 3:07 · 1:03:07 */
export function playTime(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor(seconds / 60) % 60
  const tail = `${hours > 0 ? twoDigits(minutes) : minutes}:${twoDigits(seconds % 60)}`
  return hours > 0 ? `${hours}:${tail}` : tail
}

export function wholeMinutes(ms: number): number {
  return Math.max(0, Math.floor(ms / 60_000))
}

function twoDigits(count: number): string {
  return String(count).padStart(2, '0')
}

/** 11月21日 09:40, with the year if it is not the current one. */
export function dayTime(ms: number, language: string, nowMs: number = Date.now()): string {
  const date = new Date(ms)
  const year = date.getFullYear() === new Date(nowMs).getFullYear() ? '' : language === 'en' ? ` ${date.getFullYear()}` : `${date.getFullYear()}年`
  if (language === 'en')
    return `${new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' }).format(ms)}${year} ${wallTime(ms)}`
  return `${year}${date.getMonth() + 1}月${date.getDate()}日 ${wallTime(ms)}`
}
