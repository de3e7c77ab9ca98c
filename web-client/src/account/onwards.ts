/**
 * The page to open after signing in: `?to=` if it is one of this application's pages, else the first page.
 *
 * Browsers treat `\` as `/` and drop tabs and line ends before they parse a URL, so a path that looks local
 * may lead to another origin. Anything that is not plainly a path of the router is not followed.
 *
 * @param routes Paths of the router, as `/replay/:recordingId`.
 */
export function onwards(to: unknown, routes: readonly string[]): string {
  if (typeof to !== 'string' || !/^\/(?!\/)[\w\-/?=&%.#:]*$/.test(to))
    return '/'
  const first = (path: string) => path.split(/[/?#]/)[1] ?? ''
  return routes.some(route => !route.startsWith('/:') && first(route) === first(to)) ? to : '/'
}
