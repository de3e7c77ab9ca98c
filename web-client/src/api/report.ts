/** Reports of lessons: attendance, quality, verdicts. */
import type { Schema } from './model'
import { ask } from './http'
import { API } from './resource'

export type LessonReport = Schema['LessonReportView']
export type EndReport = Schema['EndReportView']
export type LessonQuality = Schema['LessonQuality']
export type QualitySeries = Schema['QualitySeries']
export type ReportRow = Schema['ReportLine']
export type Formula = Schema['Formula']

const lesson = (lessonId: string) => `${API}/lessons/${encodeURIComponent(lessonId)}`

export const readReport = (lessonId: string) => ask<LessonReport>('GET', `${lesson(lessonId)}/report`)
/** How well each end received the lesson, in windows of five seconds. */
export const readQuality = (lessonId: string) => ask<LessonQuality>('GET', `${lesson(lessonId)}/quality`)
