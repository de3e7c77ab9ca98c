/** What people call a field of a form. A field that no form shows keeps its name on the wire. */
export const field = {
  field: {
    act: '操作', at_ms: '时间', attendance_days: '考勤和课堂报告的保存天数', basis: '依据', class_ids: '听讲班级', clip_id: '片段', clips: '片段', clips_days: '片段的保存天数', closed: '停用', code: '代码', course: '课程', criteria: '量表',
    date: '日期', days: '天数', delivery: '授课方式', ends_min: '下课时间', first_day: '第一天', from: '起始日期', from_day: '起始日期', from_ms: '起始时间', gigabytes: '容量', grade: '年级', hours: '有效期', item: '准备事项', kind: '机构类型', last_day: '最后一天', licence: '授权方式', listening: '听讲教室',
    marks: '标记', mode: '模式', name: '名称', new: '新密码', organisation: { code: '代码', kind: '机构类型', name: '机构名称' }, organisation_id: '机构', parent_id: '上级机构', period: '节次', periods: '作息', points: '知识点', public_key: '设备钥匙', pupils: '人数', reason: '原因', recording_id: '录像',
    recordings_days: '录像的保存天数', rows: '表格', rubric_id: '量表', rules: '规则', samples_days: '网络质量记录的保存天数', scores: '打分', shares: '分享链接', sign_in_name: '登录名', starts_min: '上课时间', subject: '学科', subjects: '学科', summary: '简介',
    taught_as: '补哪一天的课', text: '内容', title: '课名', to: '新的日期或范围', to_ms: '时间', tracks: '画面和声音', until_day: '截止日期', until_ms: '截止时间', views_max: '打开次数', week: '第几周', weekday: '星期', weekly: '每周节次', weeks: '周次', words: '内容',
  },
}
