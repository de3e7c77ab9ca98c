/**
 * A page of our own, as `?to=` of the sign-in page names it, or the first page where it names none.
 *
 * A browser takes `\` for `/`, and drops tabs and line ends before it reads an address, so a path that looks like ours
 * may lead out of the house. What is not plainly a path to one of our pages is not followed.
 *
 * @param routes Paths of the router, as `/replay/:recordingId`.
 */
export function onwards(to: unknown, routes: readonly string[]): string {
  if (typeof to !== 'string' || !/^\/(?!\/)[\w\-/?=&%.#:]*$/.test(to))
    return '/'
  const first = (path: string) => path.split(/[/?#]/)[1] ?? ''
  return routes.some(route => !route.startsWith('/:') && first(route) === first(to)) ? to : '/'
}
