import type { account as words } from '../zh-CN/account'

/** Words of signing in, of first start and of the pages of people. */
export const account: typeof words = {
  roles: {
    lead_teacher: 'Lead teacher', assistant: 'Assistant', school_administrator: 'School administrator', scheduler: 'Scheduler', patrol: 'Patrol', reviewer: 'Reviewer',
    system_administrator: 'System administrator', security_administrator: 'Security administrator', audit_administrator: 'Audit administrator', operator: 'Operator', classroom: 'Classroom', bureau_officer: 'No role yet',
  },
  role: { lead_teacher: 'Lead teacher', classroom: 'Classroom', bureau_officer: 'Education bureau', teacher: 'Lead teacher', observer: 'Observer', guest: 'Guest' },
  signIn: {
    title: 'Sign in', name: 'Sign-in name', password: 'Password', code: 'One-time code', codeHint: 'Only if you have bound your phone', go: 'Sign in', working: 'Checking…',
    done: 'All set. Please sign in with the new password; with a phone code, wait for the next one.',
    lostTitle: 'Forgotten password, or lost phone',
    lostPassword: 'Forgotten password: ask your school’s administrator (administrators: the security administrator) for a set-up link. Open it within 72 hours and set a new password. It also unlocks an account that was locked.',
    lostPhone: 'Lost phone: ask the security administrator to take the phone code away, then for a set-up link.',
    lostAdministrator: 'The last administrator forgot: on the server run tongke set-up-link --data FOLDER --sign-in-name NAME; it shows a one-time link.',
    links: 'One-time sign-in links from your school still open directly.',
  },
  welcome: {
    title: 'Welcome, {name}', password: 'Please set a password of your own. Nobody else can see it, not even an administrator.', secondFactor: 'Your role also needs a code from your phone: whoever learns the password still cannot sign in.',
    later: 'Later; sign out for now',
  },
  setUp: {
    title: 'First start', why: 'Make the top organisation and three administrators. They must be three people: one keeps the system, one gives roles, one reads the audit; nobody can change their own record.',
    secret: 'Start secret', secretHint: 'Shown on the server’s console at its start, for 15 minutes; a restart shows a new one', top: 'Top organisation', topExample: 'e.g. Hanbin District Education Bureau',
    does: { system_administrator: 'Keeps organisations, people, classrooms and devices.', security_administrator: 'Gives and ends roles, unlocks accounts.', audit_administrator: 'Reads and exports the audit.' },
    go: 'Set up', overTitle: 'It is set up', over: 'The top organisation and its administrators are there. Please sign in.', doneTitle: 'It is set up',
    done: 'These three links are shown once; each opens once, within 72 hours. Hand each to its person, who sets a password and a phone code.',
  },
  account: {
    title: 'My account', passwordTitle: 'Password', current: 'Present password', next: 'New password', again: 'Once more', rules: 'At least 10 characters; three of capitals, small letters, digits, signs; none of the last 5.', differs: 'The two are not the same.',
    setPassword: 'Set password', passwordSet: 'The password is changed; everywhere else you are signed out.',
    factorTitle: 'Phone code', bindWhy: 'Once bound, whoever learns the password still cannot sign in.', begin: 'Begin', bound: 'A phone code is bound. For a new phone, ask the security administrator to take it away.',
    scan: 'Scan this with the authenticator app on your phone, then type the 6 digits it shows.', orType: 'Or type it in:', code: '6-digit code', bind: 'Bind',
    sessionsTitle: 'Where you are signed in', thisOne: 'here', since: 'since {time}', seen: 'used {time}', signOut: 'Sign out', rolesTitle: 'My roles', until: 'until {time}',
  },
  people: {
    title: 'People', add: 'Add person', name: 'Name', signInName: 'Sign-in name', noSignInName: 'Links only', signInHint: 'Small letters and digits, e.g. zhangli',
    emptyTitle: 'Nobody yet', empty: 'Press “Add person”, give a sign-in name, then send a set-up link.', account: 'Account', left: 'Left',
    has: { both: 'Password and phone', password: 'Password', none: 'No password yet' },
    roles: 'Roles', noRoles: 'No role: nothing to be seen after signing in.', giveRole: 'Give a role', role: 'Role', where: 'Where', until: 'Until', untilHint: 'Empty: for good. Guest teachers need a date', forever: 'For good', from: 'From', endRole: 'End', ended: 'Ended', coming: 'Not begun',
    endRoleAsk: 'End {role} of “{name}”? It ends now.', give: 'Give',
    link: 'Make a set-up link', linkWhy: 'For the first password, a forgotten one, or a locked account.', linkShown: 'Shown once; it opens once, until {time}. Hand it to the person directly.',
    drop: 'Take phone code away', dropAsk: 'Take the phone code of “{name}” away? Only when the phone is lost. A new one has to be bound at the next sign-in.', dropped: 'Phone code taken away',
    leave: 'Let go', leaveAsk: 'Let “{name}” go? All roles end and they are signed out, for good. Past lessons and records stay.',
    lock: 'Lock account', lockAsk: 'Lock “{name}” out? They are signed out at once and cannot sign in until unlocked.', unlock: 'Unlock', locked: 'Locked since {time}', lockedUntil: 'Too many wrong passwords: no sign-in before {time}',
    sessions: 'Signed in', noSessions: 'Not signed in now.', signOut: 'Sign out', signOutAll: 'Sign out everywhere', edit: 'Edit',
  },
  enter: {
    title: 'Signing in',
    working: 'Checking the sign-in link…',
    usedTitle: 'This sign-in link no longer works',
    used: 'A link works once, or for a limited time. If you signed in on this computer before, just go on; otherwise ask the school’s administrator for a new link.',
    missing: 'The address holds no sign-in secret. Please copy the whole link, with what follows the #.',
    goOn: 'Go on',
  },
}
