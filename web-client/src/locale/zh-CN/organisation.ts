/** Words of the pages of organisations, devices and tables. */
export const organisation = {
  organisations: {
    title: '学校', name: '名称', code: '代码', kindLabel: '类型', path: '上级', children: '下级机构', tree: '机构',
    kind: { province: '省级', city: '市级', county: '县级', centre_school: '中心校', school: '学校', teaching_point: '教学点' },
    pick: '从左边选一个机构', pickHint: '可以看它的代码、教室和班级，也可以添加下级。',
    emptyTitle: '还看不到任何机构', empty: '您的角色还没有对应的机构。请安全管理员给您一个角色。',
    codes: '代码沿革', codeNow: '在用', noCode: '没有代码', scheme: { region: '行政区划代码', school: '学校标识码', local: '本地编号' },
    edit: '修改', add: '添加下级机构', move: '移到别处', close: '停用', closed: '已停用', moveTo: '移到哪个机构下面',
    closeAsk: '停用“{name}”？停用后不能恢复，历史记录都会留着。下面还有开着的机构时不能停用。',
    codeHint: { province: '6 位行政区划代码', city: '6 位行政区划代码', county: '6 位行政区划代码', centre_school: '10 位学校标识码', school: '10 位学校标识码', teaching_point: '10 位标识码，或者上级代码加 -01' },
    classrooms: '教室', addClassroom: '添加教室', noClassrooms: '这里还没有教室。先添加教室，再到教室的电脑上打开 /classroom 登记设备。', classroomName: '教室名称', classroomExample: '例如 三年级（2）班教室',
    classes: '班级', addClass: '添加班级', noClasses: '这里还没有班级。添加班级以后才能排课。', className: '班级名称', grade: '年级', stageLabel: '学段', room: '固定教室', noRoom: '没有固定教室',
    stage: { kindergarten: '学前', primary: '小学', junior: '初中', senior: '高中', vocational: '中职', special: '特教' }, devicesHere: '看这里的设备', peopleHere: '看这里的人员', closeRoom: '停用“{name}”？排过的课和录像都会留着。',
    onStage: {
      title: '上台时录不录学生', off: '不录：学生照常上台，录像里没有他们的画面和声音。', on: '录：听这节课的学校都同意录时，学生上台的画面和声音会录下来。',
      turnOn: '改为录', turnOff: '改为不录', basis: '依据', example: '例如：三年级家长同意书，2026-09-01，存教导处', hint: '写明监护人同意的依据，最多 80 个字，会记入审计。从下一节课起录，正在上的课不变。',
      setAt: '{at} 设定，从下一节课起生效。', never: '还没有设定过，一直不录。', done: '已经保存，从下一节课起生效。',
    },
  },
  devices: {
    title: '设备', enrol: '登记设备', code: '教室屏幕上的代码', classroom: '教室', name: '设备名称', nameExample: '例如 讲台电脑', school: '学校',
    state: { here: '已登记', never: '还没来过', revoked: '已注销' }, seen: '最近登录', enrolledAt: '登记时间',
    emptyTitle: '还没有登记设备', empty: '在教室的电脑上打开 {address}，把屏幕上的代码填到“登记设备”里。',
    pickClassroom: '输入学校或教室名称查找', go: '登记', enrolled: '“{name}”登记好了，教室的屏幕会自己进去。',
    notFound: '没有这个代码。请看教室屏幕上现在的代码：它每 10 分钟换一次。',
    revoke: '注销', revokeAsk: '注销“{name}”？那台电脑立即退出，不能再进课堂。丢失、报废或者调到别的教室时用。', rename: '改名', replace: '换一台',
    replaceHint: '先在新电脑上打开 /classroom，登记新设备，再注销旧的“{name}”。', replaceGo: '登记并注销旧的',
  },
  tables: {
    title: '表格导入导出', what: { organisations: '机构', classrooms: '教室', classes: '班级', people: '人员' },
    out: '导出', outHint: '导出的表格改好以后可以再导入。“编号”一列请不要改：靠它认出同名的人和教室。', xlsx: '下载 XLSX', csv: '下载 CSV',
    in: '导入', inHint: '新增的行“编号”留空。先检查，没有错误才能导入；有一行错，整张表都不导入。同一张表导入两次，第二次什么也不变。最多 5000 行。',
    columns: {
      organisations: '列：代码、名称、类型（省、市、县、中心校、学校、教学点）、上级（写代码或全称）、编号', classrooms: '列：学校（写代码或全称）、名称、编号',
      classes: '列：学校（写代码或全称）、学段、年级、名称、教室、编号', people: '列：机构（写代码或全称）、姓名、登录名、编号。角色请在人员页面由安全管理员授予。',
    },
    headings: {
      organisations: { code: '代码', name: '名称', kind: '类型', parent: '上级', id: '编号' }, classrooms: { organisation: '学校', name: '名称', id: '编号' },
      classes: { organisation: '学校', stage: '学段', grade: '年级', name: '名称', classroom: '教室', id: '编号' }, people: { organisation: '机构', name: '姓名', sign_in_name: '登录名', id: '编号' },
    },
    choose: '选择 CSV 或 XLSX 文件', chooseOther: '换一个文件', wrongFile: '只能选 .csv 或 .xlsx 文件。旧的 .xls 请先另存为 .xlsx。', looking: '正在检查…',
    counts: '共 {rows} 行：新增 {added}，修改 {changed}，不变 {unchanged}', bad: '有 {count} 处错误，一行也不会导入。请按行号改好，再选一次文件。', same: '和现在的一样，不用导入。',
    take: '导入', taken: '已导入。', row: '行号', column: '列', value: '填的内容', reason: '怎么改',
  },
}
