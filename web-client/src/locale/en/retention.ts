import type { retention as words } from '../zh-CN/retention'

/** Words of the storage page. */
export const retention: typeof words = {
  storage: {
    title: 'Storage',
    used: 'Recordings take', recordings: '{count} recordings', pendingCount: '{count} of them wait to be deleted',
    forecast: 'How long it lasts', unknown: 'After a week of lessons this says how many days the disk will last.', days: 'At this rate it lasts {days} days.', today: 'At this rate it is full today.', enough: 'At this rate it lasts two years and more.',
    makeRoom: 'Please make room soon, or add disk.',
    disk: 'Disk of recordings', diskFree: '{free} free of {total}', diskFine: 'There is room.', fullIn: 'As it filled in the last minutes, it is full in {span}.',
    mirror: 'Copies elsewhere', noMirror: 'None. Recordings are on this server alone, and are lost with its disk.', noMirrorHint: 'Started with --s3, the hub copies every recording into an object store.',
    mirrorWhole: 'Every recording has its copy.', mirrorBehind: 'Copying: {bytes} to go, the oldest has waited {waits}.',
    mirrorFailing: 'The object store cannot be reached since {since}; {bytes} wait. Recordings stay here meanwhile, and are copied once it is back.',
    alarms: '{count} files are in the object store with other contents, and were not written over. Please have them looked at.',
    clockMoved: 'The clock differs by {off} from what was noted last, so nothing was deleted. Please set it right; if this is the right time, a system administrator has to say so.',
    tooMany: 'Too much is due: some was dealt with today, {count} wait for the days to come. To take all at once, a system administrator has to say so.',
    confirmed: 'It was confirmed, and begins within minutes.', confirm: 'Confirm and go on', confirmReason: 'Say why; it goes into the audit',
    lastRun: 'Last clean-up: {at}, recordings: {marked} marked, {deleted} deleted', lastRunBeside: 'beside them {clips} clips, line quality of {samples} lessons, attendance of {attendance} lessons', neverRan: 'An hour after its start the hub begins to clear out what is due, once a day.',
    schools: 'What each school takes', school: 'School', usedOf: '{used} of {limit}', unlimited: 'no limit', oldest: 'the oldest of {days} days ago', keeps: 'kept for {days} days', keepsForever: 'kept for ever',
    notice: { near: 'Filling up', close: 'Nearly full', full: 'Full: the timetable is recorded, lessons outside of it are not' },
    setQuota: 'Limit', quotaOf: 'Limit of {name}', gigabytes: 'Size (GB)', days_: 'Oldest recording (days)', quotaHint: 'Empty: no limit. It tells at 80, 95 and 100 %, and never interrupts a lesson.',
    setPolicy: 'Time kept', policyOf: 'How long {name} keeps', recordings_days: 'Recordings (days)', clips_days: 'Clips (days)', samples_days: 'Line quality (days)', attendance_days: 'Attendance and reports (days)',
    policyHint: 'Empty: for ever. Schools below go by it unless they have their own. Recordings count from the end of the lesson; when their time is over they wait 7 days, and can be restored. Clips count from when they were cut, line quality and attendance from the end of the lesson; they go on the day, for good. The figures of a report outlast its line quality. Whatever belongs to a recording that somebody holds stays, and so does what is published or will be played by a lesson.',
    list: 'What stays and what goes', show: { all: 'All', pending: 'To be deleted', held: 'Held' },
    lesson: 'Lesson', ended: 'Ended', size: 'Size', state: 'State', goes: 'Deleted',
    states: { live: 'Recording', sealed: 'Complete', archived: 'Archived', pending_deletion: 'To be deleted', deleting: 'Being deleted', deleted: 'Deleted' },
    mirrored: 'copied', held: '{name} holds it: {reason}', heldUntil: 'held until {at}', chosen: 'a lesson will play it: it stays', stays: 'stays', goesAt: '{at}', soon: 'today', inDays: 'in {days} days',
    request: 'Deletion asked for: {reason}', retention: 'Its time is over',
    hold: 'Hold', release: 'Let go', remove: 'Delete', restore: 'Restore', done: 'Done', reason: 'Reason',
    holdTitle: 'Hold this recording', holdHint: 'What is held is not deleted when its time is over, until it is let go.', removeTitle: 'Have this recording deleted', removeHint: 'It is deleted in 7 days, and can be restored until then. The audit keeps it.',
    emptyTitle: 'No recordings yet', empty: 'After the first lesson this lists recordings, and when their time is over.', emptySchools: 'No school has recorded a lesson yet.',
    hours: '{count} h', minutes: '{count} min', seconds: '{count} s', daysLong: '{count} days',
  },
}
