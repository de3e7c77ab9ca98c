import type { problem as words } from '../../zh-CN/problem/type'

/** Why the hub refused something, by the type of the problem: what happened, and what to do. */
export const problem: typeof words = {
  problem: {
    unknown: { title: 'It did not work', why: 'The server did not accept the request ({detail}).' },
    // Of any request.
    'cross-site': { title: 'The request came from another site', why: 'Please do it on Tongke’s own pages.' },
    'not-found': { title: 'Not found', why: 'Please check the address, or look with another account.' },
    'not-allowed': { title: 'Your role does not allow this', why: 'Please use an account that may, or ask the security administrator for the role.' },
    'invalid': { title: 'Something has to be written otherwise', why: 'Please check “{field}”: {reason}.', unknown: 'Please check “{field}” ({detail}).' },
    'already-there': { title: 'There is one already', why: 'This name, code or key is in use, or was once. Please choose another one.' },
    'separated-powers': { title: 'Three people for three offices', why: 'The system, security and audit administrators have to be different people. Please choose somebody else.' },
    'version-needed': { title: 'If-Match is missing', why: 'Please send the ETag that was read last with the change.' },
    'other-version': { title: 'Somebody else has changed it', why: 'Please load what it is now, then change it.' },
    'key-reused': { title: 'The Idempotency-Key was used for another request', why: 'Please use a new key for a new request.' },
    'busy': { title: 'The server is busy', why: 'Please try again in a few seconds.' },
    'method-not-allowed': { title: 'Not by this method', why: 'Please use another request method.' },
    'unsupported-media-type': { title: 'Wrong type of content', why: 'Please send it as {expected}.' },
    'too-large': { title: 'Too large', why: 'It can be {max} at most.' },
    'too-slow': { title: 'The request took too long', why: 'Please check the network and try again.' },
    'bad-request': { title: 'The request cannot be read', why: 'Please check what was sent ({why}).' },
    'too-many-attempts': { title: 'Too many attempts', why: 'Please try again in a minute.' },
    'too-many-at-once': { title: 'Too many downloads at once', why: 'At most {max} run at a time. Please wait until one of them is done.' },
    'secret-in-url': { title: 'Tokens do not belong in an address', why: 'An address stays in logs and in the browser’s history. Please take the token out, sign in, and open the page without it.' },
    'range-not-satisfiable': { title: 'Outside the file', why: 'Please check the Range.' },
    'internal': { title: 'Something went wrong in the server', why: 'It is in the server’s log. Please try again later.' },
    // Of signing in.
    'signed-out': { title: 'Not signed in', why: 'Please open the sign-in link from your school.' },
    'link-refused': { title: 'This sign-in link does not work', why: 'A link works once, and only for a limited time. Please ask an administrator for a new one.' },
    'set-up-needed': { title: 'A password or a phone code comes first', why: 'Please set a password, bind a phone code, then sign in again.' },
    'sign-in-refused': { title: 'Signing in failed', why: 'Name, password or code are wrong, or the account is locked for now. {failures_max} mistakes in a row lock it for {lock_minutes} minutes; if you have forgotten the password, please ask an administrator.' },
    'plain-http': { title: 'The connection is not encrypted', why: 'Administrators and patrols sign in at an address that begins with https://. Others may have seen the password that was just typed: please change it after signing in.' },
    'already-set-up': { title: 'It is set up already', why: 'Please sign in.' },
    // Of a lesson, its seats and its media.
    'token-missing': { title: 'The token is missing', why: 'Please send a Bearer token in the Authorization header.' },
    'token-expired': { title: 'The token has expired', why: 'Please enter the lesson again for a new one.' },
    'token-refused': { title: 'The token is not accepted', why: 'Please check that the token belongs to the address of this lesson.' },
    'wrong-kind-of-token': { title: 'This token is for something else', why: 'Sending takes the token of the teacher; watching takes that of a classroom or a guest.' },
    'wrong-lesson-state': {
      title: 'Not at this moment',
      why: {
        scheduled: 'The lesson is not open yet. It opens 10 minutes before it starts.', open: 'The lesson has not begun. Please wait for the teacher to start it.', live: 'The lesson is live.', ended: 'The lesson is over. Its replay can be watched.',
        archived: 'The lesson is over. Its replay can be watched.', cancelled: 'The lesson was called off. The timetable says why.', missed: 'The lesson was not held. Please ask the scheduler for another date.',
      },
    },
    'guests-full': { title: 'Every guest seat is taken', why: 'Please come back a little later, or watch the replay after the lesson.' },
    'bad-sdp': { title: 'The SDP cannot be read', why: 'Please check the SDP that was sent ({why}).' },
    'media-mismatch': { title: 'The media of the SDP do not fit', why: 'Please check the number and direction of its m-lines ({why}).' },
    'unsupported-codec': {
      title: 'This device’s codecs do not fit', why: '{what} needs {wanted}. Please use a recent Chromium, or set the encoder to H.264 and Opus.',
      what: { voice: 'The voice', stage_voice: 'The voice', mixed_voice: 'The voice', board: 'The board', camera: 'The camera', stage: 'The camera' },
    },
    'hub-full': { title: 'Too many connections now', why: 'It tries again by itself in a little while.' },
    'session-gone': { title: 'The connection is over', why: 'Please connect again.' },
    'bad-sdp-fragment': { title: 'The SDP fragment cannot be read', why: 'Please check the fragment ({why}).' },
    'if-match-required': { title: 'If-Match is missing', why: 'Please send If-Match: the latest ETag with candidates, "*" to restart ICE.' },
    'etag-differs': { title: 'The ICE session is another by now', why: 'Please use the ETag of the latest answer.' },
    // Of the library.
    'taken-down': { title: 'The recording was taken down', why: 'Reason: {reason}. To have it back, open it among the recordings and choose “Put back”.' },
    'rights': {
      title: 'Not at this moment',
      why: {
        'only-the-author': 'Only its teacher can agree to show it, or withdraw that.', 'only-the-keeper': 'Only a school administrator can publish it. Please ask one.', 'no-consent': 'Its teacher has not agreed yet. Please have the teacher sign in and agree among the recordings first.',
        'wrong-standing': 'The recording was taken down. Please put it back first.', 'other-side': { author: 'Its teacher took it down, and only the teacher can put it back.', keeper: 'The school took it down. Please ask the school administrator to put it back.' },
      },
    },
    'no-ffmpeg': { title: 'Both pictures cannot be put into one now', why: 'This server has no ffmpeg. Please have the administrator install it; the pictures can be downloaded as they are.' },
    'composite-busy': { title: 'Both pictures cannot be put into one now', why: 'Another lesson is being made. Please try again when it is done.' },
    'not-two-pictures': { title: 'Both pictures cannot be put into one now', why: 'It takes a board and a camera. Please download the pictures of this lesson as they are.' },
    'composite-refused': { title: 'Both pictures cannot be put into one now', why: 'The disk cannot be written. Please have the administrator make room and try again.' },
    // Of what is kept and what is deleted.
    'wrong-storage-state': {
      title: 'Not at this moment',
      why: {
        live: 'The lesson is still on, and its recording is not complete. Please come back after it.', sealed: 'The recording is not about to be deleted: there is nothing to restore.', archived: 'The recording is not about to be deleted: there is nothing to restore.',
        pending_deletion: 'The recording is to be deleted already. It can be restored within seven days.', deleting: 'The recording was deleted and cannot be restored.', deleted: 'The recording was deleted and cannot be restored.',
      },
    },
    'recording-held': { title: 'The recording is held', why: 'Somebody holds this recording. Please let it go first, then delete it.' },
    'recording-deleted': {
      title: 'This recording was deleted',
      why: {
        going: 'The recording of this lesson is being deleted, and can be watched no more.',
        retention: 'The recording of this lesson was deleted on {day}, when its time was over. The audit has a record of it.', request: 'The recording of this lesson was deleted on {day}, because that was asked for. The audit has a record of it.',
      },
    },
    'report-deleted': {
      title: 'This report was deleted',
      why: {
        going: 'Attendance and report of this lesson are being deleted, and can be seen no more.',
        retention: 'Attendance and report of this lesson were deleted on {day}, when their time was over. The audit has a record of it.', request: 'Attendance and report of this lesson were deleted on {day}, because that was asked for. The audit has a record of it.',
      },
    },
    // Of the timetable, of dispatch and of organisations.
    'double-booked': {
      title: 'Conflict',
      why: { named: 'Teacher, classroom, class or device already have a lesson at this time: {titles}. Please choose another period, or move that lesson first.', hidden: 'Teacher, classroom, class or device already have another lesson at this time. Please choose another period, or move that lesson first.' },
    },
    'receiver-limit': {
      title: 'Too many listening classrooms',
      why: { interactive: 'At most {max} classrooms can take part; these are {asked}.', may_watch: 'At most {max} classrooms can take part; these are {asked}. The others could watch only.', watch_only: 'At most {max} classrooms can watch only; these are {asked}.' },
    },
    'stands-on': {
      title: 'Something depends on it',
      why: {
        terms: 'One term belongs to it. Please delete that first. | {count} terms belong to it. Please delete them first.', courses: 'One course is planned in it. Please delete that first. | {count} courses are planned in it. Please delete them first.',
        agreements: 'One pairing or listening right is in it. Please use another term. | {count} pairings or listening rights are in it. Please use another term.',
        lessons: 'One lesson is planned by it. Please move it or call it off in Dispatch first. | {count} lessons are planned by it. Please move them or call them off in Dispatch first.',
      },
    },
    'unreadable-file': { title: 'The file cannot be read', why: 'The file cannot be read; no line was taken in. Please save it again as XLSX, or as CSV in UTF-8, and take it in again.' },
    'bad-lines': { title: 'Some lines are wrong', why: 'One mistake: no line was taken in. Please mend it by its line number and take the table in again. | {count} mistakes: no line was taken in. Please mend them by their line numbers and take the table in again.' },
  },
}
