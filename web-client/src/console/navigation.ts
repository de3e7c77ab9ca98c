import type { Me, RoleName } from '../api/model'

/** One entry of the console's navigation. */
export interface NavItem {
  name: 'today' | 'timetable' | 'dispatch' | 'recordings' | 'storage' | 'reports' | 'organisations' | 'people' | 'devices' | 'tables' | 'audit'
  to: string
  /** Roles that see it; `null`: everyone. The hub checks again. */
  roles: readonly RoleName[] | null
}

const SCHOOL: readonly RoleName[] = ['school_administrator', 'scheduler', 'system_administrator']

export const navItems: readonly NavItem[] = [
  { name: 'today', to: '/lessons', roles: null },
  { name: 'timetable', to: '/timetable', roles: ['lead_teacher', 'assistant', 'school_administrator', 'scheduler', 'patrol', 'reviewer'] },
  { name: 'dispatch', to: '/dispatch', roles: ['scheduler'] },
  { name: 'recordings', to: '/recordings', roles: ['lead_teacher', 'school_administrator', 'scheduler', 'patrol', 'reviewer'] },
  { name: 'reports', to: '/reports', roles: ['lead_teacher', 'school_administrator', 'scheduler', 'patrol', 'reviewer'] },
  { name: 'organisations', to: '/organisations', roles: [...SCHOOL, 'patrol', 'reviewer', 'security_administrator', 'audit_administrator', 'operator'] },
  { name: 'people', to: '/people', roles: [...SCHOOL, 'security_administrator'] },
  { name: 'devices', to: '/devices', roles: [...SCHOOL, 'operator'] },
  { name: 'storage', to: '/storage', roles: ['school_administrator', 'system_administrator', 'operator'] },
  { name: 'tables', to: '/tables', roles: [...SCHOOL, 'security_administrator'] },
  { name: 'audit', to: '/audit', roles: ['audit_administrator'] },
]

export const holds = (me: Me, ...roles: RoleName[]): boolean => me.roles.some(held => roles.includes(held.role))

/** The entries for this person. */
export function navItemsOf(me: Me): readonly NavItem[] {
  if (me.role === 'classroom')
    return []
  return navItems.filter(item => item.roles === null || holds(me, ...item.roles))
}

/** The first page of this person: people without lessons of their own start with what they manage. */
export function firstPage(me: Me): string {
  if (me.role === 'classroom')
    return '/classroom'
  if (holds(me, 'audit_administrator'))
    return '/audit'
  if (holds(me, 'system_administrator', 'operator'))
    return '/organisations'
  if (holds(me, 'security_administrator'))
    return '/people'
  return '/lessons'
}

/** Whether the address belongs to an item that this person does not have. */
export function isClosedTo(me: Me, path: string): boolean {
  const item = navItems.find(one => path === one.to || path.startsWith(`${one.to}/`))
  return item !== undefined && !navItemsOf(me).includes(item)
}
