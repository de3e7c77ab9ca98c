import type { Problem } from '../api/http'
import { expect, it } from 'vitest'
import { createI18n } from 'vue-i18n'
import { en } from '../locale/en'
import { zhCN } from '../locale/zh-CN'
import { goneOf } from './gone'

function told(problem: Problem, language: 'zh-CN' | 'en') {
  const { t } = createI18n({ legacy: false, locale: language, messages: { 'zh-CN': zhCN, en } }).global
  return goneOf(problem, language, (key, named) => t(key, named ?? {}))
}

const deleted: Problem = { type: '/problems/recording-deleted', title: '录像已经删除', status: 410, detail: '…', gone: { rule: 'retention', on: '2026-10-21' } }

it('tells in both languages what was deleted, by which rule and on which day', () => {
  expect(told(deleted, 'zh-CN')).toEqual({ title: '录像已经删除', why: '这节课的录像已按保存期限于 2026 年 10 月 21 日删除，审计里有记录。' })
  expect(told(deleted, 'en')).toEqual({ title: 'This recording was deleted', why: 'The recording of this lesson was deleted on 21 October 2026, when its time was over. The audit has a record of it.' })
  expect(told({ ...deleted, gone: { rule: 'request', on: '2026-10-21' } }, 'en').why).toContain('was asked for')
  expect(told({ ...deleted, gone: { rule: 'request', on: null } }, 'zh-CN').why).toBe('这节课的录像正在删除，不能再看。')
  expect(told({ ...deleted, type: '/problems/report-deleted' }, 'en').why).toContain('Attendance and report of this lesson were deleted on 21 October 2026')
})

it('leaves everything else in the hub’s words', () => {
  const down: Problem = { type: '/problems/taken-down', title: '录像已经下架', status: 410, detail: '下架原因：有姓名。' }
  expect(told(down, 'en')).toEqual({ title: '录像已经下架', why: '下架原因：有姓名。' })
})
