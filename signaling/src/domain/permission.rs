//! Who may do what: one function, used by every handler.

use super::{
    id::{ClassroomId, PersonId},
    lesson::Lesson,
    organisation::{Holder, Role},
};

/// Whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Person or device.
    pub holder: Holder,
    /// In which role.
    pub role: Role,
}

impl Asker {
    /// The person, where it is one.
    #[must_use]
    pub fn person_id(&self) -> Option<PersonId> {
        match self.holder {
            Holder::Person(person_id) => Some(person_id),
            Holder::Classroom(_) => None,
        }
    }

    /// The classroom, where it is a device.
    #[must_use]
    pub fn classroom_id(&self) -> Option<ClassroomId> {
        match self.holder {
            Holder::Classroom(classroom_id) => Some(classroom_id),
            Holder::Person(_) => None,
        }
    }
}

/// What one may want of a lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Know that it exists.
    See,
    /// Publish, start and end it.
    Teach,
    /// Sit in it as a receiving classroom.
    Attend,
    /// Look in without being seen by the room; the audit sees it.
    Watch,
    /// Replay what was recorded.
    Replay,
}

/// Whether `asker` may do `action` with `lesson`. Guests are not asked here: their token says all they may.
#[must_use]
pub fn may(asker: &Asker, action: Action, lesson: &Lesson) -> bool {
    let teaches = asker.role == Role::LeadTeacher && asker.person_id() == Some(lesson.teacher.person_id);
    let attends = asker.role == Role::Classroom
        && asker.classroom_id().is_some_and(|id| lesson.classrooms.iter().any(|listed| listed.classroom_id == id));
    let oversees = asker.role == Role::BureauOfficer && asker.person_id().is_some();
    match action {
        Action::See | Action::Replay => teaches || attends || oversees,
        Action::Teach => teaches,
        Action::Attend => attends,
        Action::Watch => oversees,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lesson::tests::lesson_of;

    #[test]
    fn everyone_may_what_their_role_in_this_lesson_says() {
        let (teacher, other_teacher, officer) = (PersonId::fresh(), PersonId::fresh(), PersonId::fresh());
        let (listed, unlisted) = (ClassroomId::fresh(), ClassroomId::fresh());
        let lesson = lesson_of(teacher, &[listed]);
        let person = |id, role| Asker { holder: Holder::Person(id), role };
        let device = |id| Asker { holder: Holder::Classroom(id), role: Role::Classroom };
        //                                                          see    teach  attend watch  replay
        let table = [
            (person(teacher, Role::LeadTeacher), [true, true, false, false, true]),
            (person(other_teacher, Role::LeadTeacher), [false; 5]),
            (person(officer, Role::BureauOfficer), [true, false, false, true, true]),
            (device(listed), [true, false, true, false, true]),
            (device(unlisted), [false; 5]),
            // A device that claims a person's role, or a person that claims a device's, gets nothing.
            (Asker { holder: Holder::Classroom(listed), role: Role::BureauOfficer }, [false; 5]),
            (person(teacher, Role::Classroom), [false; 5]),
        ];
        let actions = [Action::See, Action::Teach, Action::Attend, Action::Watch, Action::Replay];
        for (asker, expected) in table {
            assert_eq!(actions.map(|action| may(&asker, action, &lesson)), expected, "{asker:?}");
        }
    }
}
