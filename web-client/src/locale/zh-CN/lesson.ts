/** Words of the lists of lessons and of today. */
export const lesson = {
  lessons: {
    title: '课程',
    today: '今天', tomorrow: '明天', yesterday: '昨天',
    state: { scheduled: '未开始', open: '可以进入', live: '正在上课', ended: '已下课', cancelled: '已停课', missed: '没有开成', archived: '已归档' },
    recording: { recording: '录制中', sealed: '有回放' },
    teach: '开始上课', teachAgain: '回到课堂', prepare: '去备课', attend: '进入课堂', watch: '旁听', replay: '看回放',
    classrooms: '{count} 个教室',
    emptyTitle: '还没有课',
    empty: {
      lead_teacher: '课表里还没有您的课。排好课以后，这里会自己出现，不用刷新。',
      classroom: '今天没有给这个教室排课。到了上课时间，本页会自己打开课堂。',
      bureau_officer: '辖区里还没有排课。学校排好课以后，这里会自己出现。',
    },
    columns: { time: '时间', lesson: '课', teacher: '主讲教师', classrooms: '教室', state: '状态', action: '操作' },
  },
  today: {
    title: '今日', counts: '共 {all} 节 · 还没上 {to_come} · 已下课 {ended} · 停课 {cancelled} · 没开成 {missed}',
    disk: {
      low: '服务器存录像的磁盘快满了，请管理员腾出空间。', tight: '服务器磁盘快满了：上台班级的画面和声音暂时不录，摄像头只录小画面，请管理员尽快腾出空间。',
      lean: '服务器磁盘快满了：只录声音和板书，请管理员马上腾出空间。', paused: '服务器磁盘已满：所有录制都已暂停，上课不受影响。腾出空间后自动继续。',
    },
    keeping: { lean: '只录声音和板书', paused: '录制已暂停' },
    question: { on: '正在上的课', missing: '谁没到', lines: '谁的线路有问题', lost: '今天缺了什么' }, next: '接下来',
    none: { on: '现在没有在上的课。到了上课时间，这里会自己出现。', missing: '该到的都到了', lines: '线路都正常', lost: '今天没有缺课，该录的都录了', next: '今天没有别的课了。', all: '今天没有排课。' },
    present: '{present}/{all} 个教室在线', absent: '上课 {minutes} 分了，还没到', weak: '线路差，画面可能会停', cut: '掉线了，正在自动重连', notRecorded: '上了课，没有录像',
  },
}
