import type { lesson as words } from '../zh-CN/lesson'

/** Words of the lists of lessons and of today. */
export const lesson: typeof words = {
  lessons: {
    title: 'Lessons',
    today: 'Today', tomorrow: 'Tomorrow', yesterday: 'Yesterday',
    state: { scheduled: 'Not begun', open: 'Open', live: 'Live', ended: 'Ended', cancelled: 'Called off', missed: 'Missed', archived: 'Archived' },
    recording: { recording: 'Recording', sealed: 'Replay' },
    teach: 'Start', teachAgain: 'Back to class', prepare: 'Prepare', attend: 'Enter', watch: 'Observe', replay: 'Replay',
    classrooms: '{count} classrooms',
    emptyTitle: 'No lessons yet',
    empty: {
      lead_teacher: 'The timetable has no lesson of yours yet. New ones appear here by themselves.',
      classroom: 'No lesson for this classroom today. When it is time, this page opens it by itself.',
      bureau_officer: 'No lessons in your area yet. New ones appear here by themselves.',
    },
    columns: { time: 'Time', lesson: 'Lesson', teacher: 'Teacher', classrooms: 'Classrooms', state: 'State', action: 'Action' },
  },
  today: {
    title: 'Today', counts: '{all} lessons · {to_come} to come · {ended} ended · {cancelled} called off · {missed} not held',
    disk: {
      low: 'The disk for recordings is filling up: please make room.', tight: 'The disk for recordings is filling up: classes on stage are not recorded for now, and of the camera only the small picture. Please make room soon.',
      lean: 'The disk for recordings is nearly full: only voice and board are recorded. Please make room now.', paused: 'The disk for recordings is full: all recording has paused, lessons are not affected. It goes on by itself when there is room.',
    },
    keeping: { lean: 'voice and board only', paused: 'recording paused' },
    question: { on: 'On now', missing: 'Who is missing', lines: 'Lines in trouble', lost: 'Lost today' }, next: 'What comes next',
    none: { on: 'Nothing is on now. What begins appears here by itself.', missing: 'Everybody is there', lines: 'All lines are well', lost: 'Nothing was lost today', next: 'Nothing else comes today.', all: 'No lessons today.' },
    present: '{present}/{all} classrooms there', absent: 'Not there, {minutes} min after the bell', weak: 'Weak line: the picture may stop', cut: 'Cut off, coming back by itself', notRecorded: 'Held, but not recorded',
  },
}
