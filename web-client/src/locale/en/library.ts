import type { library as words } from '../zh-CN/library'

/** Words of the library, its reviews and its links. */
export const library: typeof words = {
  library: {
    title: 'Recordings', search: 'Title, teacher, knowledge point…', all: 'All', found: '{count} recordings', filters: 'Filters', from: 'From', until: 'To',
    emptyTitle: 'No recordings yet', empty: 'Lessons are recorded by themselves and appear here, and so does what other schools publish to you.',
    facet: { school_year: 'School year', term: 'Term', grade: 'Grade', subject: 'Subject', school: 'School', teacher: 'Teacher', point: 'Knowledge point' },
    when: 'Recorded', lesson: 'Lesson', school: 'School', length: 'Length', standing: 'Seen by', licence: 'Licence', watch: 'Replay', manage: 'Manage', more: '{count} more', fewer: 'Fewer',
    growing: 'Recording',
    licences: {
      all_rights_reserved: 'All rights reserved', teaching_only: 'For teaching only', cc_by: 'CC BY', cc_by_nc: 'CC BY-NC', cc_by_nc_sa: 'CC BY-NC-SA',
    },
    standings: { kept: 'School', consented: 'School; teacher agrees', published: 'Published', taken_down: 'Taken down' },
    publishedTo: 'Published to {place}',
    card: {
      title: 'About the recording', name: 'Title', points: 'Knowledge points', pointsHint: 'Type one, press Enter', summary: 'Summary', licence: 'Licence', save: 'Save', saved: 'Saved.', otherVersion: 'Somebody has just changed it: close and open it again.',
    },
    rights: {
      title: 'Who may see it', kept: 'The school, and the classes that listened. To show it to other schools, its teacher has to agree first.', consented: 'Its teacher agrees that others see it. So far only the school and the classes that listened do.',
      published: 'Every teacher and reviewer of {place} may see it.', taken_down: 'Nobody may see it: replay, clips, links and the lessons that use it have stopped. Reason: {reason}',
      consent: 'I agree', withdraw: 'Withdraw my consent', publish: 'Publish', publishTo: 'Publish to', unpublish: 'Unpublish', takeDown: 'Take down', reason: 'Reason', reasonHint: 'Such as: a pupil’s name can be read', putBack: 'Put back',
      onlyTeacher: 'Its teacher {name} has to sign in and agree.',
    },
    share: {
      title: 'Links', hint: 'Whoever has the link may watch without an account, and not download. It ends when its time is over or when you take it back. Each use is in the audit.', needsConsent: 'Once its teacher has agreed, it can be shared.',
      what: 'What', whole: 'The whole lesson', hours: 'For', hour: '1 hour', day: '1 day', week: '7 days', month: '30 days', views: 'How often at most', anyViews: 'No limit', make: 'Make a link', revoke: 'Take back',
      until: 'Until {time}', opened: 'Opened {count} times', openedOf: 'Opened {count} of {max} times', revoked: 'Taken back', over: 'Over', none: 'Not shared yet.',
    },
    clip: {
      title: 'Clips', hint: 'Two points are kept; nothing is copied or encoded, and it plays at once.', from: 'In', to: 'Out', here: 'Use this position', name: 'Title', nameHint: 'Such as: What fractions mean', cut: 'Cut clip', length: '{length} long',
      backwards: 'The end has to be at least a second behind the beginning.', unreadable: 'Write times as 3:07 or 1:03:07.', none: 'No clips yet.', play: 'Play', download: 'Download', drop: 'Delete', cutDone: 'Cut “{title}”.',
    },
    comment: {
      title: 'Comments', at: 'At {time}', placeholder: 'About this moment…', say: 'Comment', edit: 'Edit', drop: 'Delete', save: 'Save', cancel: 'Cancel', none: 'No comments yet. Play to the moment, then write: it is kept at that second.', edited: 'edited',
      refused: 'Comments could not be read: {detail}',
    },
    review: {
      title: 'Score', rubric: 'Rubric', pick: 'Pick a rubric', none: 'There is no rubric yet: ask the bureau’s reviewers to make one.', weight: '{weight}%', total: 'Total {total}', words: 'In words (optional)', save: 'Save score', saved: 'Saved; you may change it.',
      average: 'Average {total}, by {count}', nobody: 'Nobody has scored it yet.', kept: '{keeper} · revision {revision}',
    },
    rubric: { add: 'New rubric', revise: 'Revise rubric', name: 'Name of the rubric', criterion: 'What is judged', weight: 'Weight %', highest: 'Highest', more: 'One more', drop: 'Take this one away', sum: 'Weights come to {sum}%; they have to be 100%' },
    shared: {
      until: 'Until {time}', whose: '{teacher}, {school}', opening: 'Opening…', overTitle: 'This link is over', over: 'It has expired, was taken back, or was opened as often as it may. Ask whoever sent it for another one.',
      missing: 'The address is not whole. Copy the whole link, with what follows the #.', noDownload: 'For watching only. Rights are with {school} and the teacher', play: 'Play', pause: 'Pause', nothing: 'There is nothing to play in this recording.',
    },
    wall: { playing: 'Recorded lesson', from: '{teacher}, {school}', gone: 'The recording of this lesson was taken down. The assistant should call the school.', none: 'No recording was chosen for this lesson. The assistant should call the school’s scheduler.', over: 'The recording is over.', waiting: 'It starts with the bell' },
    piece: { play: 'Play the piece', stop: 'Stop the piece' },
    mark: { title: 'Chapter marks', name: 'What begins here (optional)', kept: 'Kept: it is among the chapters when the page is opened again.', go: 'Mark', hint: 'Mark this moment: the replay can go straight to it', done: 'Marked {time}', full: 'Not kept: the lesson is not live, or has too many marks' },
    source: { title: 'Recording to play', none: 'None yet', pick: 'Find a recording', choose: 'Use', clear: 'Use none', gone: 'Taken down: choose another one' },
  },
  recordings: { title: 'Recordings', emptyTitle: 'No recordings yet', empty: 'Lessons appear here once they were taught.', lesson: 'Lesson', teacher: 'Lead teacher', when: 'When', watch: 'Replay' },
}
