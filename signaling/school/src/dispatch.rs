//! 排课 and 调度: a lesson as dispatch sees it, and the actions of the dispatch console. Its resource bookings are in
//! [`crate::dispatch::booking`].

pub mod booking;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::timetable::Slot;
use crate::{
    base::{
        id::{ClassId, ClassroomId, DeviceId, LessonId, OrganisationId, PersonId},
        time::UnixMs,
        words::words,
    },
    lesson::life::LessonState,
    organisation::serve_scope::{Lineage, ServeScope},
    timetable::{course::Listening, program::ProgramRule, two_ends::Span},
};

/// A lesson as dispatch sees it: participants, place, time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchedLesson {
    /// The lesson.
    pub lesson_id: LessonId,
    /// The broadcasting school.
    pub organisation_id: OrganisationId,
    /// State in the lesson's life.
    pub state: LessonState,
    /// The lead teacher.
    pub teacher_id: PersonId,
    /// The broadcasting classroom. `None`: the teacher's own laptop.
    pub classroom_id: Option<ClassroomId>,
    /// The class in that room. `None`: no class.
    pub class_id: Option<ClassId>,
    /// Devices booked in addition to those of its rooms.
    pub device_ids: Vec<DeviceId>,
    /// Its place in the timetable. `None`: outside the periods.
    pub slot: Option<Slot>,
    /// From bell to bell.
    pub span: Span,
    /// The receiving classrooms and classes.
    pub listening: Vec<Listening>,
    /// Version, from 1; raised with each change.
    pub version: i64,
}

words!(
    /// Kind of reason for cancelling a lesson.
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

/// 因故: a kind, and a text by the person responsible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelReason {
    /// Its kind.
    pub kind: CancelKind,
    /// Its text, 1 to 200 characters.
    pub words: String,
}

/// One action of dispatch on a lesson.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DispatchAction {
    /// 代课: another teacher takes over.
    Substitute {
        /// The new teacher.
        teacher_id: PersonId,
    },
    /// 调课: to another period, and optionally another room.
    Move {
        /// The new place in the timetable.
        slot: Slot,
        /// From bell to bell, by the rules.
        span: Span,
        /// The new room. `None`: unchanged.
        classroom_id: Option<ClassroomId>,
    },
    /// 停课
    Cancel(CancelReason),
}

/// Why a dispatch action is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DispatchError {
    /// The lesson is open, live or over and cannot be moved.
    #[error("a lesson that is {} stays as it is", .0.as_str())]
    WrongState(LessonState),
    /// The new time is in the past.
    #[error("the new time is over already")]
    InThePast,
    /// The reason is empty or too long.
    #[error("a reason has 1 to {REASON_CHARS_MAX} characters")]
    Reason,
    /// More receiving classrooms than the rule allows.
    #[error(transparent)]
    ReceiverLimit(#[from] ReceiverLimit),
    /// A receiving school lies outside the radiation scope.
    #[error("a receiving school lies outside the radiation scope")]
    OutsideServeScope {
        /// The school.
        organisation_id: OrganisationId,
    },
    /// The program requires a class in each receiving room.
    #[error("a receiving classroom has no class in it")]
    NoListeningClass {
        /// The classroom.
        classroom_id: ClassroomId,
    },
}

/// Maximum length of a reason, in characters: one or two sentences.
pub const REASON_CHARS_MAX: usize = 200;

/// 接收端数量上限: too many receiving classrooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{asked} receiving classrooms are asked for, {max} are allowed")]
pub struct ReceiverLimit {
    /// True: the limit of interactive classrooms; false: of those that watch only.
    pub interactive: bool,
    /// Requested number.
    pub asked: u32,
    /// Allowed number.
    pub max: u32,
    /// There is capacity for it among those that watch only.
    pub may_watch: bool,
}

/// Checks the receiving classrooms against the rule of a program.
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

/// The lesson after an action.
///
/// # Errors
/// See [`DispatchError`]. An open lesson can still get another teacher or be cancelled, but cannot be moved: classrooms
/// have seats in it.
pub fn after(lesson: &DispatchedLesson, act: &DispatchAction, now: UnixMs) -> Result<DispatchedLesson, DispatchError> {
    let mut after = lesson.clone();
    match act {
        DispatchAction::Substitute { teacher_id } => {
            if !matches!(lesson.state, LessonState::Scheduled | LessonState::Open) {
                return Err(DispatchError::WrongState(lesson.state));
            }
            after.teacher_id = *teacher_id;
        }
        DispatchAction::Move { slot, span, classroom_id } => {
            if lesson.state != LessonState::Scheduled {
                return Err(DispatchError::WrongState(lesson.state));
            }
            if span.ends_at <= now {
                return Err(DispatchError::InThePast);
            }
            (after.slot, after.span) = (Some(*slot), *span);
            after.classroom_id = classroom_id.or(lesson.classroom_id);
        }
        DispatchAction::Cancel(reason) => {
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

/// 对调: the two lessons swap their places in the timetable. Rooms, teachers and classes stay with their lesson.
///
/// # Errors
/// As for [`after`], for either lesson.
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        organisation::{OrganisationKind, serve_scope::ServeLevel},
        timetable::program::{Mode, Program, default_rules},
    };

    pub(crate) fn span(from_min: i64, until_min: i64) -> Span {
        Span { starts_at: UnixMs(from_min * 60_000), ends_at: UnixMs(until_min * 60_000) }
    }

    pub(crate) fn lesson(span: Span) -> DispatchedLesson {
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
    fn what_is_live_stays_and_what_is_open_may_still_be_called_off() {
        let reason =
            |words: &str| DispatchAction::Cancel(CancelReason { kind: CancelKind::Weather, words: words.into() });
        let substitute = DispatchAction::Substitute { teacher_id: PersonId::fresh() };
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
}
