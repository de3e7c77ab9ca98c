/** Why the hub refused something, by the type of the problem: what happened, and what to do. */
export const problem = {
  problem: {
    /** A type that this page does not know: an older page, or an answer that is not the hub's. */
    unknown: { title: '没有成功', why: '服务器没有接受这个请求（{detail}）。' },
    // Of any request.
    'cross-site': { title: '请求来自别的网站', why: '请在同课自己的页面里操作。' },
    'not-found': { title: '没有找到', why: '请检查地址，或者换一个账号再看。' },
    'not-allowed': { title: '您的角色不能做这件事', why: '请换一个有权限的账号，或者请安全管理员授权。' },
    'invalid': { title: '填写的内容不合要求', why: '请检查“{field}”：{reason}。', unknown: '请检查“{field}”（{detail}）。' },
    'already-there': { title: '已经有了', why: '同样的名称、代码或钥匙已经在用，或者曾经用过，请换一个。' },
    'separated-powers': { title: '三员分立', why: '系统、安全、审计三种管理员必须由不同的人担任，请换一个人。' },
    'version-needed': { title: '缺少 If-Match', why: '请带上最近一次读到的 ETag 再修改。' },
    'other-version': { title: '内容已被别人修改', why: '请重新读取最新内容后再修改。' },
    'key-reused': { title: 'Idempotency-Key 已用于另一个请求', why: '请为新的请求换一个新的键。' },
    'busy': { title: '系统正忙', why: '请过几秒再试。' },
    'method-not-allowed': { title: '不支持这种请求', why: '请换一种请求方法。' },
    'unsupported-media-type': { title: '内容类型不对', why: '请用 {expected} 发送。' },
    'too-large': { title: '内容太大', why: '最多 {max}。' },
    'too-slow': { title: '请求太慢', why: '请检查网络后再试。' },
    'bad-request': { title: '请求读不懂', why: '请检查请求的内容（{why}）。' },
    'too-many-attempts': { title: '试得太频繁', why: '请过一分钟再试。' },
    'too-many-at-once': { title: '同时下载太多', why: '最多同时进行 {max} 个，请等其中一个完成后再试。' },
    'secret-in-url': { title: '地址里不能带令牌', why: '令牌和会话会留在日志和浏览记录里。请去掉它，登录后直接打开。' },
    'range-not-satisfiable': { title: '超出了文件范围', why: '请检查 Range。' },
    'internal': { title: '系统出了故障', why: '请稍后再试，故障已经记录。' },
    // Of signing in.
    'signed-out': { title: '还没有登录', why: '请打开学校发给您的登录链接。' },
    'link-refused': { title: '登录链接无效', why: '链接只能用一次，也会过期。请向管理员要一个新的链接。' },
    'set-up-needed': { title: '还要先设置密码或动态码', why: '请先设置密码，再绑定动态码，然后重新登录。' },
    'sign-in-refused': { title: '登录失败', why: '登录名、密码或动态码不对，或者账号暂时锁定。连续错 {failures_max} 次会锁定 {lock_minutes} 分钟；忘记密码请找管理员。' },
    'plain-http': { title: '连接没有加密', why: '管理员和巡课账号请用 https:// 开头的地址登录；这次输入的密码可能已被看到，请登录后修改。' },
    'already-set-up': { title: '已经初始化过了', why: '请直接登录。' },
    // Of a lesson, its seats and its media.
    'token-missing': { title: '缺少令牌', why: '请在 Authorization 头里带上 Bearer 令牌。' },
    'token-expired': { title: '令牌已过期', why: '请重新进入课堂，取得新的令牌。' },
    'token-refused': { title: '令牌无效', why: '请检查令牌和课节地址是否对应。' },
    'wrong-kind-of-token': { title: '这个令牌不能做这件事', why: '推流要用主讲令牌，收看要用听讲或来宾令牌。' },
    'wrong-lesson-state': {
      title: '现在不能这样做',
      why: {
        scheduled: '课还没有开放，开课前 10 分钟再来。', open: '课还没有开始，请等主讲教师开始上课。', live: '课正在进行。', ended: '课已经结束，可以看回放。',
        archived: '课已经结束，可以看回放。', cancelled: '这节课已经停课，请看课表里的原因。', missed: '这节课没有开成，请联系排课老师补课。',
      },
    },
    'guests-full': { title: '来宾席位已满', why: '请过一会儿再来，或者课后看回放。' },
    'bad-sdp': { title: 'SDP 读不懂', why: '请检查发来的 SDP（{why}）。' },
    'media-mismatch': { title: 'SDP 里的媒体不合适', why: '请检查 m 行的数目和方向（{why}）。' },
    'unsupported-codec': {
      title: '这台设备的编码不合适', why: '{what}需要 {wanted}。请换用新版 Chromium 浏览器，或在推流软件里改用 H.264 和 Opus。',
      what: { voice: '声音', stage_voice: '声音', mixed_voice: '声音', board: '板书画面', camera: '摄像头画面', stage: '摄像头画面' },
    },
    'hub-full': { title: '现在的连接太多', why: '请过一会儿再连接，系统会自动重试。' },
    'session-gone': { title: '连接已经结束', why: '请重新连接。' },
    'bad-sdp-fragment': { title: 'SDP 片段读不懂', why: '请检查片段（{why}）。' },
    'if-match-required': { title: '缺少 If-Match', why: '请带上 If-Match：候选用最近的 ETag，重启 ICE 用 "*"。' },
    'etag-differs': { title: 'ICE 会话已经换了', why: '请用最近一次回答里的 ETag。' },
    // Of the library.
    'taken-down': { title: '录像已经下架', why: '下架原因：{reason}。需要恢复时，请在录像库里打开它，选“恢复上架”。' },
    'rights': {
      title: '现在不能这样做',
      why: {
        'only-the-author': '只有主讲教师本人可以同意或撤回公开。', 'only-the-keeper': '只有学校管理员可以发布，请联系学校管理员。', 'no-consent': '主讲教师还没有同意公开，请先请教师本人在录像库里同意。',
        'wrong-standing': '录像已经下架，请先恢复上架。', 'other-side': { author: '这是主讲教师本人下架的，只能由教师本人恢复。', keeper: '这是学校下架的，请联系学校管理员恢复。' },
      },
    },
    'no-ffmpeg': { title: '现在不能合成一个画面', why: '这台服务器没有安装 ffmpeg。请管理员安装后再试；原始画面可以直接下载。' },
    'composite-busy': { title: '现在不能合成一个画面', why: '正在合成另一节课，请等它完成后再试。' },
    'not-two-pictures': { title: '现在不能合成一个画面', why: '要有一路板书和一路摄像头才能合成。请直接下载这节课的画面。' },
    'composite-refused': { title: '现在不能合成一个画面', why: '磁盘写不进去，请管理员检查空间后再试。' },
    // Of what is kept and what is deleted.
    'wrong-storage-state': {
      title: '现在不能这样做',
      why: {
        live: '课还在上，录像还没有完成，请下课以后再来。', sealed: '录像没有在等待删除，不用恢复。', archived: '录像没有在等待删除，不用恢复。',
        pending_deletion: '录像已经在等待删除，七天之内可以恢复。', deleting: '录像已经删除，不能再恢复。', deleted: '录像已经删除，不能再恢复。',
      },
    },
    'recording-held': { title: '录像被保留', why: '有人要求保留这份录像，请先解除保留，再删除。' },
    'recording-deleted': {
      title: '录像已经删除',
      why: {
        going: '这节课的录像正在删除，不能再看。', retention: '这节课的录像已按保存期限于 {day}删除，审计里有记录。', request: '这节课的录像已按申请于 {day}删除，审计里有记录。',
      },
    },
    'report-deleted': {
      title: '课堂报告已经删除',
      why: {
        going: '这节课的考勤和课堂报告正在删除，不能再看。', retention: '这节课的考勤和课堂报告已按保存期限于 {day}删除，审计里有记录。', request: '这节课的考勤和课堂报告已按申请于 {day}删除，审计里有记录。',
      },
    },
    // Of the timetable, of dispatch and of organisations.
    'double-booked': {
      title: '时间冲突',
      why: { named: '教师、教室、班级或设备在这个时间已经有课：{titles}。请换一节，或先调开那节课。', hidden: '教师、教室、班级或设备在这个时间已经有别的课。请换一节，或先调开那节课。' },
    },
    'receiver-limit': {
      title: '接收教室太多',
      why: { interactive: '互动接收教室最多 {max} 个，这次有 {asked} 个。', may_watch: '互动接收教室最多 {max} 个，这次有 {asked} 个，多出的可以改为只看。', watch_only: '只看接收教室最多 {max} 个，这次有 {asked} 个。' },
    },
    'stands-on': {
      title: '已经有安排',
      why: {
        terms: '有 {count} 个学期属于它，请先删除这些学期，再修改。', courses: '有 {count} 门课程排在里面，请先删除这些课程，再修改。',
        agreements: '有 {count} 份结对或收听授权在里面，请换一个学期，再修改。', lessons: '有 {count} 节课已经按它排好，请先在调度里调开或停掉这些课，再修改。',
      },
    },
    'unreadable-file': { title: '文件打不开', why: '这个文件读不出来，一行也没有导入。请用表格软件另存为 XLSX 或 UTF-8 的 CSV，再导入一次。' },
    'bad-lines': { title: '表格里有错误的行', why: '有 {count} 处错误，一行也没有导入。请按列出的行号改好，再导入一次。' },
  },
}
