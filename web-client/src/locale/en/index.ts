import type { Words } from '../zh-CN'
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

export const en: Words = {
  product: 'Tongke',
  language: { switch: '中文', label: 'Switch to Chinese' },
  presence: { online: 'Online', weak: 'Weak line', lost: 'Lost', absent: 'Not here' },
  action: {
    retry: 'Try again', lessons: 'Back to lessons', signOut: 'Sign out', reload: 'Open again', copy: 'Copy', copied: 'Copied',
  },
  fault: {
    unanswered: 'The server did not answer. Please check the network and try again.',
    unreachable: 'The server cannot be reached; trying again by itself. Please check the network cable or Wi-Fi.',
    signedOutTitle: 'Not signed in',
    signedOut: 'Please sign in with name and password, or open the sign-in link from your school. A link works once; the school’s administrator can give you a new one.',
    notFoundTitle: 'No such page',
    notFound: 'The address may be mistyped, or the lesson is not on your list. Please look again in the lesson list.',
    refusedTitle: 'This lesson is closed to you',
    refused: 'The lesson is not on your list, or the link has expired. Please ask the teacher for a new one.',
    codecTitle: 'This browser cannot show the lesson',
    codec: 'This browser cannot show the teacher’s pictures. Please open this page in a recent Chromium, Chrome or Edge.',
  },
  console: {
    navigation: 'Where to', fold: 'Fold', unfold: 'Unfold',
    nav: { today: 'Today', timetable: 'Timetable', dispatch: 'Dispatch', recordings: 'Recordings', reports: 'Reports', storage: 'Storage', organisations: 'Schools', people: 'People', devices: 'Devices', tables: 'Tables', audit: 'Audit' },
    closedTitle: 'This page is not yours to look after', closed: 'Your roles do not open this page. If you need it, please ask an administrator to give you the role.',
    loading: 'Reading…', more: 'Show more', search: 'Find by name', noMatch: 'Nothing found', noMatchHint: 'Try another word, or clear the filters.', clear: 'Clear filters',
    refused: 'Could not be read: {detail}', save: 'Save', cancel: 'Cancel', saved: 'Saved', place: 'Organisation', anyPlace: 'All organisations', pickPlace: 'Type a name to find it', closedToo: 'Closed ones too',
    optional: 'Optional', actions: 'Actions',
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
