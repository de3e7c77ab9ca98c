/** What recordings take and how long they stay, as the hub tells it. */
import type { components } from '../api/schema'
import { ask } from '../api/http'

type Schema = components['schemas']

export type Storage = Schema['StorageView']
export type SchoolUse = Schema['SchoolUseView']
export type Kept = Schema['KeptRecordingView']
export type Policy = Schema['RetentionPolicy']
export type Quota = Schema['QuotaView']

export type DiskLevel = Schema['DiskLevel']

const API = '/api/v1/storage'

export const readStorage = () => ask<Storage>('GET', API)
export const hold = (id: string, reason: string) => ask<Kept>('PUT', `${API}/recordings/${id}/hold`, { reason })
export const release = (id: string) => ask<Kept>('DELETE', `${API}/recordings/${id}/hold`, {})
export const remove = (id: string, reason: string) => ask<Kept>('PUT', `${API}/recordings/${id}/deletion`, { reason })
export const restore = (id: string) => ask<Kept>('DELETE', `${API}/recordings/${id}/deletion`, {})
export const confirmRetention = (reason: string) => ask<unknown>('POST', `${API}/confirmations`, { reason })

/** What stands at one organisation, with the tag that an edit has to bring along. */
export async function readFigures<Figures>(what: 'quotas' | 'policies', id: string): Promise<{ figures: Figures, tag: string }> {
  const response = await fetch(`${API}/${what}/${id}`)
  if (!response.ok)
    throw new Error(response.statusText)
  return { figures: await response.json() as Figures, tag: response.headers.get('etag') ?? '"v0"' }
}

export const setFigures = (what: 'quotas' | 'policies', id: string, figures: Quota | Policy, tag: string) =>
  ask<unknown>('PUT', `${API}/${what}/${id}`, figures, { 'if-match': tag })

export interface Span { unit: 'seconds' | 'minutes' | 'hours' | 'daysLong', count: number }

/** A span in the one unit that says enough. */
export function span(ms: number): Span {
  const seconds = Math.max(0, Math.round(Math.abs(ms) / 1_000))
  if (seconds < 60)
    return { unit: 'seconds', count: seconds }
  if (seconds < 3_600)
    return { unit: 'minutes', count: Math.round(seconds / 60) }
  if (seconds < 172_800)
    return { unit: 'hours', count: Math.round(seconds / 3_600) }
  return { unit: 'daysLong', count: Math.round(seconds / 86_400) }
}

/** All is kept, something will be or is left out, hardly anything is kept. */
export function diskShape(level: DiskLevel): string {
  switch (level) {
    case 'fine': return '●'
    case 'low':
    case 'tight': return '▲'
    case 'lean':
    case 'paused': return '■'
  }
}

/** How long a school's bar is, 0 to 1: of its limit where it has one, else of the school that takes most. */
export function share(school: Pick<SchoolUse, 'fill_per_mille' | 'used_bytes'>, most: number): number {
  const of = school.fill_per_mille ?? (most > 0 ? school.used_bytes / most * 1_000 : 0)
  return Math.min(1, Math.max(0, of / 1_000))
}

/** Whole days until then, 0: today. */
export function daysUntil(ms: number, nowMs: number): number {
  return Math.max(0, Math.floor((ms - nowMs) / 86_400_000))
}
