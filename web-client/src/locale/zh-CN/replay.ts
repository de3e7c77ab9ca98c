/** Words of the replay. */
export const replay = {
  replay: {
    title: '回放', recording: '还在上课，可以边录边看', play: '播放', pause: '暂停', speed: '速度', swap: '对调大小', fullscreen: '全屏', window: '退出全屏',
    enlarge: '放大{picture}', speedChosen: '{speed} 倍速',
    timeline: '进度', duration: '总长', mute: '静音', unmute: '打开声音',
    live: '跳到最新', behind: '比最新的晚 {seconds} 秒', behindMinutes: '比最新的晚 {minutes} 分', newest: '正在看最新的',
    gapsTitle: '中断 {count} 处', gap: '{from}–{to} {tracks}：{reason}', gapNow: '这里没有录到{tracks}：{reason}（{from}–{to}）。', and: '、', noGaps: '全程都录到了。',
    track: { voice: '声音', camera: '老师画面', board: '板书', stage: '上台', stage_voice: '上台的声音', mixed_voice: '老师和上台的声音' },
    reason: {
      not_started: '还没有开始', away: '没有发送', silent: '没有发送', loss: '线路丢失', tap_full: '服务器忙，漏录', crash: '服务器中断后自动恢复',
      suspended: '服务器重启', disk_full: '磁盘满，暂停录制',
    },
    noPicture: '这节课没有画面，只有声音。', noVoice: '这节课没有声音',
    nothing: '这段录像里还没有画面。请过一会儿再打开。',
    waiting: '正在读取…',
    broken: '录像暂时放不出来，正在自动重试。',
    dropped: '线路太慢，先停了{pictures}；其他照常播放，线路好了会自动恢复。', room: '线路好一些了，等它稳定以后自动恢复{pictures}。', restore: '现在就放{pictures}',
    loading: '正在打开录像…',
    chapters: { title: '章节', board: '翻页', stage: '教室上台', mark: '标记' },
    quality: {
      good: '{from}–{to} 线路好', poor: '{from}–{to} 线路差', bad: '{from}–{to} 线路很差', because: '：', and: '，', loss: '最多丢包 {loss} %', freezes: '卡顿 {freezes} 次，共 {seconds} 秒',
      away: '{from}–{to} 没有在看', unknown: '这一刻没有记录', allGood: '全程线路好',
    },
    download: {
      title: '下载', hint: 'MP4 文件，原样拼接，不重新压缩。', camera: '老师画面和声音', board: '板书和声音', both: '板书和老师画面（两路画面）', voice: '只要声音',
      later: '下课以后可以下载。',
    },
    composite: {
      name: '老师和板书合成一个画面', make: '开始合成', making: '正在合成一个画面：{percent}%', cancel: '取消', goesOn: '可以关掉这一页，做好以后再来下载。', again: '再试一次',
      failed: '没有合成成功，两路画面都还在。可以再试一次；还不行请联系管理员。',
    },
    help: {
      title: '键盘', open: '键盘说明', close: '关闭', space: '空格',
      toggle: '播放或暂停', jump10: '退、进 10 秒', jump5: '退、进 5 秒', frame: '暂停时退、进一格', tenth: '跳到十分之几', ends: '开头、最新',
      speed: '慢一档、快一档', swap: '对调大小', mute: '静音', fullscreen: '全屏', help: '这张表',
    },
  },
}
