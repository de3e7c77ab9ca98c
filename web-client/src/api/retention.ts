/** Disk space of recordings and how long they are retained. */
import type { Schema } from './model'
import { ask, askTagged } from './http'
import { API } from './resource'

export type StorageUse = Schema['StorageView']
export type SchoolUse = Schema['SchoolUseView']
export type RetainedRecording = Schema['RetainedRecordingView']
export type Policy = Schema['RetentionPolicy']
export type Quota = Schema['QuotaView']
export type DiskLevel = Schema['DiskLevel']

const STORAGE = `${API}/storage`

export const readStorage = () => ask<StorageUse>('GET', STORAGE)
export const hold = (id: string, reason: string) => ask<RetainedRecording>('PUT', `${STORAGE}/recordings/${id}/hold`, { reason })
export const release = (id: string) => ask<RetainedRecording>('DELETE', `${STORAGE}/recordings/${id}/hold`, {})
export const remove = (id: string, reason: string) => ask<RetainedRecording>('PUT', `${STORAGE}/recordings/${id}/deletion`, { reason })
export const restore = (id: string) => ask<RetainedRecording>('DELETE', `${STORAGE}/recordings/${id}/deletion`, {})
export const confirmRetention = (reason: string) => ask<unknown>('POST', `${STORAGE}/confirmations`, { reason })

/** The values set at one organisation itself, with the ETag that an edit sends back. */
export const readFigures = <Figures>(what: 'quotas' | 'policies', id: string) => askTagged<Figures>(`${STORAGE}/${what}/${id}`)
export const setFigures = (what: 'quotas' | 'policies', id: string, figures: Quota | Policy, tag: string) =>
  ask<unknown>('PUT', `${STORAGE}/${what}/${id}`, figures, { 'if-match': tag })
