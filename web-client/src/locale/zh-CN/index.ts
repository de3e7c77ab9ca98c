import { account } from './account'
import { audit } from './audit'
import { classroom } from './classroom'
import { dispatch } from './dispatch'
import { lesson } from './lesson'
import { library } from './library'
import { organisation } from './organisation'
import { field } from './problem/field'
import { reason } from './problem/reason'
import { problem } from './problem/type'
import { replay } from './replay'
import { report } from './report'
import { retention } from './retention'
import { teacher } from './teacher'
import { timetable } from './timetable'
import { watch } from './watch'

export const zhCN = {
  product: '同课',
  language: { switch: 'English', label: '换成英文' },
  presence: { online: '在线', weak: '线路差', lost: '掉线', absent: '未到' },
  action: {
    retry: '再试一次', lessons: '回到课程列表', signOut: '退出', reload: '重新打开', copy: '复制', copied: '已复制',
  },
  fault: {
    unanswered: '服务器没有回答。请检查网络，再试一次。',
    unreachable: '暂时连不上服务器，正在自动重试。请检查网线或无线网络。',
    signedOutTitle: '还没有登录',
    signedOut: '请用登录名和密码登录，或者打开学校发给您的登录链接。链接只能用一次，找不到时请向学校管理员要一个新的。',
    notFoundTitle: '没有这个页面',
    notFound: '地址可能抄错了，或者这节课不在您的名单里。请回到课程列表再找一找。',
    refusedTitle: '进不了这节课',
    refused: '这节课不在您的名单里，或者链接已经失效。请向主讲教师要一个新的链接。',
    codecTitle: '这个浏览器放不了这节课',
    codec: '这个浏览器放不出老师的画面。请改用新版的 Chromium、Chrome 或 Edge 打开本页。',
  },
  console: {
    navigation: '去哪里', fold: '收起', unfold: '展开',
    nav: { today: '今日', timetable: '课表', dispatch: '调度', recordings: '录像', reports: '报告', storage: '存储', organisations: '学校', people: '人员', devices: '设备', tables: '表格', audit: '审计' },
    closedTitle: '这一页不归您管', closed: '您的角色打不开这一页。需要用的话，请向管理员说明，由管理员给您加上角色。',
    loading: '正在读取…', more: '再看一些', search: '按名称查找', noMatch: '没有找到', noMatchHint: '换一个词，或者去掉筛选条件再找。', clear: '去掉筛选',
    refused: '没有读到：{detail}', save: '保存', cancel: '取消', saved: '已保存', place: '所在机构', anyPlace: '全部机构', pickPlace: '输入名称查找机构', closedToo: '包括已停用的',
    optional: '可以不填', actions: '操作',
  },
  ...account,
  ...audit,
  ...classroom,
  ...dispatch,
  ...field,
  ...lesson,
  ...library,
  ...organisation,
  ...problem,
  ...reason,
  ...replay,
  ...report,
  ...retention,
  ...teacher,
  ...timetable,
  ...watch,
}

export type Words = typeof zhCN
