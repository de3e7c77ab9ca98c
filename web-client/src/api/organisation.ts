/** Organisations, classrooms, classes and devices. */
import type { Schema } from './model'
import { ask, sendFile } from './http'
import { API, listAll, listItems, show, withQuery } from './resource'

export type OrganisationKind = Schema['OrganisationKind']
/** 学段: what age a class is of. */
export type Stage = Schema['Stage']
export type Organisation = Schema['StoredOrganisation']
export type Classroom = Schema['StoredClassroom']
export type SchoolClass = Schema['StoredClass']
export type Device = Schema['StoredDevice']
export type CodeInUse = Schema['CodeInUse']
export type ShownCode = Schema['ShownCode']
export type StageConsent = Schema['StageConsentView']
export type Imported = Schema['Imported']
export type ImportFault = Schema['Fault']
export type Sheet = 'organisations' | 'classrooms' | 'classes' | 'people'

/** A search by name shows no more. */
const FOUND_MAX = 50

/** The grades of the stages that count in years: the school's own words, in either language of the page. */
export const GRADES: Readonly<Partial<Record<Stage, readonly string[]>>> = {
  primary: ['一年级', '二年级', '三年级', '四年级', '五年级', '六年级'],
  junior: ['七年级', '八年级', '九年级'],
  senior: ['高一', '高二', '高三'],
}

export const findOrganisations = (text: string) => listItems<Organisation>('organisations', { text, limit: FOUND_MAX })
export const readOrganisation = (id: string) => show<Organisation>('organisations', id)
export const readClasses = (organisation_id: string) => listAll<SchoolClass>('classes', { organisation_id })
export const findClasses = (text: string) => listItems<SchoolClass>('classes', { text, limit: FOUND_MAX })
export const readClass = (id: string) => show<SchoolClass>('classes', id)
export const readClassrooms = (organisation_id: string) => listAll<Classroom>('classrooms', { organisation_id })
export const findClassrooms = (text: string) => listItems<Classroom>('classrooms', { text, limit: FOUND_MAX })
export const readClassroom = (id: string) => show<Classroom>('classrooms', id)

/** Whether a school's classes are recorded while they are on stage. */
export const readStageConsent = (organisationId: string) => ask<StageConsent>('GET', `${API}/organisations/${encodeURIComponent(organisationId)}/stage-consent`)
/** Holds from the school's next lesson on. `basis`: needed where they are recorded. */
export const setStageConsent = (organisationId: string, record: boolean, basis: string | null) =>
  ask<StageConsent>('PUT', `${API}/organisations/${encodeURIComponent(organisationId)}/stage-consent`, { record_on_stage: record, basis })

/** Imports a table, all of it or nothing. A dry run only says what would be done, and names every bad line. */
export const importTable = (what: Sheet, file: Blob, mediaType: string, dryRun: boolean) =>
  sendFile<Imported>(withQuery(`${API}/imports/${what}`, { dry_run: dryRun }), file, mediaType)

export const beginEnrolment = (publicKey: string) => ask<ShownCode>('POST', `${API}/enrolments`, { algorithm: 'p256', public_key: publicKey })
export const readEnrolment = (id: string) => ask<{ device_id?: string | null }>('GET', `${API}/enrolments/${encodeURIComponent(id)}`)
