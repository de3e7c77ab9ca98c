import type { report as words } from '../zh-CN/report'

/** Words of the reports. */
export const report: typeof words = {
  report: {
    title: 'Reports', lesson: 'Lesson report', back: 'Back to reports', how: 'How this is worked out', formulaVersion: '({name}, version {version})',
    verdict: { valid: 'Valid', short: 'Too short', cancelled: 'Called off', missed: 'Not held', unjudged: 'Not judged' },
    state: { present: 'Present', late: 'Late', left_early: 'Left early', late_and_left_early: 'Late, left early', absent: 'Absent', unknown: 'Not collected' },
    cause: { hidden: 'page hidden', silent: 'sound off', black: 'no picture', line: 'line interrupted', hub: 'hub restarted', teacher: 'teacher sent nothing' },
    heldOf: '{held} of {needed} needed', needed: '{needed} needed', rule: 'Rule {rule}, version {version} · figures {figures}',
    attendance: 'Attendance', teaches: '{school} · teaches', reason: 'Reason: {reason}',
    words: {
      unknown: 'Nothing was collected of this lesson.', absent: 'Expected, and never really saw the lesson.', present: 'there for {length}',
      came: 'came {time} ({after} after the start)', left: 'left {time} ({before} before the end)', interrupted: '{count} interruptions',
    },
    hole: '{from} for {length}: {cause}', interruptions: 'Each interruption',
    absentees: '{count} absent: {names}', others: '{count} more classrooms are not of your area and not listed here.',
    heads: '{pupils} pupils', headsBy: 'counted by {name}', headsByDevice: 'told by the classroom PC', noHeads: 'not counted',
    soFar: 'The lesson is not over, or just ended. This is how it stands; it keeps itself up to date.',
    sealed: 'Worked out and kept {time}; its digest {sha}… is in the audit, figures {version}. Any edited row is found.',
    quality: {
      title: 'Quality', hint: 'First the middle of the lesson, then the worst five seconds. Press a name for its curves.', none: 'No curves were collected.', deleted: 'The samples of every five seconds were deleted on {day}, when their time was over: there are no curves any more. The figures above are as they were.',
      end: 'Classroom', loss: 'Loss', rtt: 'Round trip (ms)', jitter: 'Jitter (ms)', mos: 'Voice score', concealed: 'Made up', fps: 'Pictures/s', height: 'Height', frozen: 'Freezes, share', paused: 'Picture paused',
    },
    chart: {
      title: '{name}', loss: 'Line (%)', voice: 'Voice score', picture: 'Picture', pageLoss: 'Loss (page)', hubLoss: 'Loss (hub)', concealed: 'Made up', mos: 'MOS', fps: 'Pictures/s', height: 'Height (right)',
      aria: 'Loss, voice score and picture of {name} over time',
    },
    list: {
      when: 'Time', lesson: 'Lesson', teacher: 'Teacher', verdict: 'Where taught', listening: 'Where heard', classrooms: 'Classrooms', valid: 'Valid', pupils: 'Pupils', present: '{present}/{all} there', late: '{count} late', leftEarly: '{count} left early',
      absent: 'Absent: {names}', csv: 'Export CSV', xlsx: 'Export XLSX',
      emptyTitle: 'No reports of these days', empty: 'A report appears by itself when a lesson is over; nobody fills in a form. Try other days.',
    },
    open: 'Report',
  },
}
