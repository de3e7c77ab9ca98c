//! The dispatch console: schedule, move, swap, substitute and cancel lessons.

pub mod app;
pub mod clash;
pub mod problem;
pub mod readiness;
pub mod today;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use self::{
    clash::ClashView,
    problem::{DispatchReason, schedule_problem, stays_because},
};
use crate::{
    http::{
        account::identity::Identity,
        dispatch::app::DispatchApp,
        organisation::place_of,
        timetable::{course::ListeningRequest, problem::TimetableReason},
        web::{
            extract::{JsonBody, PathId, named},
            list::Listed,
            problem::{ApiError, Problems, common::CommonProblem, invalid},
            version::{IfMatch, Tagged},
        },
    },
    live::actor::Actor,
    scheduling::dispatcher::{self, Refusal},
    store::Change,
};
use school::{
    account::permission::{Permission, Scope},
    base::{
        id::{ClassId, ClassroomId, CourseId, DeviceId, LessonId, OrganisationId, PersonId, TermId},
        time::UnixMs,
    },
    dispatch::{CancelReason, DispatchAction, DispatchError, DispatchedLesson, after, swap},
    lesson::life::{LessonState, LessonTimes, Step},
    organisation::Stage,
    timetable::{
        bell_schedule::PeriodName,
        course::{Course, Listening},
        program::{Delivery, Mode, Program},
    },
};

/// A lesson to be scheduled on a date.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLessonRequest {
    term_id: TermId,
    /// The teaching school.
    organisation_id: OrganisationId,
    #[schema(min_length = 1, max_length = 80)]
    title: String,
    subject: String,
    stage: Stage,
    grade: String,
    teacher_id: PersonId,
    /// `null`: from the teacher's own laptop.
    classroom_id: Option<ClassroomId>,
    /// `null`: a dedicated lesson.
    class_id: Option<ClassId>,
    program: Program,
    mode: Mode,
    delivery: Delivery,
    #[schema(value_type = String, format = Date)]
    date: Date,
    /// For example `lesson-3`.
    period: String,
    #[schema(max_items = 2000)]
    listening: Vec<ListeningRequest>,
    /// Devices it occupies besides those of its rooms.
    #[serde(default)]
    #[schema(max_items = 20)]
    device_ids: Vec<DeviceId>,
    /// Dry run: only report the clashes.
    #[serde(default)]
    dry_run: bool,
}

/// A dispatch action.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum DispatchActionRequest {
    /// 代课
    Substitute {
        /// The lesson.
        lesson_id: LessonId,
        /// The substitute teacher.
        teacher_id: PersonId,
    },
    /// 调课: to another cell of the grid.
    Move {
        /// The lesson.
        lesson_id: LessonId,
        /// The new day.
        #[schema(value_type = String, format = Date)]
        date: Date,
        /// For example `lesson-3`.
        period: String,
        /// The new room. `null`: unchanged.
        classroom_id: Option<ClassroomId>,
    },
    /// 对调
    Swap {
        /// The lesson.
        lesson_id: LessonId,
        /// The other lesson.
        with: LessonId,
        /// Expected version of the other lesson. `null`: any.
        with_version: Option<i64>,
    },
    /// 停课
    Cancel {
        /// The lesson.
        lesson_id: LessonId,
        /// The reason.
        reason: CancelReason,
    },
    /// 整天调课: all lessons of a day to another day, each in its period.
    MoveDay {
        /// Lessons that do not fit on the new day stay; without it, nothing is moved if one does not fit.
        #[serde(default)]
        leave_clashing: bool,
        /// A school, or a bureau with all below it.
        organisation_id: OrganisationId,
        /// The old day.
        #[schema(value_type = String, format = Date)]
        from: Date,
        /// The new day.
        #[schema(value_type = String, format = Date)]
        to: Date,
    },
}

/// A dispatch request.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DispatchRequest {
    /// The action.
    act: DispatchActionRequest,
    /// Dry run: only report the clashes.
    #[serde(default)]
    dry_run: bool,
}

/// Result of a dispatch request.
#[derive(Serialize, ToSchema)]
pub struct Dispatched {
    /// Lessons changed or created; in a dry run, those that would be.
    lesson_ids: Vec<LessonId>,
    /// Clashes, in a dry run or where clashing lessons may stay. Otherwise clashes refuse the request.
    clashes: Vec<ClashView>,
    /// Lessons of the day that stay because they do not fit on the new one.
    left: Vec<LeftView>,
}

impl Dispatched {
    fn all(lesson_ids: Vec<LessonId>, clashes: Vec<ClashView>) -> Self {
        Self { lesson_ids, clashes, left: Vec::new() }
    }
}

/// A lesson that stays where it is.
#[derive(Clone, Serialize, ToSchema)]
pub struct LeftView {
    lesson_id: LessonId,
    title: String,
    /// `reason` with its parameters. A `reason` may also be the last part of a problem's `type`.
    #[schema(additional_properties)]
    why: Map<String, Value>,
}

/// A state transition of a lesson.
#[derive(Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Transition`")]
pub struct TransitionView {
    pub from: LessonState,
    pub to: LessonState,
    pub at_ms: UnixMs,
    pub actor: String,
    pub reason: String,
}

/// Schedule a lesson on a date
#[utoipa::path(post, path = "/dispatch/lessons", tag = "dispatch", request_body = NewLessonRequest,
    extensions(("x-act" = json!("dispatch"))),
    responses((status = 200, body = Dispatched, description = "a dry run"), (status = 201, body = Dispatched), Problems))]
pub async fn schedule(
    State(app): State<DispatchApp>,
    identity: Identity,
    JsonBody(ask): JsonBody<NewLessonRequest>,
) -> Result<Response, ApiError> {
    let scope = identity.scope(Permission::Dispatch)?;
    let rooms: Vec<ClassroomId> = ask.listening.iter().map(|end| end.classroom_id).chain(ask.classroom_id).collect();
    let classes: Vec<ClassId> = ask.listening.iter().filter_map(|end| end.class_id).chain(ask.class_id).collect();
    let owners = app.store.rooms_in(&scope, ask.teacher_id, &rooms, &classes).await?.ok_or(CommonProblem::NotFound)?;
    let listening = ask.listening.iter().map(|end| {
        let organisation_id = *owners.get(&end.classroom_id).ok_or(CommonProblem::NotFound)?;
        let (classroom_id, class_id, interactive) = (end.classroom_id, end.class_id, end.interactive);
        Ok(Listening { classroom_id, class_id, organisation_id, interactive })
    });
    let course = Course {
        course_id: CourseId::fresh(),
        term_id: ask.term_id,
        organisation_id: ask.organisation_id,
        title: named("title", &ask.title)?,
        subject: ask.subject.clone(),
        stage: ask.stage,
        grade: ask.grade.clone(),
        teacher_id: ask.teacher_id,
        classroom_id: ask.classroom_id,
        class_id: ask.class_id,
        program: ask.program,
        mode: ask.mode,
        delivery: ask.delivery,
        weekly: Vec::new(),
        listening: listening.collect::<Result<_, ApiError>>()?,
    };
    let (period, now) = (period(&ask.period)?, app.clock.wall());
    let placed = dispatcher::place(&app.store, &scope, course, ask.device_ids, ask.date, period, now).await;
    let lesson = match placed {
        Ok(lesson) => lesson,
        Err(refusal) => return Err(refused(&app, &identity, refusal)),
    };
    let lesson_ids = vec![lesson.lesson.lesson_id];
    if ask.dry_run {
        let clashes = app.store.clashes_of_new(&scope, &[lesson]).await?;
        let clashes = ClashView::of(&app.store, &scope, &clashes).await?;
        return Ok((StatusCode::OK, Json(Dispatched::all(lesson_ids, clashes))).into_response());
    }
    let row = identity.row(&app.clock, "schedule_lesson", format!("lesson:{}", lesson_ids[0]));
    let location = format!("/api/v1/lessons/{}", lesson_ids[0]);
    match app.store.schedule(&scope, &[lesson], row).await {
        Ok(_) => Ok(Tagged::created(1, Dispatched::all(lesson_ids, Vec::new()), location).into_response()),
        Err(error) => Err(schedule_problem(&app.store, &scope, error).await),
    }
}

/// Substitute, move, swap or cancel a lesson, or move a day; an action on one lesson needs its version in `If-Match`
#[utoipa::path(post, path = "/dispatch/acts", tag = "dispatch", request_body = DispatchRequest,
    params(("if-match" = Option<String>, Header)), extensions(("x-act" = json!("dispatch"))),
    responses((status = 200, body = Dispatched), Problems))]
pub async fn act(
    State(app): State<DispatchApp>,
    identity: Identity,
    version: Option<IfMatch>,
    JsonBody(ask): JsonBody<DispatchRequest>,
) -> Result<Json<Dispatched>, ApiError> {
    let scope = identity.scope(Permission::Dispatch)?;
    if let DispatchActionRequest::MoveDay { organisation_id, from, to, leave_clashing } = ask.act {
        let of = DayMove { organisation_id, from, to, leave_clashing, dry_run: ask.dry_run };
        return move_day(&app, &identity, &scope, of).await.map(Json);
    }
    let (changes, reason, name) = match changes(&app, &scope, &ask.act).await {
        Ok(changes) => changes,
        Err(refusal) => return Err(refused(&app, &identity, refusal)),
    };
    let lesson_ids: Vec<LessonId> = changes.iter().map(|change| change.before.lesson_id).collect();
    if ask.dry_run {
        let clashes = app.store.clashes(&scope, &changes).await?;
        let clashes = ClashView::of(&app.store, &scope, &clashes).await?;
        return Ok(Json(Dispatched::all(lesson_ids, clashes)));
    }
    // The same versions are checked again when the change is written.
    let IfMatch(seen) = version.ok_or(CommonProblem::VersionNeeded)?;
    let also_seen = match &ask.act {
        DispatchActionRequest::Swap { with_version, .. } => *with_version,
        _ => None,
    };
    if changes
        .iter()
        .zip([Some(seen), also_seen])
        .any(|(change, seen)| seen.is_some_and(|v| v != change.before.version))
    {
        return Err(CommonProblem::OtherVersion.into());
    }
    // A lesson with a live session is cancelled through the session, so that its participants are notified.
    if let ([change], DispatchActionRequest::Cancel { .. }) = (&changes[..], &ask.act)
        && let Some(lesson) = app.registry.lesson(change.before.lesson_id)
    {
        let actor = Actor { actor: identity.actor(), address: identity.caller.ip().to_string() };
        app.registry.close(lesson, Step::Cancel, &reason, &actor).await?;
        return Ok(Json(Dispatched::all(lesson_ids, Vec::new())));
    }
    let object = lesson_ids.first().map_or_else(|| "lesson".to_owned(), |id| format!("lesson:{id}"));
    let row = identity.row(&app.clock, name, object);
    match app.store.change_lessons(&scope, &changes, &reason, row).await {
        Ok(()) => {
            for lesson_id in &lesson_ids {
                app.registry.reread(*lesson_id).await?;
            }
            Ok(Json(Dispatched::all(lesson_ids, Vec::new())))
        }
        Err(error) => Err(schedule_problem(&app.store, &scope, error).await),
    }
}

/// 整天调课: organisation and days.
struct DayMove {
    organisation_id: OrganisationId,
    from: Date,
    to: Date,
    leave_clashing: bool,
    dry_run: bool,
}

async fn move_day(app: &DispatchApp, identity: &Identity, scope: &Scope, of: DayMove) -> Result<Dispatched, ApiError> {
    let store = &app.store;
    let path = &place_of(&app.store, scope, of.organisation_id).await?;
    if of.from == of.to {
        return Err(invalid("to", &DispatchReason::SameDay));
    }
    let lessons = store.dispatched_on(scope, path, of.from).await?;
    let (changes, stay) = dispatcher::move_day(store, scope, &lessons, of.to, app.clock.wall()).await?;
    let titles = store.titles(scope, &stay.iter().map(|(lesson_id, _)| *lesson_id).collect::<Vec<_>>()).await?;
    let left: Vec<LeftView> = stay
        .into_iter()
        .map(|(lesson_id, why)| {
            let title = titles.get(&lesson_id).cloned().unwrap_or_default();
            LeftView { lesson_id, title, why: stays_because(why) }
        })
        .collect();
    if changes.is_empty() && left.is_empty() {
        return Err(invalid("from", &DispatchReason::NoLessonsToMove));
    }
    if of.dry_run {
        let (free, clashes) = store.free_changes(scope, &changes).await?;
        let clashes = ClashView::of(store, scope, &clashes).await?;
        return Ok(Dispatched { lesson_ids: free, clashes, left });
    }
    let row = identity.row(&app.clock, "move_day", format!("organisation:{}", of.organisation_id));
    let row = row.saying(format!("{} -> {}", of.from, of.to));
    let moved = if of.leave_clashing && !changes.is_empty() {
        store.change_free_lessons(scope, &changes, row).await
    } else if let Some(first) = left.first() {
        let (lesson_title, because) = (first.title.clone(), first.why.clone());
        return Err(invalid("to", &DispatchReason::LessonsStay { count: left.len(), lesson_title, because }));
    } else {
        let all = changes.iter().map(|change| change.before.lesson_id).collect();
        store.change_lessons(scope, &changes, "", row).await.map(|()| (all, Vec::new()))
    };
    match moved {
        Ok((lesson_ids, clashes)) => {
            let clashes = ClashView::of(store, scope, &clashes).await?;
            Ok(Dispatched { lesson_ids, clashes, left })
        }
        Err(error) => Err(schedule_problem(store, scope, error).await),
    }
}

/// List a lesson's state transitions with time, actor and reason
#[utoipa::path(get, path = "/lessons/{lesson_id}/transitions", tag = "lessons",
    params(("lesson_id" = LessonId, Path)), extensions(("x-act" = json!("see_lessons"))),
    responses((status = 200, body = Listed<TransitionView>), Problems))]
pub async fn transitions(
    State(app): State<DispatchApp>,
    identity: Identity,
    PathId(lesson_id): PathId<LessonId>,
) -> Result<Json<Listed<TransitionView>>, ApiError> {
    let scope = identity.reach(Permission::SeeLessons)?;
    app.store.lesson(&scope, lesson_id).await?.ok_or(CommonProblem::NotFound)?;
    let steps = app.store.transitions(&scope, lesson_id).await?.into_iter().map(|step| TransitionView {
        from: step.from,
        to: step.to,
        at_ms: step.at,
        actor: step.actor,
        reason: step.reason,
    });
    Ok(Json(Listed { items: steps.collect(), next: None }))
}

async fn changes(
    app: &DispatchApp,
    scope: &Scope,
    deed: &DispatchActionRequest,
) -> Result<(Vec<Change>, String, &'static str), Refusal> {
    let (store, now) = (&app.store, app.clock.wall());
    let find = async |id: LessonId| -> Result<DispatchedLesson, Refusal> {
        store.dispatched(scope, &[id]).await?.pop().ok_or(Refusal::NotFound)
    };
    Ok(match deed {
        DispatchActionRequest::Substitute { lesson_id, teacher_id } => {
            store.rooms_in(scope, *teacher_id, &[], &[]).await?.ok_or(Refusal::NotFound)?;
            let before = find(*lesson_id).await?;
            let after = after(&before, &DispatchAction::Substitute { teacher_id: *teacher_id }, now)?;
            (vec![Change { before, after, times: None, join_windows: None }], String::new(), "substitute_teacher")
        }
        DispatchActionRequest::Move { lesson_id, date, period, classroom_id } => {
            let period = period.parse().map_err(|_| Refusal::NotFound)?;
            let before = find(*lesson_id).await?;
            if let Some(classroom_id) = classroom_id {
                let there = store.rooms_in(scope, before.teacher_id, &[*classroom_id], &[]).await?;
                there.ok_or(Refusal::NotFound)?;
            }
            let change = dispatcher::move_to(store, scope, &before, (*date, period), *classroom_id, now).await?;
            (vec![change], String::new(), "move_lesson")
        }
        DispatchActionRequest::Swap { lesson_id, with, .. } => {
            let (one, other) = (find(*lesson_id).await?, find(*with).await?);
            let swapped = swap(&one, &other, now)?;
            let mut changes = Vec::new();
            for (before, after) in [one, other].into_iter().zip(swapped) {
                let paths = store.paths(scope, [before.organisation_id]).await?;
                let path = paths.get(&before.organisation_id).ok_or(Refusal::NotFound)?;
                let times = Some(LessonTimes::by(&store.rules_at(scope, path).await?, after.span));
                changes.push(Change { before, after, times, join_windows: None });
            }
            (changes, String::new(), "swap_lessons")
        }
        DispatchActionRequest::Cancel { lesson_id, reason } => {
            let before = find(*lesson_id).await?;
            let after = after(&before, &DispatchAction::Cancel(reason.clone()), now)?;
            let words = format!("{}: {}", reason.kind.as_str(), reason.words.trim());
            (vec![Change { before, after, times: None, join_windows: None }], words, "cancel_lesson")
        }
        // Handled separately: some of its lessons may stay.
        DispatchActionRequest::MoveDay { .. } => return Err(Refusal::NotFound),
    })
}

/// Turns a refusal into a problem; one against a rule of the bureau also gets an audit row.
fn refused(app: &DispatchApp, identity: &Identity, refusal: Refusal) -> ApiError {
    let against_a_rule = matches!(
        refusal,
        Refusal::Dispatch(DispatchError::OutsideServeScope { .. } | DispatchError::ReceiverLimit(_))
            | Refusal::NoListeningRight(_)
    );
    if against_a_rule {
        app.refusals.keep(identity.row(&app.clock, "dispatch", "lesson".into()).saying(refusal.to_string()).refused());
    }
    refusal.into()
}

fn period(text: &str) -> Result<PeriodName, ApiError> {
    text.parse().map_err(|_| invalid("period", &TimetableReason::NotAPeriod))
}
