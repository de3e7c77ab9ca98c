import type { watch as words } from '../zh-CN/watch'

/** Words of the observer's page. */
export const watch: typeof words = {
  watch: {
    before: 'The teacher has not begun. The picture appears by itself.', beforeTitle: 'Starts {time}',
    sound: 'Turn on sound', over: 'This lesson has ended. Thank you for watching.',
    noToken: 'The link is incomplete. Please copy the whole link, with what follows the #.',
    swap: 'Swap sizes',
  },
}
