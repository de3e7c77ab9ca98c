/** Words of the audit. */
export const audit = {
  audit: {
    title: '审计', time: '时间', actor: '谁', act: '做了什么', object: '对什么', outcome: '结果', detail: '说明', address: '从哪里', chain: '链',
    done: '完成', refused: '拒绝', any: '全部', from: '从', until: '到', actorHint: 'person:… 或 system', actHint: '例如 sign_in', objectHint: '例如 lesson:…',
    export: '导出 CSV', emptyTitle: '这个条件下没有记录', empty: '换一段时间，或者去掉筛选条件。', beside: '在场 {name}',
    head: '记录链头：第 {seq} 条，{sha}', headHint: '每一条都含有前一条的摘要。把链头抄在别处，以后在服务器上运行 tongke verify audit 就能知道有没有被改过、从哪一条改起。',
    who: { system: '系统', guest: '未登录', publisher: '推流端', person: '人员', classroom: '教室' },
  },
}
