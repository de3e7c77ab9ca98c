import type { timetable as words } from '../zh-CN/timetable'

/** Words of the timetable and of a lesson in it. */
export const timetable: typeof words = {
  timetable: {
    title: 'Timetable', week: 'Week', termSetUp: 'Term set-up', term: 'Term', weekNo: 'Week {week}', weeks: '{count} weeks', thisWeek: 'This week', before: 'Week before', after: 'Week after',
    today: 'Today', comma: ', ', more: '{count} more', close: 'Close', count: '{count} lessons this week', noTerm: 'No term yet',
    by: { label: 'View by', class: 'Class', teacher: 'Teacher', classroom: 'Classroom', organisation: 'School' },
    part: { morning: 'Morning', afternoon: 'Afternoon', evening: 'Evening' },
    period: { early_study: 'Early study | Early study {number}', lesson: 'Period {number}', long_break: 'Long break | Long break {number}', eye_exercises: 'Eye exercises | Eye exercises {number}', evening_study: 'Evening study | Evening study {number}' },
    taughtAs: 'lessons of {day}', givenOn: 'given on {day}',
    listeners: '{count} classrooms listen', nobodyListens: 'No classroom listens', ownLaptop: 'Own laptop',
    state: { scheduled: 'Not begun', open: 'Open', live: 'Live', ended: 'Ended', cancelled: 'Called off', missed: 'Missed', archived: 'Archived' },
    program: { delivery_class: 'Delivery class', master_class: 'Master class', open_school_class: 'Open school class' },
    mode: { live: 'Live', recorded: 'Recorded', embedded: 'Embedded', observed: 'Observed' },
    stage: { kindergarten: 'Kindergarten', primary: 'Primary', junior: 'Junior', senior: 'Senior', special: 'Special', vocational: 'Vocational' },
    field: { time: 'Time', teacher: 'Teacher', school: 'School', room: 'Teaching room', program: 'Program', mode: 'Mode', listening: 'Listening', subject: 'Subject', class: 'Local class', stage: 'Stage', grade: 'Grade', title: 'Title', period: 'Period' },
    clash: {
      all: '{lesson} ({time}) already has {named}', more: '{lesson} ({time}) already has {named} and more, {count} in all', device: 'a device', lesson: '“{title}”', hidden: 'A lesson elsewhere',
    },
    schools: { school: '{count} schools', week: 'Week', cancelled: '{count} called off', missed: '{count} not held', empty: 'No school teaches this week. Look at another week, or choose a school and plan.' },
    changedMeanwhile: 'Somebody else has just changed this lesson. Please close the card and look at the newest week first.',
    move: { free: 'Fits here', asking: 'Looking for conflicts…', saving: 'Saving…', home: 'Where it was', leave: 'Put it back' },
    act: { move: 'Move', substitute: 'Substitute', swap: 'Swap', cancel: 'Call off', save: 'Save', cancelNow: 'Call it off' },
    done: { move: '“{title}” is moved', substitute: '“{title}” has its substitute', swap: '“{title}” is swapped', cancel: '“{title}” is called off; its classrooms see why', move_day: 'Moved', new: '“{title}” is in the timetable', added: '“{name}” is added' },
    substituteBy: 'Who takes it', chooseTeacher: 'Choose a teacher', chooseOther: 'Click another lesson in the timetable to swap times with.',
    reasonKind: 'Reason', reasonWords: 'In words', reasonHint: 'One sentence that the classrooms will read',
    reason: { teacher_away: 'Teacher away', weather: 'Weather', power_or_network: 'Power or network', equipment: 'Equipment', school_event: 'School event', other: 'Other' },
    stays: 'The lesson has begun or is over: it stays.', history: 'History',
    newLesson: 'New lesson', addAt: '{place}, new lesson', schedule: 'Put into timetable', canSchedule: 'No conflicts', needsTeacher: 'Please choose a teacher first.',
    noClass: 'None (dedicated)', chooseListening: 'Choose listening classrooms',
    keys: 'PageUp, PageDown: weeks; arrows: cells; M: move', keysLooking: 'PageUp, PageDown: weeks',
    empty: {
      noTermTitle: 'No term yet', noTerm: 'Add a school year and a term, then bells and courses; the term is planned from them.',
      noBellsTitle: 'This school has no bells yet', noBells: 'Bells tell when each period begins and ends. Add a schedule in “Term set-up”, or let the bureau add one for all.',
      classTitle: 'This school has no class yet', class: 'The school’s administrator adds classes on the page “Schools”.',
      teacherTitle: 'This school has no teacher yet', teacher: 'The school’s administrator adds teachers on the page “People”.',
      classroomTitle: 'This school has no classroom yet', classroom: 'The school’s administrator adds classrooms on the page “Schools”.',
      week: 'No lessons this week. Click an empty cell to plan one.', weekLooking: 'No lessons this week.',
    },
    year: 'School year', addYear: 'School year', addTerm: 'Term', add: 'Add', name: 'Name', fromUntil: 'From and until', yearExample: '2026-2027', termExample: 'Autumn 2026',
    setUp: { calendar: 'Calendar', bells: 'Bells', courses: 'Courses', plan: 'Plan the term' },
    calendar: {
      madeUp: 'as {day}', whose: 'Holds for', hint: 'Click a day to make it a holiday or a swapped day.', off: 'Holiday', swapped: 'Swapped day', offExample: 'National Day', swappedExample: 'Made up', lessonsOf: 'With the lessons of', ordinary: 'Make it ordinary again', others: 'Schools’ own days',
    },
    bells: {
      add: 'New bells', example: 'Primary, winter', everyStage: 'Every stage', from: 'From (MM-DD)', until: 'Until (MM-DD)', starts: 'Begins', ends: 'Ends', addLine: 'Add a period', removeLine: 'Take this line away', copy: 'New one like this', remove: 'Delete', removeNow: 'Press again to delete',
      typed: 'Times are written 08:20.', ends_before: '{period} ends before it begins.', overlaps: '{period} overlaps the one before.', twice: '{period} is there twice.',
    },
    course: {
      add: 'New course', everySchool: 'Every school', chooseSchool: 'Choose a school to add a course.', count: '{count} courses', weekday: 'Weekday', weeks: 'Weeks', weekly: 'Each week', every: 'Every week', odd: 'Odd weeks', even: 'Even weeks', someWeeks: 'Some weeks', between: 'weeks {weeks}', addPeriod: 'Add a period',
      empty: 'No courses this term. Choose a school and add subject, teacher, weekly periods and listening classrooms.',
    },
    plan: {
      whose: 'For whom', hint: 'What is planned already stays; only what is missing is added.', try: 'Try it', trying: 'Trying…', planned: 'lessons in the plan', past: 'would be over already and are not planned', fresh: 'new', leftOut: 'left out', clashes: 'conflicts', took: 'took {seconds} s',
      do: 'Plan {count} lessons', planning: 'Planning…', done: '{count} lessons planned', clashTitle: 'These conflicts come first', leftOutTitle: 'Left out, and why', oneEnd: 'one classroom:',
    },
  },
}
