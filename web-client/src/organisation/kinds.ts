import type { OrganisationKind } from '../api/organisation'

const BELOW: Record<OrganisationKind, readonly OrganisationKind[]> = {
  province: ['city', 'county', 'school'],
  city: ['county', 'school'],
  county: ['centre_school', 'school'],
  centre_school: ['teaching_point', 'school'],
  school: ['teaching_point'],
  teaching_point: [],
}

/** Kinds allowed as children, the most frequent first. */
export const kindsBelow = (kind: OrganisationKind): readonly OrganisationKind[] => BELOW[kind]

/** It has classrooms and classes. */
export const teaches = (kind: OrganisationKind): boolean => kind === 'centre_school' || kind === 'school' || kind === 'teaching_point'
