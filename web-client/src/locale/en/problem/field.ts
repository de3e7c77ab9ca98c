import type { field as words } from '../../zh-CN/problem/field'

/** What people call a field of a form. A field that no form shows keeps its name on the wire. */
export const field: typeof words = {
  field: {
    act: 'Action', at_ms: 'Time', attendance_days: 'Attendance and reports (days)', basis: 'Ground', class_ids: 'Listening classes', clip_id: 'Clip', clips: 'Clips', clips_days: 'Clips (days)', closed: 'Closed', code: 'Code', course: 'Course', criteria: 'Rubric',
    date: 'Date', days: 'Days', delivery: 'How it is taught', ends_min: 'Ends', first_day: 'First day', from: 'From', from_day: 'From', from_ms: 'From', gigabytes: 'Size', grade: 'Grade', hours: 'For how long', item: 'Preparation', kind: 'Kind', last_day: 'Last day', licence: 'Licence', listening: 'Listening classrooms',
    marks: 'Marks', mode: 'Mode', name: 'Name', new: 'New password', organisation: { code: 'Code', kind: 'Kind', name: 'Name of the organisation' }, organisation_id: 'Organisation', parent_id: 'Belongs to', period: 'Period', periods: 'Bells', points: 'Knowledge points', public_key: 'Device key', pupils: 'Pupils', reason: 'Reason', recording_id: 'Recording',
    recordings_days: 'Recordings (days)', rows: 'Table', rubric_id: 'Rubric', rules: 'Rules', samples_days: 'Line quality (days)', scores: 'Scores', shares: 'Links', sign_in_name: 'Sign-in name', starts_min: 'Begins', subject: 'Subject', subjects: 'Subjects', summary: 'Summary',
    taught_as: 'With the lessons of', text: 'Text', title: 'Title', to: 'New date or range', to_ms: 'Time', tracks: 'Pictures and voice', until_day: 'Until', until_ms: 'Until', views_max: 'How often at most', week: 'Week', weekday: 'Weekday', weekly: 'Each week', weeks: 'Weeks', words: 'Text',
  },
}
