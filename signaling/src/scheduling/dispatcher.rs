//! Dispatch: places lessons in the timetable by hand and moves them there.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;

use crate::store::{Change, NewLesson, Store, StoreError};
use school::{
    account::permission::Scope,
    base::{
        id::{ClassId, ClassroomId, DeviceId, LessonId, OrganisationId, TermId},
        time::UnixMs,
    },
    dispatch::{DispatchAction, DispatchError, DispatchedLesson, admit, after},
    lesson::life::{LessonState, LessonTimes, RunsBy},
    organisation::{
        Stage,
        serve_scope::{Lineage, ServeScope},
    },
    timetable::{
        SchoolTime, Slot, Unresolved,
        bell_schedule::PeriodName,
        calendar::Term,
        course::{Course, CourseError, Listening, WeeklyPeriod, Weeks, stage_of},
        pairing::{Hearing, may_listen},
        rules::RuleSet,
        two_ends::{Span, share},
    },
};

/// Why dispatch refuses a request.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A lesson, school, person, room or class is not in scope.
    #[error("it is not there")]
    NotFound,
    /// The bells have no time for this day or period.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    /// The request is not a valid lesson.
    #[error(transparent)]
    Course(#[from] CourseError),
    /// A rule of dispatch forbids it.
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
    /// The bureau's rules do not have the program in this mode.
    #[error("the bureau does not use this program in this mode")]
    NoRule,
    /// A class has no listening right.
    #[error("a class has no right to listen")]
    NoListeningRight(ClassId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A period on a date, with the time that both ends share.
struct Placed {
    slot: Slot,
    span: Span,
    join_windows: Vec<Span>,
    rules: RuleSet,
}

/// A lesson placed on a date by hand. `asked.weekly` is ignored.
///
/// # Errors
/// See [`Refusal`].
pub async fn place(
    store: &Store,
    scope: &Scope,
    mut asked: Course,
    device_ids: Vec<DeviceId>,
    date: Date,
    period: PeriodName,
    now: UnixMs,
) -> Result<NewLesson, Refusal> {
    asked.weekly = vec![WeeklyPeriod { weekday: date.weekday(), period, weeks: Weeks::Every }];
    asked.check()?;
    let term = store.term(scope, asked.term_id).await?.ok_or(Refusal::NotFound)?.value;
    let mut organisations: HashSet<OrganisationId> = asked.listening.iter().map(|end| end.organisation_id).collect();
    organisations.insert(asked.organisation_id);
    let paths = store.paths(scope, organisations).await?;
    // Errors in another school's day are not disclosed.
    if !paths.get(&asked.organisation_id).is_some_and(|path| scope.covers(path)) {
        return Err(Refusal::NotFound);
    }
    let ground = Ground::of(store, scope, &term, &paths).await?;
    let placed = ground.placed(asked.organisation_id, &asked.listening, asked.stage, date, period)?;
    if placed.span.ends_at <= now {
        return Err(DispatchError::InThePast.into());
    }
    let rule = placed.rules.program(asked.program, asked.mode).ok_or(Refusal::NoRule)?;
    let kinds = store.lineages(scope, &paths).await?;
    let lineage = |id: &OrganisationId| kinds.get(id).cloned().unwrap_or(Lineage { nearest_first: Vec::new() });
    let receiving: Vec<_> = asked.listening.iter().map(|end| (*end, lineage(&end.organisation_id))).collect();
    admit(rule, &ServeScope::Level(rule.serves), &lineage(&asked.organisation_id), &receiving)?;
    if rule.needs_listening_right {
        let class_ids: Vec<ClassId> = asked.listening.iter().filter_map(|end| end.class_id).collect();
        let rights = store.rights_of_classes(scope, asked.term_id, &class_ids).await?;
        for class_id in class_ids {
            let (term_id, teaching_id, subject) = (asked.term_id, asked.organisation_id, asked.subject.as_str());
            if !may_listen(&rights, &Hearing { term_id, teaching_id, class_id, subject }) {
                return Err(Refusal::NoListeningRight(class_id));
            }
        }
    }
    Ok(NewLesson {
        lesson: DispatchedLesson {
            lesson_id: LessonId::fresh(),
            organisation_id: asked.organisation_id,
            state: LessonState::Scheduled,
            teacher_id: asked.teacher_id,
            classroom_id: asked.classroom_id,
            class_id: asked.class_id,
            device_ids,
            slot: Some(placed.slot),
            span: placed.span,
            listening: asked.listening,
            version: 1,
        },
        title: asked.title,
        subject: asked.subject,
        grade: asked.grade,
        program: asked.program,
        mode: asked.mode,
        delivery: asked.delivery,
        term_id: Some(asked.term_id),
        course: None,
        times: LessonTimes::by(&placed.rules, placed.span),
        runs_by: if rule.starts_without_teacher { RunsBy::BellAlone } else { RunsBy::Bell },
        guests_max: rule.guests_max,
        join_windows: placed.join_windows,
    })
}

/// The change that moves a lesson to another date and period.
///
/// # Errors
/// See [`Refusal`].
pub async fn move_to(
    store: &Store,
    scope: &Scope,
    lesson: &DispatchedLesson,
    to: (Date, PeriodName),
    classroom_id: Option<ClassroomId>,
    now: UnixMs,
) -> Result<Change, Refusal> {
    let asked = Wanted { lesson, to, classroom_id };
    moves(store, scope, &[asked], now).await?.pop().ok_or(Refusal::NotFound)?
}

/// The changes that move the lessons of a day to another day, each in its period; lessons without a period are left
/// out. A lesson that cannot be moved comes with its refusal.
///
/// # Errors
/// [`Refusal::Store`] only, of [`Refusal`].
pub async fn move_day(
    store: &Store,
    scope: &Scope,
    lessons: &[DispatchedLesson],
    to: Date,
    now: UnixMs,
) -> Result<(Vec<Change>, Vec<(LessonId, Refusal)>), Refusal> {
    let in_periods = lessons.iter().filter_map(|lesson| Some((lesson, lesson.slot?.period)));
    let asked: Vec<Wanted> =
        in_periods.map(|(lesson, period)| Wanted { lesson, to: (to, period), classroom_id: None }).collect();
    let (mut changes, mut stay) = (Vec::new(), Vec::new());
    for (asked, moved) in asked.iter().zip(moves(store, scope, &asked, now).await?) {
        match moved {
            Ok(change) => changes.push(change),
            Err(why) => stay.push((asked.lesson.lesson_id, why)),
        }
    }
    Ok((changes, stay))
}

/// A lesson, its new date and period, and its new room; `None`: the same room.
struct Wanted<'a> {
    lesson: &'a DispatchedLesson,
    to: (Date, PeriodName),
    classroom_id: Option<ClassroomId>,
}

/// Batch: what the lessons need is read once, whatever their number.
async fn moves(
    store: &Store,
    scope: &Scope,
    asked: &[Wanted<'_>],
    now: UnixMs,
) -> Result<Vec<Result<Change, Refusal>>, Refusal> {
    let terms = store.terms_and_grades(scope, asked.iter().map(|asked| asked.lesson.lesson_id)).await?;
    let organisations: HashSet<OrganisationId> = asked
        .iter()
        .flat_map(|asked| {
            asked.lesson.listening.iter().map(|end| end.organisation_id).chain([asked.lesson.organisation_id])
        })
        .collect();
    let paths = store.paths(scope, organisations).await?;
    let mut grounds: HashMap<TermId, Ground> = HashMap::new();
    for term_id in terms.values().map(|(term_id, _)| *term_id).collect::<HashSet<_>>() {
        if let Some(term) = store.term(scope, term_id).await? {
            grounds.insert(term_id, Ground::of(store, scope, &term.value, &paths).await?);
        }
    }
    let moved = |asked: &Wanted| {
        let (term_id, grade) = terms.get(&asked.lesson.lesson_id).ok_or(Refusal::NotFound)?;
        let ground = grounds.get(term_id).ok_or(Refusal::NotFound)?;
        let (lesson, (date, period), stage) = (asked.lesson, asked.to, stage_of(grade));
        let placed = ground.placed(lesson.organisation_id, &lesson.listening, stage, date, period)?;
        let act = DispatchAction::Move { slot: placed.slot, span: placed.span, classroom_id: asked.classroom_id };
        let times = Some(LessonTimes::by(&placed.rules, placed.span));
        let join_windows = Some(placed.join_windows);
        Ok(Change { before: lesson.clone(), after: after(lesson, &act, now)?, times, join_windows })
    };
    Ok(asked.iter().map(moved).collect())
}

/// Day times and rules of some schools in a term.
struct Ground {
    times: HashMap<OrganisationId, SchoolTime>,
    rules: HashMap<OrganisationId, RuleSet>,
}

impl Ground {
    async fn of(
        store: &Store,
        scope: &Scope,
        term: &Term,
        paths: &HashMap<OrganisationId, String>,
    ) -> Result<Self, StoreError> {
        let times = store.school_times(scope, term, paths).await?;
        let by_path = store.rules_of(scope, paths.values().map(String::as_str)).await?;
        let rules = paths.iter().map(|(id, path)| (*id, by_path.get(path).cloned().unwrap_or_default())).collect();
        Ok(Self { times, rules })
    }

    fn placed(
        &self,
        organisation_id: OrganisationId,
        listening: &[Listening],
        stage: Stage,
        date: Date,
        period: PeriodName,
    ) -> Result<Placed, Refusal> {
        let home: &SchoolTime = self.times.get(&organisation_id).ok_or(Refusal::NotFound)?;
        let rules = self.rules.get(&organisation_id).ok_or(Refusal::NotFound)?;
        let slot = home.on_date(stage, date, period)?;
        let mut spans = Vec::new();
        for end in listening {
            let there = self.times.get(&end.organisation_id).ok_or(Refusal::NotFound)?;
            spans.push(there.receiving(stage, slot.date, slot.span, rules)?);
        }
        let shared = share(slot.span, &spans, rules)
            .map_err(|few| Unresolved::TooLittleShared { shared_min: few.shared_min, needed_min: few.needed_min })?;
        Ok(Placed { slot, span: shared.span, join_windows: shared.join_windows, rules: rules.clone() })
    }
}
