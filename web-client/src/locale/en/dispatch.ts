import type { dispatch as words } from '../zh-CN/dispatch'

/** Words of the page of dispatch. */
export const dispatch: typeof words = {
  dispatch: {
    title: 'Dispatch', view: { day: 'A day’s lessons', pairings: 'Pairings', rights: 'Listening rights' },
    dayBefore: 'Day before', dayAfter: 'Day after', chooseDay: 'Choose a day', place: 'Area', find: 'School, teacher, lesson', group: { label: 'A line for each', school: 'School', teacher: 'Teacher' },
    counts: '{all} lessons · live {live} · ended {ended} · called off {cancelled} · missed {missed}',
    troubled: '{count} lines in trouble', noTrouble: 'No conflicts, nothing missing', showAll: 'Show all',
    trouble: { clash_teacher: 'Teacher is also in “{title}”', clash_classroom: 'Classroom is also in “{title}”', clash_class: 'Class is also in “{title}”', missed: 'Missed', late: '{minutes} min past the bell, not begun', nobody_listens: 'No classroom listens' },
    moveDay: 'Move the day', moveWhat: '{place}, {day}: {count} lessons to come, all to', moveTo: 'Choose a day', moveNow: 'Move', moveFree: 'All {count} fit there', moveOthers: 'Move the other {count}', stays: '“{title}” stays: {why}', clashing: '“{title}” {clash}', moved: '{count} lessons of {from} are moved to {to}',
    toTimetable: 'To the timetable',
    empty: {
      title: 'No lessons on this day', text: 'Look at another day, or plan lessons in the timetable.', noTermTitle: 'This day is in no term', noTerm: 'Look at another day, or add a term in the term set-up.',
      filteredTitle: 'No line fits', filtered: 'There are lessons on this day; the filters hide them. Clear the search, or show all.',
      pairingsTitle: 'No pairings yet', pairings: 'A pairing says which school teaches which classes. New lessons then fill in their listening classrooms by themselves.',
      rightsTitle: 'No listening rights yet', rights: 'Pairings bring rights with them. A class without a pairing can be given one of its own.',
    },
    teaching: 'Teaching school', everyTeaching: 'Every teaching school', listeningClasses: 'Listening classes', chooseClasses: 'Search by school or class', wholeClass: 'Every subject', byPairing: 'by pairing',
    add: { pairings: 'Pairing', rights: 'Right' }, added: { pairings: 'Pairing added', rights: 'Right added' },
    topology: { label: 'Shape', centre_with_points: 'Centre school with points', one_to_many_points: 'One school, many points', one_to_many_schools: 'One school, many schools' },
    standing: { label: 'Standing', active: 'In force', frozen: 'Frozen', cancelled: 'Cancelled' }, everyStanding: 'Every standing',
    act: { freeze: 'Freeze', resume: 'Resume', cancel: 'Cancel', cancelNow: 'Press again to cancel' },
  },
}
