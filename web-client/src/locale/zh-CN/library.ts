/** Words of the library, its reviews and its links. */
export const library = {
  library: {
    title: '录像', search: '课名、教师、知识点…', all: '全部', found: '{count} 个录像', filters: '筛选', from: '从', until: '到',
    emptyTitle: '还没有录像', empty: '上过的课会自动录下来，出现在这里。别的学校发布给您的录像也在这里。',
    facet: { school_year: '学年', term: '学期', grade: '年级', subject: '学科', school: '学校', teacher: '主讲教师', point: '知识点' },
    when: '录制时间', lesson: '课', school: '学校', length: '时长', standing: '公开', licence: '授权', watch: '看回放', manage: '管理', more: '更多 {count} 项', fewer: '收起',
    growing: '录制中',
    licences: {
      all_rights_reserved: '保留所有权利', teaching_only: '仅供教学', cc_by: '署名（CC BY）', cc_by_nc: '署名、非商业（CC BY-NC）', cc_by_nc_sa: '署名、非商业、相同方式（CC BY-NC-SA）',
    },
    standings: { kept: '校内', consented: '校内，教师已同意公开', published: '已发布', taken_down: '已下架' },
    publishedTo: '已发布到 {place}',
    card: {
      title: '录像资料', name: '名称', points: '知识点', pointsHint: '输入一个，按回车', summary: '简介', licence: '授权方式', save: '保存资料', saved: '资料已保存。', otherVersion: '别人刚刚改过，请关闭后重新打开。',
    },
    rights: {
      title: '谁能看', kept: '本校和听过这节课的班级能看。要给别的学校看，先要主讲教师本人同意。', consented: '主讲教师已同意公开。现在仍然只有本校和听过这节课的班级能看。',
      published: '{place} 的教师和教研人员都能看。', taken_down: '谁也看不到，回放、片段、分享链接和用它的课都已停止。下架原因：{reason}',
      consent: '我同意公开', withdraw: '撤回同意', publish: '发布', publishTo: '发布到', unpublish: '取消发布', takeDown: '下架', reason: '下架原因', reasonHint: '例如：画面里有学生姓名', putBack: '恢复上架',
      onlyTeacher: '需要主讲教师 {name} 本人登录后同意。',
    },
    share: {
      title: '分享链接', hint: '没有账号的人打开链接就能看，到期或收回后立刻停止，不能下载。每次打开都记入审计。', needsConsent: '主讲教师同意公开以后，才能分享。',
      what: '分享什么', whole: '整节课', hours: '有效期', hour: '1 小时', day: '1 天', week: '7 天', month: '30 天', views: '最多打开几次', anyViews: '不限', make: '生成链接', revoke: '收回',
      until: '{time} 前有效', opened: '打开 {count} 次', openedOf: '打开 {count} / {max} 次', revoked: '已收回', over: '已失效', none: '还没有分享过。',
    },
    clip: {
      title: '片段', hint: '只记下起点和终点，不复制、不转码，剪完马上能播放。', from: '起点', to: '终点', here: '用当前位置', name: '名称', nameHint: '例如：分数的意义', cut: '剪出片段', length: '长 {length}',
      backwards: '终点要在起点之后至少 1 秒。', unreadable: '时间写成 3:07 或 1:03:07。', none: '还没有片段。', play: '播放', download: '下载', drop: '删除', cutDone: '已剪出《{title}》。',
    },
    comment: {
      title: '评语', at: '在 {time}', placeholder: '说说这一刻…', say: '发表', edit: '修改', drop: '删除', save: '保存', cancel: '取消', none: '还没有评语。播放到要说的地方，写下来就会记在那一秒。', edited: '改过',
      refused: '评语没有读到：{detail}',
    },
    review: {
      title: '评课打分', rubric: '量表', pick: '选一张量表', none: '上级还没有量表。请教研部门先建一张。', weight: '{weight}%', total: '总分 {total}', words: '总评（可以不写）', save: '保存打分', saved: '打分已保存，可以再改。',
      average: '平均 {total} 分，{count} 人打分', nobody: '还没有人打分。', kept: '{keeper} · 第 {revision} 版',
    },
    rubric: { add: '新建量表', revise: '修订量表', name: '量表名称', criterion: '评什么', weight: '权重 %', highest: '最高分', more: '再加一项', drop: '去掉这一项', sum: '权重合计 {sum}%，要正好 100%' },
    shared: {
      until: '{time} 前可以看', whose: '{school} {teacher}', opening: '正在打开分享…', overTitle: '这个链接不能看了', over: '链接已到期、已收回，或者打开的次数已用完。请向发给您链接的人要一个新的。',
      missing: '地址不完整。请把链接完整地复制到地址栏，包括 # 后面的部分。', noDownload: '只供观看。版权归 {school} 和主讲教师所有', play: '播放', pause: '暂停', nothing: '这段录像没有可以播放的画面和声音。',
    },
    wall: { playing: '录播课', from: '{school} · {teacher}', gone: '这节课的录像已经下架，请辅助教师联系学校。', none: '这节课还没有选录像，请辅助教师联系学校排课老师。', over: '录像放完了。', waiting: '上课铃响后自动播放' },
    piece: { play: '播放片段', stop: '停止片段' },
    mark: { title: '章节标记', name: '从这里开始讲什么（可以不写）', kept: '已记下，重新打开后出现在章节里。', go: '标记', hint: '记下这一刻，回放时可以直接跳到这里', done: '已标记 {time}', full: '没有记下：还没开始上课，或者标记太多了' },
    source: { title: '播放的录像', none: '还没有选', pick: '查找录像', choose: '选用', clear: '不用了', gone: '已下架，请另选' },
  },
  recordings: { title: '录像', emptyTitle: '还没有录像', empty: '上过的课会自己出现在这里。', lesson: '课', teacher: '主讲教师', when: '上课时间', watch: '看回放' },
}
