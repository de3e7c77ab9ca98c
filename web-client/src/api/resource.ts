/** What all resources of the API share: paged lists, versions, idempotency keys. */
import { ask } from './http'

/** One page of a list. `next`: where the next one begins; `null` or missing: this is the last. */
export interface Listed<Item> {
  items: Item[]
  next?: string | null
}

export type Query = Record<string, string | number | boolean | null | undefined>

export const API = '/api/v1'

/** Stops a cursor that never ends: 20,000 things of one kind are more than a county has. */
const PAGES_MAX = 100
const PAGE_ITEMS = 200

/** `path` with the fields of `query` that are not empty. */
export function withQuery(path: string, query: Query): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '' && value !== false)
      search.set(key, String(value))
  }
  const text = search.toString()
  return text === '' ? path : `${path}?${text}`
}

/** The hub carries out requests with the same key once. */
export const idempotent = (key: string = crypto.randomUUID()) => ({ 'idempotency-key': key })

/** The hub refuses with 412 where the thing has another version by now. */
export const atVersion = (version: number) => ({ 'if-match': `"v${version}"` })

/** One page. */
export const list = <Item>(what: string, query: Query = {}) => ask<Listed<Item>>('GET', withQuery(`${API}/${what}`, query))
/** The items of a list that has one page, or of its first page. */
export const listItems = async <Item>(what: string, query: Query = {}) => (await list<Item>(what, query)).items

/** All pages. */
export async function listAll<Item>(what: string, query: Query = {}): Promise<Item[]> {
  const items: Item[] = []
  let after: string | null | undefined
  for (let page = 0; page < PAGES_MAX; page++) {
    const found: Listed<Item> = await list(what, { ...query, limit: PAGE_ITEMS, after })
    items.push(...found.items)
    after = found.next
    if (after == null)
      break
  }
  return items
}

export const show = <Item>(what: string, id: string) => ask<Item>('GET', `${API}/${what}/${encodeURIComponent(id)}`)

/** A form passes its own key, so that a second press of the button does nothing. */
export const add = <Item>(what: string, item: unknown, key?: string) => ask<Item>('POST', `${API}/${what}`, item, idempotent(key))

export const change = <Item>(what: string, id: string, version: number, item: unknown) =>
  ask<Item>('PATCH', `${API}/${what}/${encodeURIComponent(id)}`, item, atVersion(version))

export const end = (what: string, id: string) => ask<void>('DELETE', `${API}/${what}/${encodeURIComponent(id)}`, {})
