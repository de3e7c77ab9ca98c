//! Who may do what, and where: one function, used by every handler.
//!
//! [`may`] answers with a [`Scope`], and no query of school data runs without one: what the asker may not reach is not
//! found. The hub's own few scopes are made in [`crate::account::system_scope`] and nowhere else.

use crate::{
    base::{
        id::{ClassroomId, OrganisationId, PersonId},
        time::UnixMs,
    },
    lesson::Lesson,
    organisation::{Grant, Holder, Part, Role},
};

/// Whoever asks, with every role they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Person or device.
    pub holder: Holder,
    /// What the person may be, and where. A device has none.
    pub grants: Vec<Grant>,
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

    /// The roles that hold at `now`. A device that claims a person's grants gets none of them.
    pub fn roles(&self, now: UnixMs) -> impl Iterator<Item = &Grant> {
        let is_a_person = self.person_id().is_some();
        self.grants.iter().filter(move |grant| is_a_person && grant.holds(now))
    }

    /// How a page of lessons meets them.
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

/// What one may want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Look at the tree, its classrooms and classes.
    SeeOrganisations,
    /// Add, change, move and close nodes of the tree.
    EditOrganisations,
    /// Add, change and close classrooms and classes.
    EditClassrooms,
    /// Look at devices.
    SeeDevices,
    /// Let a device in, name it, send it away.
    EditDevices,
    /// Look at people and what they are.
    SeePeople,
    /// Add, change and close people, and send them their set-up links.
    EditPeople,
    /// Give and end roles.
    GrantRoles,
    /// Look at others' sessions and end them; unlock an account; reset a password or a second factor.
    EditSessions,
    /// Look at terms, bells, courses, lessons of the timetable.
    SeeTimetable,
    /// Keep terms, bells, courses, pairings.
    EditTimetable,
    /// Schedule, move, cancel lessons across schools.
    Dispatch,
    /// Know that a lesson exists.
    SeeLessons,
    /// Publish, start and end it.
    Teach,
    /// Sit in it as a receiving classroom.
    Attend,
    /// Look in without being seen by the room; the audit sees it.
    Watch,
    /// Replay what was recorded.
    Replay,
    /// Take a recording, or a span of it, away as a file.
    ExportRecording,
    /// See who was there, how well they saw, and whether a lesson counts.
    SeeReports,
    /// Know which recordings there are, and what they are called. To look into one is [`Permission::Replay`].
    SeeLibrary,
    /// Name recordings, cut clips, share, publish and take down.
    EditLibrary,
    /// Read what reviewers say of a lesson.
    SeeReviews,
    /// Comment on a recording, and answer.
    Comment,
    /// Score a recording by a rubric.
    Review,
    /// Keep rubrics.
    EditRubrics,
    /// See what recordings take, how long they stay and what will go. Nothing of what they show.
    SeeStorage,
    /// Set quotas and retention, hold a recording, have one deleted.
    EditStorage,
    /// Read and export the audit.
    SeeAudit,
}

impl Permission {
    /// All of them.
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

/// Where one wants it.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// Wherever one may: for lists, and for what the store looks up in the answered scope.
    Wherever,
    /// At the organisation with this path.
    At(&'a str),
    /// In this lesson.
    Lesson(&'a Lesson),
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// They may do it nowhere.
    #[error("nobody with these roles may do this anywhere")]
    Nowhere,
    /// They may do it, but not there: whether there is such a place is not theirs to know.
    #[error("not at this place")]
    NotThere,
}

/// What a query may reach. There is no query of school data without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    reach: Reach,
}

/// The inside of a scope, for the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everything: the hub itself.
    Everything,
    /// What lies below these paths, and the lessons of this person or classroom.
    Some {
        /// Paths of organisations, without one that lies below another.
        below: Vec<String>,
        /// Lessons that this person teaches.
        teacher: Option<PersonId>,
        /// Lessons that this classroom attends.
        classroom: Option<ClassroomId>,
    },
}

impl Scope {
    /// Everything. Called by [`crate::account::system_scope`] alone, which names the reasons.
    pub(super) fn everything() -> Self {
        Self { reach: Reach::Everything }
    }

    /// The bounds that a statement must keep to.
    #[must_use]
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Whether the organisation with this path lies in it.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        match &self.reach {
            Reach::Everything => true,
            Reach::Some { below, .. } => below.iter().any(|place| path.starts_with(place.as_str())),
        }
    }

    /// Whether a lesson is one's own here: taught by the asker, or by a school in the scope. Listening is not enough.
    #[must_use]
    pub fn owns(&self, lesson: &Lesson) -> bool {
        self.owns_taught(lesson.place(), lesson.teacher.person_id)
    }

    /// The same for what is known of a lesson by the path of its school and by its teacher.
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

/// Whether `asker` may do `act` at `place`, and if so, what the queries it takes may reach.
///
/// Guests are not asked here: their token says all they may.
///
/// # Errors
/// [`Refused`].
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

/// The places to which a recording may be published so that an asker sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readers {
    places: Vec<String>,
}

impl Readers {
    /// Ids of the places at which the asker teaches or looks into lessons, and of all above them. A device reads nothing.
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

    /// Of nobody.
    #[must_use]
    pub fn none() -> Self {
        Self { places: Vec::new() }
    }

    /// The places, as the store writes them.
    #[must_use]
    pub fn places(&self) -> &[String] {
        &self.places
    }

    /// Whether what is published to this place may be seen.
    #[must_use]
    pub fn reads(&self, published_to: OrganisationId) -> bool {
        self.places.contains(&published_to.to_string())
    }
}

/// What a role allows at its place and below. A teacher's and a classroom's own lessons are not here: they are theirs
/// by name, not by place.
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

/// Whether somebody who gives roles as `giver` may give `given`: a school gives the classroom's roles alone, and
/// nobody's own hand makes them more than they are.
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
