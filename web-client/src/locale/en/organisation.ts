import type { organisation as words } from '../zh-CN/organisation'

/** Words of the pages of organisations, devices and tables. */
export const organisation: typeof words = {
  organisations: {
    title: 'Schools', name: 'Name', code: 'Code', kindLabel: 'Kind', path: 'Belongs to', children: 'Below it', tree: 'Organisations',
    kind: { province: 'Province', city: 'City', county: 'County', centre_school: 'Centre school', school: 'School', teaching_point: 'Teaching point' },
    pick: 'Choose an organisation at the left', pickHint: 'You see its codes, classrooms and classes, and can add to it.',
    emptyTitle: 'No organisation to be seen', empty: 'Your roles have no place yet. Please ask the security administrator for one.',
    codes: 'Codes over time', codeNow: 'in use', noCode: 'No code', scheme: { region: 'Region code', school: 'School code', local: 'Local number' },
    edit: 'Edit', add: 'Add below', move: 'Move', close: 'Close', closed: 'Closed', moveTo: 'Below which organisation',
    closeAsk: 'Close “{name}”? This cannot be undone; its history stays. It cannot be closed while something below it is open.',
    codeHint: { province: '6-digit region code', city: '6-digit region code', county: '6-digit region code', centre_school: '10-digit school code', school: '10-digit school code', teaching_point: '10-digit code, or its school’s code with -01' },
    classrooms: 'Classrooms', addClassroom: 'Add classroom', noClassrooms: 'No classrooms yet. Add one, then open /classroom on its computer to enrol it.', classroomName: 'Name', classroomExample: 'e.g. Room of class 3 (2)',
    classes: 'Classes', addClass: 'Add class', noClasses: 'No classes yet. Lessons can be planned once there are classes.', className: 'Name', grade: 'Grade', stageLabel: 'Stage', room: 'Own room', noRoom: 'No room of its own',
    stage: { kindergarten: 'Nursery', primary: 'Primary', junior: 'Junior', senior: 'Senior', vocational: 'Vocational', special: 'Special' }, devicesHere: 'Devices here', peopleHere: 'People here', closeRoom: 'Close “{name}”? Past lessons and recordings stay.',
    onStage: {
      title: 'Recording pupils on stage', off: 'Not recorded: pupils come on stage as ever, and are neither seen nor heard in the recording.', on: 'Recorded: where every school that listens agrees, pupils on stage are seen and heard in the recording.',
      turnOn: 'Record them', turnOff: 'Stop recording them', basis: 'Ground', example: 'e.g. parents’ consent, class 3, 2026-09-01, kept in the office', hint: 'Say on what consent of their guardians, in 80 characters at most; the audit keeps it. It holds from the next lesson on; what is on now does not change.',
      setAt: 'Set {at}; holds from the next lesson on.', never: 'Never set: they are not recorded.', done: 'Saved; it holds from the next lesson on.',
    },
  },
  devices: {
    title: 'Devices', enrol: 'Enrol a device', code: 'Code on the classroom’s screen', classroom: 'Classroom', name: 'Device name', nameExample: 'e.g. Desk PC', school: 'School',
    state: { here: 'Enrolled', never: 'Not come yet', revoked: 'Sent away' }, seen: 'Last signed in', enrolledAt: 'Enrolled',
    emptyTitle: 'No devices yet', empty: 'Open {address} on the classroom’s computer and enter the code on its screen under “Enrol a device”.',
    pickClassroom: 'Type a school or classroom', go: 'Enrol', enrolled: '“{name}” is enrolled; the classroom’s screen goes on by itself.',
    notFound: 'No such code. Please look at the code that the screen shows now: it changes every 10 minutes.',
    revoke: 'Send away', revokeAsk: 'Send “{name}” away? That computer is signed out and enters no lesson any more. For lost, scrapped or moved computers.', rename: 'Rename', replace: 'Replace',
    replaceHint: 'Open /classroom on the new computer first; enrolling it sends the old “{name}” away.', replaceGo: 'Enrol, and send the old one away',
  },
  tables: {
    title: 'Tables in and out', what: { organisations: 'Organisations', classrooms: 'Classrooms', classes: 'Classes', people: 'People' },
    out: 'Take out', outHint: 'A table that was taken out can be changed and taken in again. Leave the column “编号” (id) alone: it tells namesakes apart.', xlsx: 'Download XLSX', csv: 'Download CSV',
    in: 'Take in', inHint: 'New lines leave “编号” (id) empty. The file is checked first; one bad line keeps the whole table out. Taken in twice, it changes nothing. At most 5000 lines.',
    columns: {
      organisations: 'Columns: 代码 code, 名称 name, 类型 kind, 上级 parent (code or full name), 编号 id', classrooms: 'Columns: 学校 organisation (code or full name), 名称 name, 编号 id',
      classes: 'Columns: 学校 organisation (code or full name), 学段 stage, 年级 grade, 名称 name, 教室 classroom, 编号 id', people: 'Columns: 机构 organisation (code or full name), 姓名 name, 登录名 sign_in_name, 编号 id. Roles are given on the people page by the security administrator.',
    },
    headings: {
      organisations: { code: '代码 code', name: '名称 name', kind: '类型 kind', parent: '上级 parent', id: '编号 id' }, classrooms: { organisation: '学校 organisation', name: '名称 name', id: '编号 id' },
      classes: { organisation: '学校 organisation', stage: '学段 stage', grade: '年级 grade', name: '名称 name', classroom: '教室 classroom', id: '编号 id' }, people: { organisation: '机构 organisation', name: '姓名 name', sign_in_name: '登录名 sign_in_name', id: '编号 id' },
    },
    choose: 'Choose a CSV or XLSX file', chooseOther: 'Another file', wrongFile: 'Only .csv or .xlsx files. Please save an old .xls as .xlsx first.', looking: 'Checking…',
    counts: '{rows} lines: {added} new, {changed} changed, {unchanged} unchanged', bad: '{count} mistakes: no line will be taken in. Please mend them by their line numbers and choose the file again.', same: 'It is as everything is already; nothing to take in.',
    take: 'Take in', taken: 'Taken in.', row: 'Line', column: 'Column', value: 'What stands there', reason: 'What to do',
  },
}
