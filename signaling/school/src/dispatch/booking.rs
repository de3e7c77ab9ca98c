//! Resources that lessons book, and the conflicts between bookings.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    str::FromStr,
};

use crate::{
    base::{
        id::{ClassId, ClassroomId, DeviceId, LessonId, PersonId},
        time::UnixMs,
    },
    dispatch::DispatchedLesson,
    timetable::{course::UnknownWord, two_ends::Span},
};

/// A resource that only one lesson can book at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// A teacher.
    Teacher(PersonId),
    /// A classroom, at either end.
    Classroom(ClassroomId),
    /// A class, at either end.
    Class(ClassId),
    /// A separate device: a mobile recording host.
    Device(DeviceId),
}

impl Resource {
    /// Its kind, as in the store and the API.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Teacher(_) => "teacher",
            Self::Classroom(_) => "classroom",
            Self::Class(_) => "class",
            Self::Device(_) => "device",
        }
    }

    /// Its bare UUID.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Teacher(id) => id.to_string(),
            Self::Classroom(id) => id.to_string(),
            Self::Class(id) => id.to_string(),
            Self::Device(id) => id.to_string(),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.id())
    }
}

impl FromStr for Resource {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (kind, id) = text.split_once(':')?;
            Some(match kind {
                "teacher" => Self::Teacher(id.parse().ok()?),
                "classroom" => Self::Classroom(id.parse().ok()?),
                "class" => Self::Class(id.parse().ok()?),
                "device" => Self::Device(id.parse().ok()?),
                _ => return None,
            })
        };
        read().ok_or_else(|| UnknownWord(text.into()))
    }
}

impl DispatchedLesson {
    /// Every resource that it books. A cancelled lesson books none.
    #[must_use]
    pub fn resources(&self) -> Vec<Resource> {
        if !self.state.is_booked() {
            return Vec::new();
        }
        let mut all = vec![Resource::Teacher(self.teacher_id)];
        all.extend(self.classroom_id.map(Resource::Classroom));
        all.extend(self.class_id.map(Resource::Class));
        all.extend(self.device_ids.iter().copied().map(Resource::Device));
        for listening in &self.listening {
            all.push(Resource::Classroom(listening.classroom_id));
            all.extend(listening.class_id.map(Resource::Class));
        }
        // A class that listens in two rooms is booked once.
        let mut seen = HashSet::new();
        all.retain(|resource| seen.insert(*resource));
        all
    }
}

/// Two lessons book the same resource at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The lesson being booked.
    pub lesson_id: LessonId,
    /// The resource.
    pub resource: Resource,
    /// The lesson that holds it.
    pub with: LessonId,
    /// The time of that lesson.
    pub span: Span,
}

/// Bookings, by resource and start.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    by_resource: HashMap<Resource, BTreeMap<(UnixMs, LessonId), UnixMs>>,
}

impl Taken {
    /// Books a resource.
    pub fn take(&mut self, resource: Resource, span: Span, lesson_id: LessonId) {
        self.by_resource.entry(resource).or_default().insert((span.starts_at, lesson_id), span.ends_at);
    }

    /// Books every resource of a lesson.
    pub fn take_lesson(&mut self, lesson: &DispatchedLesson) {
        for resource in lesson.resources() {
            self.take(resource, lesson.span, lesson.lesson_id);
        }
    }

    /// Releases every resource of a lesson.
    pub fn give_back(&mut self, lesson: &DispatchedLesson) {
        for resource in lesson.resources() {
            if let Some(taken) = self.by_resource.get_mut(&resource) {
                taken.remove(&(lesson.span.starts_at, lesson.lesson_id));
            }
        }
    }

    /// Conflicts of a lesson with other lessons. Adjacent lessons do not conflict.
    #[must_use]
    pub fn clashes(&self, lesson: &DispatchedLesson) -> Vec<Clash> {
        let mut clashes = Vec::new();
        for resource in lesson.resources() {
            let Some(taken) = self.by_resource.get(&resource) else { continue };
            // Bookings do not overlap each other, so only the last one before can reach in. Lessons stored before a
            // rule changed may overlap nevertheless: the search starts a day earlier.
            let from = (UnixMs(lesson.span.starts_at.0 - DAY_MS), LessonId::from(uuid::Uuid::nil()));
            for ((starts_at, with), ends_at) in taken.range(from..) {
                if *starts_at >= lesson.span.ends_at {
                    break;
                }
                if *ends_at > lesson.span.starts_at && *with != lesson.lesson_id {
                    let span = Span { starts_at: *starts_at, ends_at: *ends_at };
                    clashes.push(Clash { lesson_id: lesson.lesson_id, resource, with: *with, span });
                }
            }
        }
        clashes
    }
}

/// A lesson lasts at most a day; the store enforces it.
pub const DAY_MS: i64 = 24 * 3600 * 1000;

/// Conflicts of a set of changes: the bookings of all changed lessons are released first, then each change books in
/// turn. `taken` holds the bookings before the changes.
#[must_use]
pub fn clashes_of(changes: &[(DispatchedLesson, DispatchedLesson)], taken: &Taken) -> Vec<Clash> {
    let mut taken = taken.clone();
    for (before, _) in changes {
        taken.give_back(before);
    }
    let mut clashes = Vec::new();
    for (_, after) in changes {
        clashes.extend(taken.clashes(after));
        taken.take_lesson(after);
    }
    clashes
}

/// The changes of a set that have no conflict, and the conflicts of the others. An unchanged lesson may block another
/// change, so the rest is checked again until no conflict is left.
#[must_use]
pub fn free_of(changes: &[(DispatchedLesson, DispatchedLesson)], taken: &Taken) -> (Vec<LessonId>, Vec<Clash>) {
    let (mut free, mut all) = (changes.to_vec(), Vec::new());
    loop {
        let clashes = clashes_of(&free, taken);
        if clashes.is_empty() {
            return (free.iter().map(|(before, _)| before.lesson_id).collect(), all);
        }
        let clashing: HashSet<LessonId> = clashes.iter().map(|clash| clash.lesson_id).collect();
        free.retain(|(before, _)| !clashing.contains(&before.lesson_id));
        all.extend(clashes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        dispatch::{
            DispatchError, swap,
            tests::{lesson, span},
        },
        lesson::life::LessonState,
    };

    fn taken(lessons: &[&DispatchedLesson]) -> Taken {
        let mut taken = Taken::default();
        lessons.iter().for_each(|lesson| taken.take_lesson(lesson));
        taken
    }

    #[test]
    fn every_resource_clashes_and_names_the_lesson_that_has_it() {
        let has = lesson(span(480, 520));
        let taken = taken(&[&has]);
        type Share = fn(&mut DispatchedLesson, &DispatchedLesson);
        let table: [(Share, Resource); 6] = [
            (|l, has| l.teacher_id = has.teacher_id, Resource::Teacher(has.teacher_id)),
            (|l, has| l.classroom_id = has.classroom_id, Resource::Classroom(has.classroom_id.unwrap())),
            (|l, has| l.class_id = has.class_id, Resource::Class(has.class_id.unwrap())),
            (|l, has| l.device_ids = has.device_ids.clone(), Resource::Device(has.device_ids[0])),
            // A receiving room cannot broadcast, and a listening class cannot be taught elsewhere.
            (
                |l, has| l.classroom_id = Some(has.listening[0].classroom_id),
                Resource::Classroom(has.listening[0].classroom_id),
            ),
            (|l, has| l.class_id = has.listening[0].class_id, Resource::Class(has.listening[0].class_id.unwrap())),
        ];
        for (share, resource) in table {
            let mut asks = lesson(span(510, 550));
            share(&mut asks, &has);
            let clash = Clash { lesson_id: asks.lesson_id, resource, with: has.lesson_id, span: has.span };
            assert_eq!(taken.clashes(&asks), [clash]);
            assert_eq!(resource.to_string().parse(), Ok(resource));
            // The adjacent period: no conflict.
            asks.span = span(520, 560);
            assert_eq!(taken.clashes(&asks), []);
            asks.span = span(440, 480);
            assert_eq!(taken.clashes(&asks), []);
        }
        assert_eq!(taken.clashes(&has), [], "a lesson does not clash with itself");
        let cancelled = DispatchedLesson { state: LessonState::Cancelled, ..has };
        assert_eq!(cancelled.resources(), [], "what is called off takes up nothing");
    }

    #[test]
    fn swapped_lessons_take_each_others_place_and_clash_with_nobody() {
        let (one, mut other) = (lesson(span(480, 520)), lesson(span(530, 570)));
        other.class_id = one.class_id;
        let third = DispatchedLesson { teacher_id: one.teacher_id, ..lesson(span(530, 570)) };
        let [a, b] = swap(&one, &other, UnixMs(0)).unwrap();
        assert_eq!((a.span, b.span), (other.span, one.span));
        let changes = [(one.clone(), a), (other.clone(), b)];
        assert_eq!(clashes_of(&changes, &taken(&[&one, &other])), []);
        let clashes = clashes_of(&changes, &taken(&[&one, &other, &third]));
        let resource = Resource::Teacher(one.teacher_id);
        let clash = Clash { lesson_id: one.lesson_id, resource, with: third.lesson_id, span: third.span };
        assert_eq!(clashes, [clash]);
        assert_eq!(swap(&one, &other, UnixMs(521 * 60_000)), Err(DispatchError::InThePast));
    }

    #[test]
    fn the_others_are_moved_and_what_clashes_stays_in_nobodys_way() {
        let (one, two, three) = (lesson(span(480, 520)), lesson(span(530, 570)), lesson(span(580, 620)));
        let has = DispatchedLesson { teacher_id: one.teacher_id, ..lesson(span(1480, 1520)) };
        let to = |lesson: &DispatchedLesson, by| {
            let span = span(lesson.span.starts_at.0 / 60_000 + by, lesson.span.ends_at.0 / 60_000 + by);
            (lesson.clone(), DispatchedLesson { span, ..lesson.clone() })
        };
        // The third needs the place that the first would leave, but the first cannot move.
        let third = (three.clone(), DispatchedLesson { span: one.span, teacher_id: one.teacher_id, ..three.clone() });
        let changes = [to(&one, 1000), to(&two, 1000), third];
        let (free, clashes) = free_of(&changes, &taken(&[&one, &two, &three, &has]));
        assert_eq!(free, [two.lesson_id]);
        let named: Vec<_> = clashes.iter().map(|clash| (clash.lesson_id, clash.with)).collect();
        assert_eq!(named, [(one.lesson_id, has.lesson_id), (three.lesson_id, one.lesson_id)]);
    }

    proptest! {
        /// The index finds the same conflicts as comparing every pair.
        #[test]
        fn the_index_finds_every_clash(
            spans in prop::collection::vec((0..300_i64, 1..60_i64, 0..3_usize), 1..30),
            asks in (0..300_i64, 1..60_i64, 0..3_usize),
        ) {
            let teachers = [PersonId::fresh(), PersonId::fresh(), PersonId::fresh()];
            let make = |(from, length, teacher): (i64, i64, usize)|
                DispatchedLesson { teacher_id: teachers[teacher], ..lesson(span(from, from + length)) };
            let lessons: Vec<_> = spans.into_iter().map(make).collect();
            let asks = make(asks);
            let mut found: Vec<_> =
                taken(&lessons.iter().collect::<Vec<_>>()).clashes(&asks).iter().map(|clash| clash.with).collect();
            let mut expected: Vec<_> = lessons
                .iter()
                .filter(|other| other.teacher_id == asks.teacher_id && other.span.meets(asks.span))
                .map(|other| other.lesson_id)
                .collect();
            found.sort();
            expected.sort();
            prop_assert_eq!(found, expected);
        }
    }
}
