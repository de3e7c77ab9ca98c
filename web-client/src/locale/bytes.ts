/** 870 MB · 2.4 GB · 31 TB: two significant digits. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let unit = 0
  let size = count
  while (size >= 1_000 && unit < units.length - 1) {
    size /= 1_000
    unit++
  }
  const shown = size < 10 && unit > 2 ? size.toFixed(1) : String(Math.round(size))
  return `${shown} ${units[unit] ?? ''}`
}
