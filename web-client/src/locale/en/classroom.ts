import type { classroom as words } from '../zh-CN/classroom'

/** Words of the classroom's page and of letting its PC in. */
export const classroom: typeof words = {
  wall: {
    noneTitle: 'No more lessons today',
    none: 'When it is time, this page opens the lesson by itself. Please leave the computer on.',
    nextLesson: 'Next lesson',
    startsIn: 'Starts in {time}', soon: 'About to start',
    assistant: 'Assistant: {name}', nameAssistant: 'Assistant, please give your name', whoIsHere: 'Who helps in the classroom today?', nobody: 'No assistant', back: 'Back',
    noAssistants: 'This school has no assistants yet. The school administrator gives the role on the People page.', assistantFailed: 'Not noted. Please check the network and try again.',
    network: 'Network', sound: 'Sound',
    good: 'Fine', lostNetwork: 'Server not reached',
    waitingTitle: 'The teacher is coming', waiting: 'You are in the lesson. The picture appears by itself when the teacher begins.',
    soundTitle: 'Press OK once to turn on the sound', soundButton: 'OK',
    cut: 'This classroom’s line dropped; reconnecting by itself ({seconds} s). No need to reload.',
    teacherCut: 'The teacher’s picture dropped; waiting for it ({seconds} s). No need to reload.',
    entering: 'Entering the lesson…',
    overTitle: 'Lesson over', over: 'Thank you, teacher. Goodbye, class.', overNext: 'Next: {time} {lesson}', overNone: 'No more lessons today.',
    replacedTitle: 'This classroom was opened on another computer', replaced: 'Playing has stopped here. To have the lesson here, press OK.',
    refusedTitle: 'This lesson is closed to you',
    left: '{minutes} min left', overdue: 'Past the bell',
    fullscreen: 'Full screen', leaveFullscreen: 'Leave full screen',
    line: { good: 'Good line', weak: 'Weak line', lost: 'Lost' }, byTcp: '{line} · by the backup path',
    noPicture: 'The teacher’s camera is off', paused: 'The line is slow: voice and board come first, the picture will be back.',
    heads: 'Pupils', headsTold: 'Pupils: {pupils}', headsTitle: 'How many pupils are in the classroom?', headsHint: 'Up and down, or type digits. Only the number is kept, no names.',
    headsSay: 'Say {pupils}', headsFailed: 'Not told. Please check the network and press again.', fewer: 'One fewer', more: 'One more',
    notEnrolledTitle: 'This computer belongs to no classroom yet',
  },
  enrolment: {
    how: 'Let the school’s administrator enter this code on the page “Devices”, or scan the square, and choose the classroom.',
    after: 'Once is enough. A code that ends is replaced by itself; no need to reload.',
    starting: 'Getting a code…', unreachable: 'The server cannot be reached; trying again by itself. Please check the cable.',
    unsafe: 'This address is not secure (https), so the browser keeps no key. Please open this page by the https address from your administrator.',
  },
}
