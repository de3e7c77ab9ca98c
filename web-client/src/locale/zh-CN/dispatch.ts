/** Words of the page of dispatch. */
export const dispatch = {
  dispatch: {
    title: '调度', view: { day: '一天的课', pairings: '结对', rights: '收听授权' },
    dayBefore: '前一天', dayAfter: '后一天', chooseDay: '选一天', place: '范围', find: '找学校、教师、课', group: { label: '每行是', school: '学校', teacher: '教师' },
    counts: '共 {all} 节 · 正在上 {live} · 已下课 {ended} · 停课 {cancelled} · 没开成 {missed}',
    troubled: '{count} 行有问题', noTrouble: '没有冲突和缺课', showAll: '显示全部',
    trouble: { clash_teacher: '教师同时有课：《{title}》', clash_classroom: '教室同时有课：《{title}》', clash_class: '班级同时有课：《{title}》', missed: '没有开成', late: '过了上课时间 {minutes} 分，还没有开始', nobody_listens: '没有教室听讲' },
    moveDay: '整天调课', moveWhat: '{place} {day} 还没上的 {count} 节课，整天移到', moveTo: '选择日期', moveNow: '移过去', moveFree: '{count} 节都放得下', moveOthers: '只移其余 {count} 节', stays: '《{title}》留在原处：{why}', clashing: '《{title}》{clash}', moved: '{from} 的 {count} 节课已移到 {to}',
    toTimetable: '去课表排课',
    empty: {
      title: '这一天没有课', text: '换一天看看，或者到课表里排课。', noTermTitle: '这一天不在学期里', noTerm: '换一天看看，或者到学期设置里建学期。',
      filteredTitle: '没有符合的行', filtered: '这一天有课，只是被筛选挡住了。请清掉搜索，或者显示全部。',
      pairingsTitle: '还没有结对', pairings: '结对说明哪个学校教哪些班。加上以后，排课时听讲教室会自己填好。',
      rightsTitle: '还没有收听授权', rights: '结对会自动带来授权。没有结对的班，可以单独授权。',
    },
    teaching: '主讲学校', everyTeaching: '所有主讲学校', listeningClasses: '听讲班级', chooseClasses: '按学校或班名查找', wholeClass: '全部学科', byPairing: '来自结对',
    add: { pairings: '结对', rights: '授权' }, added: { pairings: '结对已加上', rights: '授权已加上' },
    topology: { label: '形式', centre_with_points: '中心校带教学点', one_to_many_points: '一校带多点', one_to_many_schools: '一校带多校' },
    standing: { label: '状态', active: '有效', frozen: '冻结', cancelled: '已取消' }, everyStanding: '所有状态',
    act: { freeze: '冻结', resume: '恢复', cancel: '取消', cancelNow: '再按一次取消' },
  },
}
