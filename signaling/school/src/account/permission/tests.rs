use super::*;
use crate::{base::id::OrganisationId, fixtures::lesson_of};

const COUNTY: &str = "/county/";
const SCHOOL: &str = "/county/school/";
const SIBLING: &str = "/county/sibling/";
const FOREIGN: &str = "/foreign/";
const NOW: UnixMs = UnixMs(1_000);

fn grant(role: Role, path: &str) -> Grant {
    Grant { role, organisation_id: OrganisationId::fresh(), path: path.into(), from: UnixMs(0), until: None }
}

fn person(id: PersonId, grants: Vec<Grant>) -> Asker {
    Asker { holder: Holder::Person(id), grants }
}

#[test]
fn everyone_may_what_their_part_in_this_lesson_says() {
    let (teacher, other) = (PersonId::fresh(), PersonId::fresh());
    let (listed, unlisted) = (ClassroomId::fresh(), ClassroomId::fresh());
    let mut lesson = lesson_of(teacher, &[listed]);
    lesson.places = vec![SCHOOL.into()];
    let device = |id, grants| Asker { holder: Holder::Classroom(id), grants };
    let whole_county = |role| person(other, vec![grant(role, COUNTY)]);
    //                                                          see    teach  attend watch  replay export
    let table = [
        (person(teacher, vec![grant(Role::LeadTeacher, SCHOOL)]), [true, true, false, false, true, true]),
        (person(other, vec![grant(Role::LeadTeacher, SCHOOL)]), [false; 6]),
        (whole_county(Role::Patrol), [true, false, false, true, true, true]),
        (whole_county(Role::Reviewer), [true, false, false, false, true, false]),
        (whole_county(Role::Scheduler), [true, false, false, false, false, false]),
        (whole_county(Role::Operator), [false; 6]),
        (whole_county(Role::SystemAdministrator), [false; 6]),
        (person(other, vec![grant(Role::Patrol, SIBLING)]), [false; 6]),
        (person(other, vec![grant(Role::Patrol, FOREIGN)]), [false; 6]),
        (device(listed, vec![]), [true, false, true, false, true, false]),
        (device(unlisted, vec![]), [false; 6]),
        // A device that claims a person's role gets none of it, nor does a guest teacher after the role's end.
        (device(unlisted, vec![grant(Role::Patrol, COUNTY)]), [false; 6]),
        (person(teacher, vec![Grant { until: Some(NOW), ..grant(Role::LeadTeacher, SCHOOL) }]), [false; 6]),
    ];
    let acts = [
        Permission::SeeLessons,
        Permission::Teach,
        Permission::Attend,
        Permission::Watch,
        Permission::Replay,
        Permission::ExportRecording,
    ];
    for (asker, expected) in table {
        assert_eq!(acts.map(|act| may(&asker, act, Place::Lesson(&lesson), NOW).is_ok()), expected, "{asker:?}");
    }
}

#[test]
fn a_role_reaches_its_place_and_what_is_below_and_nothing_else() {
    for role in Role::ALL {
        let asker = person(PersonId::fresh(), vec![grant(*role, SCHOOL)]);
        for act in Permission::ALL {
            let (there, below) = (Place::At(SCHOOL), Place::At("/county/school/point/"));
            let allowed = may(&asker, act, there, NOW).is_ok();
            assert_eq!(may(&asker, act, below, NOW).is_ok(), allowed, "{role:?} {act:?}");
            for place in [COUNTY, SIBLING, FOREIGN, "/county/school", "/", ""] {
                assert!(may(&asker, act, Place::At(place), NOW).is_err(), "{role:?} {act:?} {place}");
            }
        }
    }
}

#[test]
fn the_three_administrators_share_no_power_over_each_other() {
    let may_do = |role, act| {
        let asker = person(PersonId::fresh(), vec![grant(role, COUNTY)]);
        may(&asker, act, Place::Wherever, NOW).is_ok()
    };
    for act in [
        Permission::GrantRoles,
        Permission::SeeAudit,
        Permission::EditOrganisations,
        Permission::EditPeople,
        Permission::EditSessions,
    ] {
        let holders: Vec<_> = [Role::SystemAdministrator, Role::SecurityAdministrator, Role::AuditAdministrator]
            .into_iter()
            .filter(|role| may_do(*role, act))
            .collect();
        assert_eq!(holders.len(), 1, "{act:?}: {holders:?}");
    }
    for given in Role::ALL {
        assert!(!may_give(Role::SystemAdministrator, *given) && !may_give(Role::AuditAdministrator, *given));
        assert_eq!(may_give(Role::SchoolAdministrator, *given), given.is_in_the_classroom());
    }
}

#[test]
fn places_that_lie_in_each_other_are_one() {
    let grants = vec![grant(Role::Patrol, SCHOOL), grant(Role::Patrol, COUNTY), grant(Role::Patrol, FOREIGN)];
    let scope = may(&person(PersonId::fresh(), grants), Permission::Watch, Place::Wherever, NOW).unwrap();
    let Reach::Some { below, .. } = scope.reach() else { panic!("{scope:?}") };
    assert_eq!(below, &[COUNTY.to_owned(), FOREIGN.to_owned()]);
}

#[test]
fn what_is_published_is_read_where_one_teaches_or_looks_and_above() {
    let (county, school, other) = (OrganisationId::fresh(), OrganisationId::fresh(), OrganisationId::fresh());
    let at_school = format!("/{county}/{school}/");
    for role in Role::ALL {
        let asker = person(PersonId::fresh(), vec![grant(*role, &at_school)]);
        let readers = Readers::of(&asker, NOW);
        let reads = may(&asker, Permission::SeeTimetable, Place::Wherever, NOW).is_ok();
        assert_eq!([county, school, other].map(|place| readers.reads(place)), [reads, reads, false], "{role:?}");
    }
    let device =
        Asker { holder: Holder::Classroom(ClassroomId::fresh()), grants: vec![grant(Role::Patrol, &at_school)] };
    assert!(!Readers::of(&device, NOW).reads(county));
    // Reading at the county does not include what is published to a single school below it.
    let officer = person(PersonId::fresh(), vec![grant(Role::Reviewer, &format!("/{county}/"))]);
    assert_eq!([county, school].map(|place| Readers::of(&officer, NOW).reads(place)), [true, false]);
}

#[test]
fn a_lesson_is_its_teachers_and_its_schools_and_not_its_listeners() {
    let (teacher, listed) = (PersonId::fresh(), ClassroomId::fresh());
    let mut lesson = lesson_of(teacher, &[listed]);
    lesson.places = vec![SCHOOL.into(), SIBLING.into()];
    let owns = |asker: &Asker, act| may(asker, act, Place::Wherever, NOW).is_ok_and(|scope| scope.owns(&lesson));
    let table = [
        (person(teacher, vec![grant(Role::LeadTeacher, SCHOOL)]), [true, true, false]),
        (person(PersonId::fresh(), vec![grant(Role::LeadTeacher, SCHOOL)]), [false; 3]),
        (person(PersonId::fresh(), vec![grant(Role::Reviewer, COUNTY)]), [true, true, true]),
        (person(PersonId::fresh(), vec![grant(Role::Reviewer, SIBLING)]), [false; 3]),
        (person(PersonId::fresh(), vec![grant(Role::SchoolAdministrator, SCHOOL)]), [true, false, false]),
        (person(PersonId::fresh(), vec![grant(Role::SchoolAdministrator, SIBLING)]), [false; 3]),
        (Asker { holder: Holder::Classroom(listed), grants: vec![] }, [false; 3]),
    ];
    for (asker, expected) in table {
        assert_eq!(
            [Permission::SeeReviews, Permission::Comment, Permission::Review].map(|act| owns(&asker, act)),
            expected,
            "{asker:?}"
        );
    }
}
