//! Authorisation: which role has which permission where. One function, used by every handler.
//!
//! [`may`] returns a [`Scope`], which every query of school data requires: rows outside the caller's scope are not
//! found. The hub's own unbounded scopes are made only in [`crate::account::system_scope`].

use crate::{
    base::{
        id::{ClassroomId, OrganisationId, PersonId},
        time::UnixMs,
    },
    lesson::Lesson,
    organisation::{Grant, Holder, Part, Role},
};

/// The caller, with all their roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Person or device.
    pub holder: Holder,
    /// The person's roles and their places. Empty for a device.
    pub grants: Vec<Grant>,
}

impl Asker {
    /// The person. `None`: the caller is a device.
    #[must_use]
    pub fn person_id(&self) -> Option<PersonId> {
        match self.holder {
            Holder::Person(person_id) => Some(person_id),
            Holder::Classroom(_) => None,
        }
    }

    /// The classroom. `None`: the caller is a person.
    #[must_use]
    pub fn classroom_id(&self) -> Option<ClassroomId> {
        match self.holder {
            Holder::Classroom(classroom_id) => Some(classroom_id),
            Holder::Person(_) => None,
        }
    }

    /// The roles in force at `now`. A device that claims a person's grants has none.
    pub fn roles(&self, now: UnixMs) -> impl Iterator<Item = &Grant> {
        let is_a_person = self.person_id().is_some();
        self.grants.iter().filter(move |grant| is_a_person && grant.holds(now))
    }

    /// The caller's part in a list of lessons.
    #[must_use]
    pub fn part(&self, now: UnixMs) -> Part {
        if self.classroom_id().is_some() {
            return Part::Classroom;
        }
        if self.roles(now).any(|grant| grant.role == Role::LeadTeacher) {
            Part::LeadTeacher
        } else {
            Part::BureauOfficer
        }
    }
}

/// A permission to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Read the tree, its classrooms and classes.
    SeeOrganisations,
    /// Add, change, move and close nodes of the tree.
    EditOrganisations,
    /// Add, change and close classrooms and classes.
    EditClassrooms,
    /// Read devices.
    SeeDevices,
    /// Approve, rename and remove devices.
    EditDevices,
    /// Read people and their roles.
    SeePeople,
    /// Add, change and close people, and send their set-up links.
    EditPeople,
    /// Grant and end roles.
    GrantRoles,
    /// Read and end others' sessions; unlock an account; reset a password or a second factor.
    EditSessions,
    /// Read terms, bell schedules, courses and lessons of the timetable.
    SeeTimetable,
    /// Edit terms, bell schedules, courses and pairings.
    EditTimetable,
    /// Schedule, move, cancel lessons across schools.
    Dispatch,
    /// Read that a lesson exists.
    SeeLessons,
    /// Publish, start and end a lesson.
    Teach,
    /// Take a seat in a lesson as a receiving classroom.
    Attend,
    /// Observe a lesson without being shown to the room; writes an audit row.
    Watch,
    /// Replay recordings.
    Replay,
    /// Download a recording, or a span of it, as a file.
    ExportRecording,
    /// Read attendance, quality and verdicts of lessons.
    SeeReports,
    /// List recordings and their titles. Playing one takes [`Permission::Replay`].
    SeeLibrary,
    /// Name recordings, cut clips, share, publish and take down.
    EditLibrary,
    /// Read reviews of a lesson.
    SeeReviews,
    /// Comment on a recording, and reply.
    Comment,
    /// Score a recording by a rubric.
    Review,
    /// Edit rubrics.
    EditRubrics,
    /// Read storage use, retention and coming deletions of recordings, but no content.
    SeeStorage,
    /// Set quotas and retention, hold a recording, request its deletion.
    EditStorage,
    /// Read and export audit rows.
    SeeAudit,
}

impl Permission {
    /// All permissions.
    pub const ALL: [Self; 28] = [
        Self::SeeOrganisations,
        Self::EditOrganisations,
        Self::EditClassrooms,
        Self::SeeDevices,
        Self::EditDevices,
        Self::SeePeople,
        Self::EditPeople,
        Self::GrantRoles,
        Self::EditSessions,
        Self::SeeTimetable,
        Self::EditTimetable,
        Self::Dispatch,
        Self::SeeLessons,
        Self::Teach,
        Self::Attend,
        Self::Watch,
        Self::Replay,
        Self::ExportRecording,
        Self::SeeReports,
        Self::SeeLibrary,
        Self::EditLibrary,
        Self::SeeReviews,
        Self::Comment,
        Self::Review,
        Self::EditRubrics,
        Self::SeeStorage,
        Self::EditStorage,
        Self::SeeAudit,
    ];
}

/// Where the permission is needed.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// Anywhere: for lists, and for rows that the store looks up within the returned scope.
    Wherever,
    /// At the organisation with this path.
    At(&'a str),
    /// In this lesson.
    Lesson(&'a Lesson),
}

/// Why a permission is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The caller's roles have the permission nowhere.
    #[error("nobody with these roles may do this anywhere")]
    Nowhere,
    /// The permission is held, but not at this place. Whether the place exists is not disclosed.
    #[error("not at this place")]
    NotThere,
}

/// The rows that a query may reach. Every query of school data requires one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    reach: Reach,
}

/// The contents of a scope, for the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// No bounds: the hub itself.
    Everything,
    /// Everything below these paths, and the lessons of this person or classroom.
    Some {
        /// Organisation paths; none lies below another.
        below: Vec<String>,
        /// Lessons taught by this person.
        teacher: Option<PersonId>,
        /// Lessons attended by this classroom.
        classroom: Option<ClassroomId>,
    },
}

impl Scope {
    /// An unbounded scope. Called only by [`crate::account::system_scope`], which names the reasons.
    pub(super) fn everything() -> Self {
        Self { reach: Reach::Everything }
    }

    /// The bounds for an SQL statement.
    #[must_use]
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Whether the organisation with this path is in scope.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        match &self.reach {
            Reach::Everything => true,
            Reach::Some { below, .. } => below.iter().any(|place| path.starts_with(place.as_str())),
        }
    }

    /// Whether the lesson is taught by the caller or by a school in scope. Listening is not enough.
    #[must_use]
    pub fn owns(&self, lesson: &Lesson) -> bool {
        self.owns_taught(lesson.place(), lesson.teacher.person_id)
    }

    /// The same, given the path of the lesson's school and its teacher.
    #[must_use]
    pub fn owns_taught(&self, path: &str, teacher_id: PersonId) -> bool {
        let Reach::Some { teacher, .. } = &self.reach else { return true };
        *teacher == Some(teacher_id) || self.covers(path)
    }

    fn covers_lesson(&self, lesson: &Lesson) -> bool {
        let Reach::Some { teacher, classroom, .. } = &self.reach else { return true };
        *teacher == Some(lesson.teacher.person_id)
            || classroom.is_some_and(|id| lesson.classrooms.iter().any(|listed| listed.classroom_id == id))
            || lesson.places.iter().any(|path| self.covers(path))
    }
}

/// Checks whether `asker` has permission `act` at `place`; returns the scope for the queries that follow.
///
/// Guests are not checked here: their token carries their rights.
///
/// # Errors
/// [`Refused`] where the permission is not held anywhere, or not at `place`.
pub fn may(asker: &Asker, act: Permission, place: Place<'_>, now: UnixMs) -> Result<Scope, Refused> {
    let mut below: Vec<String> =
        asker.roles(now).filter(|grant| allows(grant.role, act)).map(|grant| grant.path.clone()).collect();
    below.sort();
    below.dedup_by(|path, above| path.starts_with(above.as_str()));
    let own = matches!(act, Permission::SeeLessons | Permission::Replay | Permission::SeeLibrary);
    let author = matches!(
        act,
        Permission::Teach
            | Permission::ExportRecording
            | Permission::SeeReports
            | Permission::EditLibrary
            | Permission::SeeReviews
            | Permission::Comment
    );
    let teaches = asker.roles(now).any(|grant| grant.role == Role::LeadTeacher);
    let teacher = asker.person_id().filter(|_| teaches && (own || author));
    let classroom = asker.classroom_id().filter(|_| own || act == Permission::Attend);
    if below.is_empty() && teacher.is_none() && classroom.is_none() {
        return Err(Refused::Nowhere);
    }
    let scope = Scope { reach: Reach::Some { below, teacher, classroom } };
    let there = match place {
        Place::Wherever => true,
        Place::At(path) => scope.covers(path),
        Place::Lesson(lesson) => scope.covers_lesson(lesson),
    };
    if there { Ok(scope) } else { Err(Refused::NotThere) }
}

/// The places to which a recording must be published for a caller to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readers {
    places: Vec<String>,
}

impl Readers {
    /// Ids of the places where the caller teaches or observes, and of all their ancestors. Empty for a device.
    #[must_use]
    pub fn of(asker: &Asker, now: UnixMs) -> Self {
        let reads = |role| {
            use Role as R;
            matches!(
                role,
                R::LeadTeacher | R::Assistant | R::SchoolAdministrator | R::Scheduler | R::Patrol | R::Reviewer
            )
        };
        let paths = asker.roles(now).filter(|grant| reads(grant.role)).flat_map(|grant| grant.path.split('/'));
        let mut places: Vec<String> = paths.filter(|id| !id.is_empty()).map(str::to_owned).collect();
        places.sort();
        places.dedup();
        Self { places }
    }

    /// No readers.
    #[must_use]
    pub fn none() -> Self {
        Self { places: Vec::new() }
    }

    /// Place ids in the store's text form.
    #[must_use]
    pub fn places(&self) -> &[String] {
        &self.places
    }

    /// Whether the caller may read what is published to this place.
    #[must_use]
    pub fn reads(&self, published_to: OrganisationId) -> bool {
        self.places.contains(&published_to.to_string())
    }
}

/// Permissions of a role at its place and below. A teacher's and a classroom's own lessons are not covered here: they
/// are matched by id, not by place.
fn allows(role: Role, act: Permission) -> bool {
    use Permission as A;
    match role {
        Role::LeadTeacher | Role::Assistant => matches!(act, A::SeeOrganisations | A::SeeTimetable),
        Role::SchoolAdministrator => matches!(
            act,
            A::SeeOrganisations
                | A::EditClassrooms
                | A::SeeDevices
                | A::EditDevices
                | A::SeePeople
                | A::EditPeople
                | A::GrantRoles
                | A::SeeTimetable
                | A::EditTimetable
                | A::SeeLessons
                | A::SeeReports
                | A::SeeLibrary
                | A::EditLibrary
                | A::SeeReviews
                | A::SeeStorage
        ),
        Role::Scheduler => matches!(
            act,
            A::SeeOrganisations
                | A::SeeDevices
                | A::SeePeople
                | A::SeeTimetable
                | A::EditTimetable
                | A::Dispatch
                | A::SeeLessons
                | A::SeeReports
                | A::SeeLibrary
        ),
        Role::Patrol => matches!(
            act,
            A::SeeOrganisations
                | A::SeeTimetable
                | A::SeeLessons
                | A::SeeReports
                | A::SeeLibrary
                | A::Watch
                | A::Replay
                | A::ExportRecording
        ),
        Role::Reviewer => matches!(
            act,
            A::SeeOrganisations
                | A::SeeTimetable
                | A::SeeLessons
                | A::SeeReports
                | A::SeeLibrary
                | A::Replay
                | A::SeeReviews
                | A::Comment
                | A::Review
                | A::EditRubrics
        ),
        Role::SystemAdministrator => matches!(
            act,
            A::SeeOrganisations
                | A::EditOrganisations
                | A::EditClassrooms
                | A::SeeDevices
                | A::EditDevices
                | A::SeePeople
                | A::EditPeople
                | A::SeeStorage
                | A::EditStorage
        ),
        Role::SecurityAdministrator => {
            matches!(act, A::SeeOrganisations | A::SeePeople | A::GrantRoles | A::EditSessions)
        }
        Role::AuditAdministrator => matches!(act, A::SeeOrganisations | A::SeeAudit),
        Role::Operator => {
            matches!(act, A::SeeOrganisations | A::SeeDevices | A::EditDevices | A::SeeStorage)
        }
    }
}

/// Whether a person with role `giver` may grant role `given`: a school administrator grants classroom roles only, so
/// that no one can raise their own rights.
#[must_use]
pub fn may_give(giver: Role, given: Role) -> bool {
    match giver {
        Role::SecurityAdministrator => true,
        Role::SchoolAdministrator => given.is_in_the_classroom(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
