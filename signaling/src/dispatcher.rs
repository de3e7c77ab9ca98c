//! Lessons that people put into the timetable and move there: from what is asked to what the store keeps.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;

use crate::{
    domain::{
        bell_schedule::PeriodName,
        calendar::Term,
        course::{Course, CourseError, WeeklyPeriod, Weeks, stage_of},
        dispatch::{Act, DispatchError, DispatchedLesson, admit, after},
        id::{ClassId, DeviceId, LessonId, OrganisationId},
        lesson_life::{LessonState, LessonTimes, RunsBy},
        organisation::Stage,
        pairing::{Hearing, may_listen},
        permission::Scope,
        rules::RuleSet,
        serve_scope::{Lineage, ServeScope},
        time::UnixMs,
        timetable::{SchoolTime, Slot, Unresolved},
        two_ends::{Span, share},
    },
    store::{Change, NewLesson, Store, StoreError},
};

/// Why dispatch does not do what is asked.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A lesson, school, person, room or class is not in scope.
    #[error("it is not there")]
    NotFound,
    /// The day or the period has no bell.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    /// What is asked for cannot be a lesson.
    #[error(transparent)]
    Course(#[from] CourseError),
    /// A rule of dispatch is against it.
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
    /// The bureau does not use the program in this mode.
    #[error("the bureau does not use this program in this mode")]
    NoRule,
    /// A class has no right to listen.
    #[error("a class has no right to listen")]
    NoListeningRight(ClassId),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A period on a date, as both ends share it.
struct Placed {
    slot: Slot,
    span: Span,
    join_windows: Vec<Span>,
    rules: RuleSet,
}

/// A lesson that is put on a date by hand. `asked.weekly` is not looked at.
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
    // Whatever is wrong with a foreign school's day is not theirs to know.
    if !paths.get(&asked.organisation_id).is_some_and(|path| scope.covers(path)) {
        return Err(Refusal::NotFound);
    }
    let placed =
        placed(store, scope, &term, asked.organisation_id, &asked.listening, asked.stage, date, period, &paths).await?;
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

/// Where an act would bring a lesson: to another date and period where `to` says one.
///
/// # Errors
/// See [`Refusal`].
pub async fn move_to(
    store: &Store,
    scope: &Scope,
    lesson: &DispatchedLesson,
    (date, period): (Date, PeriodName),
    classroom_id: Option<crate::domain::id::ClassroomId>,
    now: UnixMs,
) -> Result<Change, Refusal> {
    let (term_id, grade) = store.term_and_grade(scope, lesson.lesson_id).await?.ok_or(Refusal::NotFound)?;
    let term = store.term(scope, term_id).await?.ok_or(Refusal::NotFound)?.value;
    let mut organisations: HashSet<OrganisationId> = lesson.listening.iter().map(|end| end.organisation_id).collect();
    organisations.insert(lesson.organisation_id);
    let paths = store.paths(scope, organisations).await?;
    let stage = stage_of(&grade);
    let placed =
        placed(store, scope, &term, lesson.organisation_id, &lesson.listening, stage, date, period, &paths).await?;
    let act = Act::Move { slot: placed.slot, span: placed.span, classroom_id };
    let moved = after(lesson, &act, now)?;
    let times = Some(LessonTimes::by(&placed.rules, placed.span));
    Ok(Change { before: lesson.clone(), after: moved, times })
}

#[expect(clippy::too_many_arguments, reason = "a place in the timetable is these")]
async fn placed(
    store: &Store,
    scope: &Scope,
    term: &Term,
    organisation_id: OrganisationId,
    listening: &[crate::domain::course::Listening],
    stage: Stage,
    date: Date,
    period: PeriodName,
    paths: &HashMap<OrganisationId, String>,
) -> Result<Placed, Refusal> {
    let path = paths.get(&organisation_id).ok_or(Refusal::NotFound)?;
    let times = store.school_times(scope, term, paths).await?;
    let home: &SchoolTime = times.get(&organisation_id).ok_or(Refusal::NotFound)?;
    let slot = home.on_date(stage, date, period)?;
    let rules = store.rules_at(scope, path).await?;
    let mut spans = Vec::new();
    for end in listening {
        let there = times.get(&end.organisation_id).ok_or(Refusal::NotFound)?;
        spans.push(there.receiving(stage, slot.date, slot.span, &rules)?);
    }
    let shared = share(slot.span, &spans, &rules)
        .map_err(|few| Unresolved::TooLittleShared { shared_min: few.shared_min, needed_min: few.needed_min })?;
    Ok(Placed { slot, span: shared.span, join_windows: shared.join_windows, rules })
}
