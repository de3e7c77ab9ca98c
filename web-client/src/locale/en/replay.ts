import type { replay as words } from '../zh-CN/replay'

/** Words of the replay. */
export const replay: typeof words = {
  replay: {
    title: 'Replay', recording: 'Still being taught; you can watch what is there', play: 'Play', pause: 'Pause', speed: 'Speed', swap: 'Swap sizes', fullscreen: 'Full screen', window: 'Leave full screen',
    enlarge: 'Enlarge: {picture}', speedChosen: '{speed} times the speed',
    timeline: 'Position', duration: 'Duration', mute: 'Mute', unmute: 'Unmute',
    live: 'To the newest', behind: '{seconds} s behind the newest', behindMinutes: '{minutes} min behind the newest', newest: 'At the newest',
    gapsTitle: 'Gaps: {count}', gap: '{from}–{to} {tracks}: {reason}', gapNow: 'Not recorded here: {tracks}, {reason} ({from}–{to}).', and: ', ', noGaps: 'All of it was recorded.',
    track: { voice: 'voice', camera: 'teacher', board: 'board', stage: 'stage', stage_voice: 'sound from the stage', mixed_voice: 'teacher and stage' },
    reason: {
      not_started: 'not begun', away: 'not sent', silent: 'not sent', loss: 'lost on the line', tap_full: 'server busy', crash: 'server broke off and came back',
      suspended: 'server restarted', disk_full: 'disk full, recording paused',
    },
    noPicture: 'This lesson has no pictures, only sound.', noVoice: 'This lesson has no sound',
    nothing: 'This recording holds no pictures yet. Please open it again later.',
    waiting: 'Fetching…',
    broken: 'The recording cannot be played now; trying again by itself.',
    dropped: 'The line is too slow. Paused: {pictures}. The rest goes on, and this comes back by itself.', room: 'The line is better now. Once it has settled, this comes back by itself: {pictures}.', restore: 'Show now: {pictures}',
    loading: 'Opening the recording…',
    chapters: { title: 'Chapters', board: 'New page', stage: 'A class on stage', mark: 'Mark' },
    quality: {
      good: '{from}–{to} good line', poor: '{from}–{to} weak line', bad: '{from}–{to} bad line', because: ': ', and: ', ', loss: 'up to {loss} % lost', freezes: 'frozen {freezes} times, {seconds} s in all',
      away: '{from}–{to} not on the screen', unknown: 'nothing noted at this moment', allGood: 'a good line all the time',
    },
    download: {
      title: 'Download', hint: 'An MP4 file, put together as it was recorded.', camera: 'Teacher and voice', board: 'Board and voice', both: 'Board and teacher (two pictures)', voice: 'Voice alone',
      later: 'Can be downloaded once the lesson is over.',
    },
    composite: {
      name: 'Teacher and board in one picture', make: 'Make it', making: 'Making one picture: {percent}%', cancel: 'Cancel', goesOn: 'You may leave this page, and download it once it is made.', again: 'Try again',
      failed: 'It could not be made; both pictures are still there. Try again, or ask the administrator.',
    },
    help: {
      title: 'Keyboard', open: 'Keys', close: 'Close', space: 'Space',
      toggle: 'play or pause', jump10: 'back, on by 10 s', jump5: 'back, on by 5 s', frame: 'one picture back, on (paused)', tenth: 'to tenths of the whole', ends: 'beginning, newest',
      speed: 'slower, faster', swap: 'swap sizes', mute: 'mute', fullscreen: 'full screen', help: 'this list',
    },
  },
}
