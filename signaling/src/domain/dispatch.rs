//! 排课 and 调度: who and what a lesson takes up, what that clashes with, and the acts of the dispatch console.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    course::{Listening, UnknownWord},
    id::{ClassId, ClassroomId, DeviceId, LessonId, OrganisationId, PersonId},
    lesson_life::LessonState,
    program::ProgramRule,
    serve_scope::{Lineage, ServeScope},
    time::UnixMs,
    timetable::Slot,
    two_ends::Span,
    words::words,
};

/// What one lesson takes up and no other can have at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// A teacher.
    Teacher(PersonId),
    /// A classroom, at either end.
    Classroom(ClassroomId),
    /// A class, at either end.
    Class(ClassId),
    /// A device of its own: a mobile recording host.
    Device(DeviceId),
}

impl Resource {
    /// What it is, as the store and the API say it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Teacher(_) => "teacher",
            Self::Classroom(_) => "classroom",
            Self::Class(_) => "class",
            Self::Device(_) => "device",
        }
    }

    /// Its bare id.
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

/// A lesson as dispatch sees it: who, where, when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchedLesson {
    /// Which.
    pub lesson_id: LessonId,
    /// The broadcasting school.
    pub organisation_id: OrganisationId,
    /// Where it is in its life.
    pub state: LessonState,
    /// Who teaches.
    pub teacher_id: PersonId,
    /// Where. `None`: from the teacher's own laptop.
    pub classroom_id: Option<ClassroomId>,
    /// The class in that room. `None`: there is none.
    pub class_id: Option<ClassId>,
    /// Devices that it takes up beside those of its rooms.
    pub device_ids: Vec<DeviceId>,
    /// Its place in the timetable. `None`: it was put outside the periods.
    pub slot: Option<Slot>,
    /// From bell to bell.
    pub span: Span,
    /// Who listens.
    pub listening: Vec<Listening>,
    /// Counts changes, from 1.
    pub version: i64,
}

impl DispatchedLesson {
    /// Everything that it takes up. A lesson that was called off takes up nothing.
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
        // A class that listens in two rooms is taken up once.
        let mut seen = HashSet::new();
        all.retain(|resource| seen.insert(*resource));
        all
    }
}

/// Two lessons want the same at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The lesson that asks.
    pub lesson_id: LessonId,
    /// What both want.
    pub resource: Resource,
    /// The lesson that has it.
    pub with: LessonId,
    /// When that one is.
    pub span: Span,
}

/// What is taken up, by resource and start.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    by_resource: HashMap<Resource, BTreeMap<(UnixMs, LessonId), UnixMs>>,
}

impl Taken {
    /// Takes a resource up.
    pub fn take(&mut self, resource: Resource, span: Span, lesson_id: LessonId) {
        self.by_resource.entry(resource).or_default().insert((span.starts_at, lesson_id), span.ends_at);
    }

    /// Takes up everything of a lesson.
    pub fn take_lesson(&mut self, lesson: &DispatchedLesson) {
        for resource in lesson.resources() {
            self.take(resource, lesson.span, lesson.lesson_id);
        }
    }

    /// Gives everything of a lesson back.
    pub fn give_back(&mut self, lesson: &DispatchedLesson) {
        for resource in lesson.resources() {
            if let Some(taken) = self.by_resource.get_mut(&resource) {
                taken.remove(&(lesson.span.starts_at, lesson.lesson_id));
            }
        }
    }

    /// What a lesson clashes with, itself left out. Adjacent lessons do not clash.
    #[must_use]
    pub fn clashes(&self, lesson: &DispatchedLesson) -> Vec<Clash> {
        let mut clashes = Vec::new();
        for resource in lesson.resources() {
            let Some(taken) = self.by_resource.get(&resource) else { continue };
            // What is taken does not overlap itself, so only the last one before can reach in. Lessons that were kept
            // before a rule changed may overlap all the same: look a day back.
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

/// No lesson is longer than a day; the store holds it to that.
pub const DAY_MS: i64 = 24 * 3600 * 1000;

words!(
    /// Why a lesson is called off.
    CancelKind {
        /// 教师请假
        TeacherAway = "teacher_away",
        /// 天气
        Weather = "weather",
        /// 停电断网
        PowerOrNetwork = "power_or_network",
        /// 设备故障
        Equipment = "equipment",
        /// 学校活动
        SchoolEvent = "school_event",
        /// 其他
        Other = "other",
    }
);

/// 因故: a kind, and words of the person who answers for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelReason {
    /// Of what kind.
    pub kind: CancelKind,
    /// In words, 1 to 200 characters.
    pub words: String,
}

/// One thing that dispatch does to lessons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// 代课: another teacher takes it.
    Substitute {
        /// Who.
        teacher_id: PersonId,
    },
    /// 调课: to another period, and perhaps another room.
    Move {
        /// Where to in the timetable.
        slot: Slot,
        /// From bell to bell by the rule.
        span: Span,
        /// Into which room. `None`: the same.
        classroom_id: Option<ClassroomId>,
    },
    /// 停课
    Cancel(CancelReason),
}

/// Why dispatch does not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DispatchError {
    /// The lesson is open, live or over: it stays where it is.
    #[error("a lesson that is {} stays as it is", .0.as_str())]
    WrongState(LessonState),
    /// Nothing is moved into the past.
    #[error("the new time is over already")]
    InThePast,
    /// A reason is missing, or is a novel.
    #[error("a reason has 1 to {REASON_CHARS_MAX} characters")]
    Reason,
    /// More receiving classrooms than the rule allows.
    #[error(transparent)]
    ReceiverLimit(#[from] ReceiverLimit),
    /// A receiving school lies outside the radiation scope.
    #[error("a receiving school lies outside the radiation scope")]
    OutsideServeScope {
        /// Which.
        organisation_id: OrganisationId,
    },
    /// The program asks for a class in each receiving room.
    #[error("a receiving classroom has no class in it")]
    NoListeningClass {
        /// Which.
        classroom_id: ClassroomId,
    },
}

/// A reason is one sentence or two.
pub const REASON_CHARS_MAX: usize = 200;

/// 接收端数量上限: one receiving classroom too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{asked} receiving classrooms are asked for, {max} are allowed")]
pub struct ReceiverLimit {
    /// It is about those that can be called on stage; else about those that watch only.
    pub interactive: bool,
    /// How many are asked for.
    pub asked: u32,
    /// How many are allowed.
    pub max: u32,
    /// There is room for it among those that watch only.
    pub may_watch: bool,
}

/// Whether a program's rule admits these receiving classrooms.
///
/// # Errors
/// [`DispatchError::ReceiverLimit`], [`DispatchError::NoListeningClass`], [`DispatchError::OutsideServeScope`].
pub fn admit(
    rule: &ProgramRule,
    scope: &ServeScope,
    broadcasting: &Lineage,
    receiving: &[(Listening, Lineage)],
) -> Result<(), DispatchError> {
    let count = |interactive: bool| {
        let count = receiving.iter().filter(|(listening, _)| listening.interactive == interactive).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    let (interactive, watching) = (count(true), count(false));
    if interactive > rule.interactive_max {
        let may_watch = interactive - rule.interactive_max <= rule.watch_only_max.saturating_sub(watching);
        let limit = ReceiverLimit { interactive: true, asked: interactive, max: rule.interactive_max, may_watch };
        return Err(limit.into());
    }
    if watching > rule.watch_only_max {
        let limit = ReceiverLimit { interactive: false, asked: watching, max: rule.watch_only_max, may_watch: false };
        return Err(limit.into());
    }
    for (listening, lineage) in receiving {
        if rule.needs_listening_class && listening.class_id.is_none() {
            return Err(DispatchError::NoListeningClass { classroom_id: listening.classroom_id });
        }
        if !scope.reaches(broadcasting, lineage) {
            return Err(DispatchError::OutsideServeScope { organisation_id: listening.organisation_id });
        }
    }
    Ok(())
}

/// The lesson after an act.
///
/// # Errors
/// See [`DispatchError`]. A lesson that is open may still get another teacher or be called off, but is not moved:
/// classrooms sit in it.
pub fn after(lesson: &DispatchedLesson, act: &Act, now: UnixMs) -> Result<DispatchedLesson, DispatchError> {
    let mut after = lesson.clone();
    match act {
        Act::Substitute { teacher_id } => {
            if !matches!(lesson.state, LessonState::Scheduled | LessonState::Open) {
                return Err(DispatchError::WrongState(lesson.state));
            }
            after.teacher_id = *teacher_id;
        }
        Act::Move { slot, span, classroom_id } => {
            if lesson.state != LessonState::Scheduled {
                return Err(DispatchError::WrongState(lesson.state));
            }
            if span.ends_at <= now {
                return Err(DispatchError::InThePast);
            }
            (after.slot, after.span) = (Some(*slot), *span);
            after.classroom_id = classroom_id.or(lesson.classroom_id);
        }
        Act::Cancel(reason) => {
            if !matches!(lesson.state, LessonState::Scheduled | LessonState::Open) {
                return Err(DispatchError::WrongState(lesson.state));
            }
            let length = reason.words.trim().chars().count();
            if !(1..=REASON_CHARS_MAX).contains(&length) || reason.words.contains(char::is_control) {
                return Err(DispatchError::Reason);
            }
            after.state = LessonState::Cancelled;
        }
    }
    Ok(after)
}

/// 对调: each takes the other's place in the timetable. Rooms, teachers and classes stay with their lesson.
///
/// # Errors
/// As for [`after`], for either.
pub fn swap(
    one: &DispatchedLesson,
    other: &DispatchedLesson,
    now: UnixMs,
) -> Result<[DispatchedLesson; 2], DispatchError> {
    for lesson in [one, other] {
        if lesson.state != LessonState::Scheduled {
            return Err(DispatchError::WrongState(lesson.state));
        }
        if lesson.span.ends_at <= now {
            return Err(DispatchError::InThePast);
        }
    }
    let moved = |lesson: &DispatchedLesson, to: &DispatchedLesson| DispatchedLesson {
        slot: to.slot,
        span: to.span,
        ..lesson.clone()
    };
    Ok([moved(one, other), moved(other, one)])
}

/// What a set of changes clashes with: what the changed lessons had is given back first, then each takes what it needs
/// after those before it. `taken` holds what the lessons have before.
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

/// The changes of a set that clash with nothing, and what the others clash with. A lesson that stays where it is may be in
/// the way of another, so what is left is looked at again until nothing clashes.
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
    use crate::domain::{
        organisation::OrganisationKind,
        program::{Mode, Program, default_rules},
        serve_scope::ServeLevel,
    };

    fn span(from_min: i64, until_min: i64) -> Span {
        Span { starts_at: UnixMs(from_min * 60_000), ends_at: UnixMs(until_min * 60_000) }
    }

    fn lesson(span: Span) -> DispatchedLesson {
        DispatchedLesson {
            lesson_id: LessonId::fresh(),
            organisation_id: OrganisationId::fresh(),
            state: LessonState::Scheduled,
            teacher_id: PersonId::fresh(),
            classroom_id: Some(ClassroomId::fresh()),
            class_id: Some(ClassId::fresh()),
            device_ids: vec![DeviceId::fresh()],
            slot: None,
            span,
            listening: vec![listening(true)],
            version: 1,
        }
    }

    fn listening(interactive: bool) -> Listening {
        Listening {
            classroom_id: ClassroomId::fresh(),
            class_id: Some(ClassId::fresh()),
            organisation_id: OrganisationId::fresh(),
            interactive,
        }
    }

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
            // A room that listens cannot broadcast, and a class that listens cannot be taught elsewhere.
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
            // The next period is the normal case.
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
    fn the_fourth_interactive_receiver_may_watch() {
        let rules = default_rules();
        let rule = |program, mode| rules.iter().find(|rule| (rule.program, rule.mode) == (program, mode)).unwrap();
        let county = (OrganisationId::fresh(), OrganisationKind::County);
        let lineage = Lineage { nearest_first: vec![(OrganisationId::fresh(), OrganisationKind::School), county] };
        let scope = ServeScope::Level(ServeLevel::County);
        let admit = |rule, interactive, watching| {
            let all = std::iter::repeat_n(true, interactive).chain(std::iter::repeat_n(false, watching));
            let receiving: Vec<_> = all.map(|interactive| (listening(interactive), lineage.clone())).collect();
            admit(rule, &scope, &lineage, &receiving)
        };
        let delivery = rule(Program::DeliveryClass, Mode::Live);
        assert_eq!(admit(delivery, 3, 0), Ok(()));
        let limit = ReceiverLimit { interactive: true, asked: 4, max: 3, may_watch: false };
        assert_eq!(admit(delivery, 4, 0), Err(limit.into()));
        let open = rule(Program::OpenSchoolClass, Mode::Live);
        assert_eq!(admit(open, 4, 0), Err(ReceiverLimit { may_watch: true, ..limit }.into()));
        assert_eq!(admit(open, 4, 500), Err(limit.into()));
        let watching = ReceiverLimit { interactive: false, asked: 501, max: 500, may_watch: false };
        assert_eq!(admit(open, 3, 501), Err(watching.into()));
    }

    #[test]
    fn a_school_out_of_reach_and_a_room_without_a_class_are_refused() {
        let rules = default_rules();
        let (kind, own) = (OrganisationKind::County, OrganisationId::fresh());
        let lineage = |county| Lineage { nearest_first: vec![(county, kind)] };
        let scope = ServeScope::Level(ServeLevel::County);
        let mut far = listening(true);
        let foreign = admit(&rules[0], &scope, &lineage(own), &[(far, lineage(OrganisationId::fresh()))]);
        assert_eq!(foreign, Err(DispatchError::OutsideServeScope { organisation_id: far.organisation_id }));
        far.class_id = None;
        let empty = admit(&rules[0], &scope, &lineage(own), &[(far, lineage(own))]);
        assert_eq!(empty, Err(DispatchError::NoListeningClass { classroom_id: far.classroom_id }));
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
        // The third wants the place that the first would leave, and the first cannot.
        let third = (three.clone(), DispatchedLesson { span: one.span, teacher_id: one.teacher_id, ..three.clone() });
        let changes = [to(&one, 1000), to(&two, 1000), third];
        let (free, clashes) = free_of(&changes, &taken(&[&one, &two, &three, &has]));
        assert_eq!(free, [two.lesson_id]);
        let named: Vec<_> = clashes.iter().map(|clash| (clash.lesson_id, clash.with)).collect();
        assert_eq!(named, [(one.lesson_id, has.lesson_id), (three.lesson_id, one.lesson_id)]);
    }

    #[test]
    fn what_is_live_stays_and_what_is_open_may_still_be_called_off() {
        let reason = |words: &str| Act::Cancel(CancelReason { kind: CancelKind::Weather, words: words.into() });
        let substitute = Act::Substitute { teacher_id: PersonId::fresh() };
        for (state, allowed) in [
            (LessonState::Scheduled, true),
            (LessonState::Open, true),
            (LessonState::Live, false),
            (LessonState::Ended, false),
            (LessonState::Missed, false),
        ] {
            let lesson = DispatchedLesson { state, ..lesson(span(480, 520)) };
            assert_eq!(after(&lesson, &substitute, UnixMs(0)).is_ok(), allowed, "{state:?}");
            assert_eq!(after(&lesson, &reason("大雪"), UnixMs(0)).is_ok(), allowed, "{state:?}");
        }
        let lesson = lesson(span(480, 520));
        for words in ["", "  ", &"雪".repeat(201)] {
            assert_eq!(after(&lesson, &reason(words), UnixMs(0)), Err(DispatchError::Reason), "{words}");
        }
    }

    proptest! {
        /// The index finds exactly what comparing every pair finds.
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
