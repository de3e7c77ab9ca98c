//! The dispatch console and the week grid: lessons put on a date, moved, swapped, substituted and called off.

use std::collections::BTreeSet;

use axum::{Json, extract::State, http::StatusCode};
use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    ask::{Asked, Named, Queried, named},
    identity::Identity,
    list::Listed,
    problem::{ApiError, Problems},
    timetable::invalid,
};
use crate::{
    app::App,
    dispatcher::{self, Refusal},
    domain::{
        bell_schedule::PeriodName,
        calendar::monday_of,
        course::{Course, Listening},
        dispatch::{Act as Deed, CancelReason, Clash, DispatchError, DispatchedLesson, after, swap},
        id::{ClassId, ClassroomId, CourseId, DeviceId, LessonId, OrganisationId, PersonId, TermId},
        lesson_life::{LessonState, LessonTimes, Step},
        organisation::Stage,
        permission::{Act, Scope},
        program::{Delivery, Mode, Program},
        time::UnixMs,
        timetable::Unresolved,
    },
    live::registry::Mover,
    store::{Change, GridLesson, GridOf, ScheduleError, Store, StoreError},
};

/// One classroom that listens, with the class in it.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListeningAsk {
    /// Which classroom.
    pub classroom_id: ClassroomId,
    /// Which class sits in it. `null`: teachers do.
    pub class_id: Option<ClassId>,
    /// It can be called on stage; else it watches only.
    pub interactive: bool,
}

/// A lesson to be put on a date.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLessonAsk {
    term_id: TermId,
    /// The school that teaches.
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
    /// `lesson-3`
    period: String,
    #[schema(max_items = 2000)]
    listening: Vec<ListeningAsk>,
    /// Devices that it takes up beside those of its rooms.
    #[serde(default)]
    #[schema(max_items = 20)]
    device_ids: Vec<DeviceId>,
    /// Only say what it would clash with.
    #[serde(default)]
    dry_run: bool,
}

/// What is to be done with lessons.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum DeedAsk {
    /// 代课
    Substitute {
        /// Which lesson.
        lesson_id: LessonId,
        /// Who takes it.
        teacher_id: PersonId,
    },
    /// 调课: dragged to another cell of the grid.
    Move {
        /// Which lesson.
        lesson_id: LessonId,
        /// To which day.
        #[schema(value_type = String, format = Date)]
        date: Date,
        /// `lesson-3`
        period: String,
        /// Into which room. `null`: the same.
        classroom_id: Option<ClassroomId>,
    },
    /// 对调
    Swap {
        /// Which lesson.
        lesson_id: LessonId,
        /// With which.
        with: LessonId,
    },
    /// 停课
    Cancel {
        /// Which lesson.
        lesson_id: LessonId,
        /// Why.
        reason: CancelReason,
    },
    /// Every lesson of a day to another day, each in its period.
    MoveDay {
        /// The school, or everything below a bureau.
        organisation_id: OrganisationId,
        /// From which day.
        #[schema(value_type = String, format = Date)]
        from: Date,
        /// To which.
        #[schema(value_type = String, format = Date)]
        to: Date,
    },
}

/// An act of dispatch.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DispatchAsk {
    /// What.
    act: DeedAsk,
    /// Only say what it would clash with.
    #[serde(default)]
    dry_run: bool,
}

/// Two lessons want the same at the same time.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Clash`")]
pub struct ClashView {
    pub lesson_id: LessonId,
    /// `teacher`, `classroom`, `class` or `device`
    pub resource: String,
    pub resource_id: String,
    /// The lesson that has it.
    pub with: LessonId,
    /// What that one is called. Empty: it is not the asker's to know.
    pub with_title: String,
    pub starts_at_ms: UnixMs,
    pub ends_at_ms: UnixMs,
}

impl ClashView {
    /// With the titles of the lessons that have what is wanted.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn of(store: &Store, scope: &Scope, clashes: &[Clash]) -> Result<Vec<Self>, StoreError> {
        let ids: BTreeSet<LessonId> = clashes.iter().map(|clash| clash.with).collect();
        let titles = store.titles(scope, &ids.into_iter().collect::<Vec<_>>()).await?;
        let view = |clash: &Clash| Self {
            lesson_id: clash.lesson_id,
            resource: clash.resource.kind().into(),
            resource_id: clash.resource.id(),
            with: clash.with,
            with_title: titles.get(&clash.with).cloned().unwrap_or_default(),
            starts_at_ms: clash.span.starts_at,
            ends_at_ms: clash.span.ends_at,
        };
        Ok(clashes.iter().take(CLASHES_SHOWN_MAX).map(view).collect())
    }
}

/// Nobody reads more of them.
const CLASHES_SHOWN_MAX: usize = 200;

/// What came of it.
#[derive(Serialize, ToSchema)]
pub struct Dispatched {
    /// The lessons that were changed or are new; in a dry run those that would be.
    lesson_ids: Vec<LessonId>,
    /// What they would clash with; only in a dry run, for else they are refused.
    clashes: Vec<ClashView>,
}

/// Which week of whom.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GridAsk {
    term: TermId,
    /// 第几周
    #[param(minimum = 1, maximum = 30)]
    week: u8,
    /// `class`, `teacher`, `classroom`, or `organisation` for everything below one
    by: GridBy,
    /// Of that kind.
    #[param(format = Uuid)]
    id: String,
}

/// How a grid is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is what it says")]
pub enum GridBy {
    Class,
    Teacher,
    Classroom,
    Organisation,
}

/// A week.
#[derive(Serialize, ToSchema)]
pub struct GridView {
    term_id: TermId,
    week_no: u8,
    #[schema(value_type = String, format = Date)]
    monday: Date,
    lessons: Vec<GridLessonView>,
}

/// A lesson in the grid.
#[derive(Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `GridLesson`")]
pub struct GridLessonView {
    pub lesson_id: LessonId,
    pub organisation_id: OrganisationId,
    pub title: String,
    pub subject: String,
    pub state: LessonState,
    pub teacher_id: PersonId,
    pub teacher: String,
    pub classroom_id: Option<ClassroomId>,
    pub class_id: Option<ClassId>,
    /// Of the plan; 1: Monday.
    pub weekday: i64,
    pub period: String,
    /// The day it is given on.
    #[schema(value_type = String, format = Date)]
    pub date: Date,
    pub starts_at_ms: UnixMs,
    pub ends_at_ms: UnixMs,
    pub listening: Vec<GridListeningView>,
    pub version: i64,
}

/// A listening end in the grid.
#[derive(Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Listening`")]
pub struct GridListeningView {
    pub classroom_id: ClassroomId,
    pub class_id: Option<ClassId>,
}

/// A step that a lesson took.
#[derive(Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Transition`")]
pub struct TransitionView {
    pub from: LessonState,
    pub to: LessonState,
    pub at_ms: UnixMs,
    pub actor: String,
    pub reason: String,
}

/// The lessons of one week
#[utoipa::path(get, path = "/week-grid", tag = "timetable", params(GridAsk),
    extensions(("x-act" = json!("see_timetable"))),
    responses((status = 200, body = GridView), Problems))]
pub async fn week_grid(
    State(app): State<App>,
    identity: Identity,
    Queried(ask): Queried<GridAsk>,
) -> Result<Json<GridView>, ApiError> {
    let scope = identity.scope(Act::SeeTimetable)?;
    let term = app.store.term(&scope, ask.term).await?.ok_or(ApiError::NotFound)?.value;
    if !(1..=term.weeks()).contains(&ask.week) {
        return Err(invalid("week", "这个学期没有这一周"));
    }
    let no_id = |_| ApiError::NotFound;
    let of = match ask.by {
        GridBy::Class => GridOf::Class(ask.id.parse().map_err(no_id)?),
        GridBy::Teacher => GridOf::Teacher(ask.id.parse().map_err(no_id)?),
        GridBy::Classroom => GridOf::Classroom(ask.id.parse().map_err(no_id)?),
        GridBy::Organisation => {
            let id: OrganisationId = ask.id.parse().map_err(no_id)?;
            let mut paths = app.store.paths(&scope, [id]).await?;
            GridOf::Path(paths.remove(&id).filter(|path| scope.covers(path)).ok_or(ApiError::NotFound)?)
        }
    };
    let weeks_on = jiff::Span::new().weeks(i64::from(ask.week) - 1);
    let beyond = |_| invalid("week", "这个学期没有这一周");
    let monday = monday_of(term.first_day).checked_add(weeks_on).map_err(beyond)?;
    let sunday = monday.checked_add(jiff::Span::new().days(6)).map_err(beyond)?;
    let lessons = app.store.week_grid(&scope, monday, sunday, &of).await?;
    let lessons = lessons.into_iter().map(grid_view).collect();
    Ok(Json(GridView { term_id: ask.term, week_no: ask.week, monday, lessons }))
}

/// Put a lesson on a date
#[utoipa::path(post, path = "/dispatch/lessons", tag = "dispatch", request_body = NewLessonAsk,
    extensions(("x-act" = json!("dispatch"))),
    responses((status = 200, body = Dispatched, description = "a dry run"), (status = 201, body = Dispatched), Problems))]
pub async fn schedule(
    State(app): State<App>,
    identity: Identity,
    Asked(ask): Asked<NewLessonAsk>,
) -> Result<(StatusCode, Json<Dispatched>), ApiError> {
    let scope = identity.scope(Act::Dispatch)?;
    let rooms: Vec<ClassroomId> = ask.listening.iter().map(|end| end.classroom_id).chain(ask.classroom_id).collect();
    let classes: Vec<ClassId> = ask.listening.iter().filter_map(|end| end.class_id).chain(ask.class_id).collect();
    let owners = app.store.rooms_in(&scope, ask.teacher_id, &rooms, &classes).await?.ok_or(ApiError::NotFound)?;
    let listening = ask.listening.iter().map(|end| {
        let organisation_id = *owners.get(&end.classroom_id).ok_or(ApiError::NotFound)?;
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
        return Ok((StatusCode::OK, Json(Dispatched { lesson_ids, clashes })));
    }
    let row = identity.row(&app, "schedule_lesson", format!("lesson:{}", lesson_ids[0]));
    match app.store.schedule(&scope, &[lesson], row).await {
        Ok(_) => Ok((StatusCode::CREATED, Json(Dispatched { lesson_ids, clashes: Vec::new() }))),
        Err(error) => Err(ApiError::of_schedule(&app.store, &scope, error).await),
    }
}

/// Substitute, move, swap, call off, or move a whole day
#[utoipa::path(post, path = "/dispatch/acts", tag = "dispatch", request_body = DispatchAsk,
    extensions(("x-act" = json!("dispatch"))),
    responses((status = 200, body = Dispatched), Problems))]
pub async fn act(
    State(app): State<App>,
    identity: Identity,
    Asked(ask): Asked<DispatchAsk>,
) -> Result<Json<Dispatched>, ApiError> {
    let scope = identity.scope(Act::Dispatch)?;
    let (changes, reason, name) = match changes(&app, &scope, &ask.act).await {
        Ok(changes) => changes,
        Err(refusal) => return Err(refused(&app, &identity, refusal)),
    };
    let lesson_ids: Vec<LessonId> = changes.iter().map(|change| change.before.lesson_id).collect();
    if ask.dry_run {
        let clashes = app.store.clashes(&scope, &changes).await?;
        let clashes = ClashView::of(&app.store, &scope, &clashes).await?;
        return Ok(Json(Dispatched { lesson_ids, clashes }));
    }
    // What sits in a room is called off there, so that everybody in it is told.
    if let ([change], DeedAsk::Cancel { .. }) = (&changes[..], &ask.act)
        && let Some(lesson) = app.registry.lesson(change.before.lesson_id)
    {
        let mover = Mover { actor: identity.actor(), address: identity.caller.ip().to_string() };
        app.registry.close(lesson, Step::Cancel, &reason, &mover).await?;
        return Ok(Json(Dispatched { lesson_ids, clashes: Vec::new() }));
    }
    let object = lesson_ids.first().map_or_else(|| "lesson".to_owned(), |id| format!("lesson:{id}"));
    let row = identity.row(&app, name, object);
    match app.store.change_lessons(&scope, &changes, &reason, row).await {
        Ok(()) => {
            for lesson_id in &lesson_ids {
                app.registry.reread(*lesson_id).await?;
            }
            Ok(Json(Dispatched { lesson_ids, clashes: Vec::new() }))
        }
        Err(error) => Err(ApiError::of_schedule(&app.store, &scope, error).await),
    }
}

/// Every step that a lesson took: when, by whom, why
#[utoipa::path(get, path = "/lessons/{lesson_id}/transitions", tag = "lessons",
    params(("lesson_id" = LessonId, Path)), extensions(("x-act" = json!("see_lessons"))),
    responses((status = 200, body = Listed<TransitionView>), Problems))]
pub async fn transitions(
    State(app): State<App>,
    identity: Identity,
    Named(lesson_id): Named<LessonId>,
) -> Result<Json<Listed<TransitionView>>, ApiError> {
    let scope = identity.reach(Act::SeeLessons)?;
    app.store.lesson(&scope, lesson_id).await?.ok_or(ApiError::NotFound)?;
    let steps = app.store.transitions(&scope, lesson_id).await?.into_iter().map(|step| TransitionView {
        from: step.from,
        to: step.to,
        at_ms: step.at,
        actor: step.actor,
        reason: step.reason,
    });
    Ok(Json(Listed { items: steps.collect(), next: None }))
}

async fn changes(app: &App, scope: &Scope, deed: &DeedAsk) -> Result<(Vec<Change>, String, &'static str), Refusal> {
    let (store, now) = (&app.store, app.clock.wall());
    let find = async |id: LessonId| -> Result<DispatchedLesson, Refusal> {
        store.dispatched(scope, &[id]).await?.pop().ok_or(Refusal::NotFound)
    };
    Ok(match deed {
        DeedAsk::Substitute { lesson_id, teacher_id } => {
            store.rooms_in(scope, *teacher_id, &[], &[]).await?.ok_or(Refusal::NotFound)?;
            let before = find(*lesson_id).await?;
            let after = after(&before, &Deed::Substitute { teacher_id: *teacher_id }, now)?;
            (vec![Change { before, after, times: None }], String::new(), "substitute_teacher")
        }
        DeedAsk::Move { lesson_id, date, period, classroom_id } => {
            let period = period.parse().map_err(|_| Refusal::NotFound)?;
            let before = find(*lesson_id).await?;
            if let Some(classroom_id) = classroom_id {
                let there = store.rooms_in(scope, before.teacher_id, &[*classroom_id], &[]).await?;
                there.ok_or(Refusal::NotFound)?;
            }
            let change = dispatcher::move_to(store, scope, &before, (*date, period), *classroom_id, now).await?;
            (vec![change], String::new(), "move_lesson")
        }
        DeedAsk::Swap { lesson_id, with } => {
            let (one, other) = (find(*lesson_id).await?, find(*with).await?);
            let swapped = swap(&one, &other, now)?;
            let mut changes = Vec::new();
            for (before, after) in [one, other].into_iter().zip(swapped) {
                let paths = store.paths(scope, [before.organisation_id]).await?;
                let path = paths.get(&before.organisation_id).ok_or(Refusal::NotFound)?;
                let times = Some(LessonTimes::by(&store.rules_at(scope, path).await?, after.span));
                changes.push(Change { before, after, times });
            }
            (changes, String::new(), "swap_lessons")
        }
        DeedAsk::Cancel { lesson_id, reason } => {
            let before = find(*lesson_id).await?;
            let after = after(&before, &Deed::Cancel(reason.clone()), now)?;
            let words = format!("{}: {}", reason.kind.as_str(), reason.words.trim());
            (vec![Change { before, after, times: None }], words, "cancel_lesson")
        }
        DeedAsk::MoveDay { organisation_id, from, to } => {
            let paths = store.paths(scope, [*organisation_id]).await?;
            let path = paths.get(organisation_id).filter(|path| scope.covers(path)).ok_or(Refusal::NotFound)?;
            let mut changes = Vec::new();
            for before in store.dispatched_on(scope, path, *from).await? {
                let Some(slot) = before.slot else { continue };
                changes.push(dispatcher::move_to(store, scope, &before, (*to, slot.period), None, now).await?);
            }
            if changes.is_empty() {
                return Err(Refusal::NotFound);
            }
            (changes, String::new(), "move_day")
        }
    })
}

/// A refusal that is against a rule of the bureau is noted in the audit; one that is a slip is not.
fn refused(app: &App, identity: &Identity, refusal: Refusal) -> ApiError {
    let against_a_rule = matches!(
        refusal,
        Refusal::Dispatch(DispatchError::OutsideServeScope { .. } | DispatchError::ReceiverLimit(_))
            | Refusal::NoListeningRight(_)
    );
    if against_a_rule {
        app.refusals.keep(identity.row(app, "dispatch", "lesson".into()).saying(refusal.to_string()).refused());
    }
    refusal.into()
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => Self::NotFound,
            Refusal::Store(error) => error.into(),
            Refusal::Unresolved(why) => Self::Invalid { field: "period", why: unresolved_words(&why) },
            Refusal::Course(why) => Self::Invalid { field: "lesson", why: why.to_string() },
            Refusal::NoRule => invalid("mode", "本地没有启用这种课堂的这种模式"),
            Refusal::NoListeningRight(_) => invalid("listening", "听讲班本学期没有这门课的收听授权，请先结对或授权"),
            Refusal::Dispatch(error) => match error {
                DispatchError::WrongState(state) => crate::domain::lesson_life::WrongState(state).into(),
                DispatchError::InThePast => invalid("date", "新的时间已经过去"),
                DispatchError::Reason => invalid("reason", "请写明停课原因，1 到 200 字"),
                DispatchError::ReceiverLimit(limit) => Self::ReceiverLimit(limit),
                DispatchError::OutsideServeScope { .. } => invalid("listening", "有接收学校不在辐射范围之内"),
                DispatchError::NoListeningClass { .. } => invalid("listening", "每个接收教室都要写明听讲班"),
            },
        }
    }
}

/// Why a period has no date and time, in Chinese.
pub(super) fn unresolved_words(why: &Unresolved) -> String {
    match why {
        Unresolved::NotInTerm { .. } => "这一天不在学期之内".into(),
        Unresolved::Off { date, name } => format!("{date} 放假（{name}）"),
        Unresolved::TakenFor { date, other } => format!("{date} 调休，上 {other} 的课"),
        Unresolved::NoBells { date } => format!("{date} 没有作息时间表"),
        Unresolved::NoSuchPeriod { schedule, period } => format!("{schedule}里没有{}", period.title()),
        Unresolved::TooLittleShared { shared_min, needed_min } => {
            format!("两端作息只重合 {shared_min} 分钟，至少要 {needed_min} 分钟")
        }
        Unresolved::NobodyListens => "这一天没有教室能听".into(),
    }
}

impl ApiError {
    /// Says what could not be scheduled, each clash with the lesson that has what is wanted.
    pub(super) async fn of_schedule(store: &Store, scope: &Scope, error: ScheduleError) -> Self {
        match error {
            ScheduleError::Clashes(clashes) => match ClashView::of(store, scope, &clashes).await {
                Ok(clashes) => Self::Clashes(clashes),
                Err(error) => error.into(),
            },
            ScheduleError::NotFound => Self::NotFound,
            ScheduleError::ChangedMeanwhile(_) => Self::OtherVersion,
            ScheduleError::Store(error) => error.into(),
        }
    }
}

fn period(text: &str) -> Result<PeriodName, ApiError> {
    text.parse().map_err(|_| invalid("period", "节次写成 lesson-3、early_study-1"))
}

/// 1 to 7, as the API says it.
pub(super) fn weekday(number: i8) -> Result<Weekday, ApiError> {
    Weekday::from_monday_one_offset(number).map_err(|_| invalid("weekday", "星期是 1 到 7"))
}

fn grid_view(lesson: GridLesson) -> GridLessonView {
    let listening = lesson.listening.into_iter();
    GridLessonView {
        lesson_id: lesson.lesson_id,
        organisation_id: lesson.organisation_id,
        title: lesson.title,
        subject: lesson.subject,
        state: lesson.state,
        teacher_id: lesson.teacher_id,
        teacher: lesson.teacher,
        classroom_id: lesson.classroom_id,
        class_id: lesson.class_id,
        weekday: lesson.weekday,
        period: lesson.period,
        date: lesson.held_on,
        starts_at_ms: lesson.starts_at,
        ends_at_ms: lesson.ends_at,
        listening: listening.map(|(classroom_id, class_id)| GridListeningView { classroom_id, class_id }).collect(),
        version: lesson.version,
    }
}
