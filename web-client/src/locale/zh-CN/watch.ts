/** Words of the observer's page. */
export const watch = {
  watch: {
    before: '老师还没有开始。开始以后，画面会自己出现。', beforeTitle: '{time} 上课',
    sound: '打开声音', over: '这节课已经下课，感谢观看。',
    noToken: '链接不完整。请把链接完整地复制到地址栏，包括 # 后面的部分。',
    swap: '对调大小',
  },
}
