/** Words of the reports. */
export const report = {
  report: {
    title: '报告', lesson: '课堂报告', back: '回到报告', how: '怎么算出来的', formulaVersion: '（{name}，第 {version} 版）',
    verdict: { valid: '有效授课', short: '无效授课', cancelled: '因故停课', missed: '无故停课', unjudged: '未判定' },
    state: { present: '出勤', late: '迟到', left_early: '早退', late_and_left_early: '迟到并早退', absent: '未到', unknown: '没有采集' },
    cause: { hidden: '页面被遮住', silent: '没有打开声音', black: '没有画面', line: '线路中断', hub: '平台重启', teacher: '老师没有发送' },
    heldOf: '{held}，门槛 {needed}', needed: '门槛 {needed}', rule: '规则 {rule} 第 {version} 版 · 指标第 {figures} 版',
    attendance: '出勤', teaches: '{school} · 主讲', reason: '原因：{reason}',
    words: {
      unknown: '这节课没有采集到数据。', absent: '应到，从未真正看到这节课。', present: '在课 {length}',
      came: '{time} 到（开课后 {after}）', left: '{time} 离开（下课前 {before}）', interrupted: '中断 {count} 次',
    },
    hole: '{from} 起 {length}：{cause}', interruptions: '每一次中断',
    absentees: '{count} 个教室未到：{names}', others: '另有 {count} 个教室不在您的辖区，这里不列出。',
    heads: '{pupils} 人', headsBy: '{name} 清点', headsByDevice: '教室电脑上报', noHeads: '没有报人数',
    soFar: '课还没有结束，或者刚刚下课。这是到目前为止的情况，会自己更新。',
    sealed: '{time} 结算并存档，摘要 {sha}… 已记入审计，指标第 {version} 版。改动任何一行都会被查出来。',
    quality: {
      title: '质量', hint: '每格前面是全课的中位数，后面是最差的 5 秒。点名称看曲线。', none: '没有采集到曲线。', deleted: '每 5 秒一次的质量记录已按保存期限于 {day} 删除，曲线不能再看；上面的统计没有变。',
      end: '教室', loss: '丢包', rtt: '往返（毫秒）', jitter: '抖动（毫秒）', mos: '语音得分', concealed: '补音', fps: '每秒画面', height: '画面高度', frozen: '卡顿（次、占比）', paused: '画面让路',
    },
    chart: {
      title: '{name}', loss: '线路（%）', voice: '语音得分', picture: '画面', pageLoss: '丢包（页面）', hubLoss: '丢包（平台）', concealed: '补音', mos: 'MOS', fps: '每秒画面', height: '画面高度（右）',
      aria: '{name} 的丢包、语音得分和画面随时间的变化',
    },
    list: {
      when: '时间', lesson: '课', teacher: '主讲', verdict: '输出端判定', listening: '接收端判定', classrooms: '教室', valid: '有效教室', pupils: '学生', present: '到 {present}/{all}', late: '迟到 {count}', leftEarly: '早退 {count}',
      absent: '未到：{names}', csv: '导出 CSV', xlsx: '导出 XLSX',
      emptyTitle: '这段时间没有报告', empty: '课上完以后，报告会自己出现在这里，不用填表。可以换一个日期范围再看。',
    },
    open: '看报告',
  },
}
