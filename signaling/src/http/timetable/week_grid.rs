//! Views of the timetable: lessons of a week or day, counts per school, the weeks of a term.

use std::{borrow::Cow, collections::BTreeSet};

use axum::{Json, extract::State};
use jiff::{ToSpan, civil::Date};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    http::{
        account::identity::Identity,
        timetable::{app::TimetableApp, problem::TimetableReason},
        web::{
            extract::{PathId, QueryParams},
            list::Listed,
            problem::{ApiError, Problems, common::CommonProblem, invalid},
        },
    },
    store::{GridDay, GridLesson, GridOf},
};
use school::{
    account::permission::{Permission, Scope},
    base::{
        id::{ClassId, ClassroomId, LessonId, OrganisationId, PersonId, TermId},
        time::UnixMs,
        zone::SHANGHAI,
    },
    lesson::life::LessonState,
    timetable::{
        calendar::{DayKind, Term, monday_of},
        program::Mode,
    },
};

/// Week or day and subject of a grid.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GridQuery {
    term: TermId,
    /// 第几周. Missing: the week of `date`
    #[param(minimum = 1, maximum = 30)]
    week: Option<u8>,
    /// Only this day
    #[param(value_type = Option<String>, format = Date)]
    date: Option<Date>,
    /// `class`, `teacher`, `classroom`, or `organisation` with all below it
    by: GridBy,
    /// Id of that kind.
    #[param(format = Uuid)]
    id: String,
}

/// Kind of grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is what it says")]
pub enum GridBy {
    Class,
    Teacher,
    Classroom,
    Organisation,
}

/// The lessons of a week or a day.
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
    pub mode: Mode,
    pub state: LessonState,
    pub teacher_id: PersonId,
    pub teacher: String,
    pub classroom_id: Option<ClassroomId>,
    pub class_id: Option<ClassId>,
    /// Weekday in the plan; 1 is Monday.
    pub weekday: i64,
    pub period: String,
    /// The actual day.
    #[schema(value_type = String, format = Date)]
    pub date: Date,
    /// Time zone of the teaching school: `Asia/Shanghai`
    #[schema(value_type = String)]
    pub zone: Cow<'static, str>,
    /// Rooms may join from this time on.
    pub opens_at_ms: UnixMs,
    pub starts_at_ms: UnixMs,
    pub ends_at_ms: UnixMs,
    pub listening: Vec<GridListeningView>,
    pub version: i64,
}

/// A listening end in the grid.
#[derive(Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `GridListening`")]
pub struct GridListeningView {
    pub classroom_id: ClassroomId,
    pub class_id: Option<ClassId>,
    /// End of joining by its own bell. `null`: until the lesson is over.
    pub join_until_ms: Option<UnixMs>,
}

/// Week and organisation of the counts.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SchoolsQuery {
    term: TermId,
    /// 第几周
    #[param(minimum = 1, maximum = 30)]
    week: u8,
    /// All schools below it.
    organisation_id: OrganisationId,
}

/// Lesson counts of a week by school.
#[derive(Serialize, ToSchema)]
pub struct SchoolsView {
    term_id: TermId,
    week_no: u8,
    #[schema(value_type = String, format = Date)]
    monday: Date,
    /// By name. Schools without lessons in the week are left out.
    schools: Vec<SchoolWeekView>,
}

/// Lesson counts of a school's week.
#[derive(Serialize, ToSchema)]
pub struct SchoolWeekView {
    organisation_id: OrganisationId,
    name: String,
    /// Days without lessons are left out.
    days: Vec<DayCountView>,
}

/// Lesson counts of a school's day.
#[derive(Serialize, ToSchema)]
pub struct DayCountView {
    #[schema(value_type = String, format = Date)]
    date: Date,
    /// All lessons taught there.
    lessons: i64,
    /// Of these, cancelled.
    cancelled: i64,
    /// Of these, missed: never started.
    missed: i64,
}

/// Whose holidays apply to the weeks.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WeeksQuery {
    /// The organisation whose holidays apply. Missing: the bureau that set the term.
    organisation_id: Option<OrganisationId>,
}

/// 第几周: a week of a term.
#[derive(Serialize, ToSchema)]
pub struct WeekView {
    week_no: u8,
    /// Monday to Sunday; the first and the last week are limited to the term.
    days: Vec<WeekDayView>,
}

/// A day of a term.
#[derive(Serialize, ToSchema)]
pub struct WeekDayView {
    #[schema(value_type = String, format = Date)]
    date: Date,
    /// Name of the holiday, or reason of the swap. `null`: an ordinary day.
    name: Option<String>,
    /// The day whose lessons are given on it. `null`: its own, or none where it has a name.
    #[schema(value_type = Option<String>, format = Date)]
    taught_as: Option<Date>,
}

/// Show the lessons of a week or a day
#[utoipa::path(get, path = "/week-grid", tag = "timetable", params(GridQuery),
    extensions(("x-act" = json!("see_timetable"))),
    responses((status = 200, body = GridView), Problems))]
pub async fn week_grid(
    State(app): State<TimetableApp>,
    identity: Identity,
    QueryParams(ask): QueryParams<GridQuery>,
) -> Result<Json<GridView>, ApiError> {
    let scope = identity.scope(Permission::SeeTimetable)?;
    let term = app.store.term(&scope, ask.term).await?.ok_or(CommonProblem::NotFound)?.value;
    let week_no = match (ask.week, ask.date) {
        (Some(week), None) => week,
        (None, Some(date)) => term.week_of(date).ok_or_else(|| invalid("date", &TimetableReason::NotInTerm))?,
        _ => return Err(invalid("week", &TimetableReason::WeekOrDate)),
    };
    let (monday, sunday) = days_of(&term, week_no)?;
    let (first, last) = ask.date.map_or((monday, sunday), |date| (date, date));
    let no_id = |_| CommonProblem::NotFound;
    let of = match ask.by {
        GridBy::Class => GridOf::Class(ask.id.parse().map_err(no_id)?),
        GridBy::Teacher => GridOf::Teacher(ask.id.parse().map_err(no_id)?),
        GridBy::Classroom => GridOf::Classroom(ask.id.parse().map_err(no_id)?),
        GridBy::Organisation => GridOf::Path(path_of(&app, &scope, ask.id.parse().map_err(no_id)?).await?),
    };
    let lessons = app.store.week_grid(&scope, first, last, &of).await?;
    let schools: BTreeSet<OrganisationId> = lessons.iter().map(|lesson| lesson.organisation_id).collect();
    let zones = app.store.zones_of(&scope, schools).await?;
    let zone = |id: OrganisationId| zones.get(&id).map_or(Cow::Borrowed(SHANGHAI), |zone| Cow::Owned(zone.clone()));
    let lessons = lessons.into_iter().map(|lesson| grid_view(zone(lesson.organisation_id), lesson)).collect();
    Ok(Json(GridView { term_id: ask.term, week_no, monday, lessons }))
}

/// Show the week of all schools below an organisation, as lesson counts by school and day
#[utoipa::path(get, path = "/week-grid/schools", tag = "timetable", params(SchoolsQuery),
    extensions(("x-act" = json!("see_timetable"))),
    responses((status = 200, body = SchoolsView), Problems))]
pub async fn schools(
    State(app): State<TimetableApp>,
    identity: Identity,
    QueryParams(ask): QueryParams<SchoolsQuery>,
) -> Result<Json<SchoolsView>, ApiError> {
    let scope = identity.scope(Permission::SeeTimetable)?;
    let term = app.store.term(&scope, ask.term).await?.ok_or(CommonProblem::NotFound)?.value;
    let (monday, sunday) = days_of(&term, ask.week)?;
    let path = path_of(&app, &scope, ask.organisation_id).await?;
    let mut schools: Vec<SchoolWeekView> = Vec::new();
    for day in app.store.week_counts(&scope, monday, sunday, &path).await? {
        let GridDay { organisation_id, name, held_on: date, lessons, cancelled, missed } = day;
        if schools.last().is_none_or(|school| school.organisation_id != organisation_id) {
            schools.push(SchoolWeekView { organisation_id, name, days: Vec::new() });
        }
        if let Some(school) = schools.last_mut() {
            school.days.push(DayCountView { date, lessons, cancelled, missed });
        }
    }
    Ok(Json(SchoolsView { term_id: ask.term, week_no: ask.week, monday, schools }))
}

/// List the weeks of a term with their holidays and swapped days
#[utoipa::path(get, path = "/terms/{term_id}/weeks", tag = "timetable",
    params(("term_id" = TermId, Path), WeeksQuery), extensions(("x-act" = json!("see_timetable"))),
    responses((status = 200, body = Listed<WeekView>), Problems))]
pub async fn weeks(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(term_id): PathId<TermId>,
    QueryParams(ask): QueryParams<WeeksQuery>,
) -> Result<Json<Listed<WeekView>>, ApiError> {
    let scope = identity.reach(Permission::SeeTimetable)?;
    let term = app.store.term(&scope, term_id).await?.ok_or(CommonProblem::NotFound)?.value;
    let organisation_id = match ask.organisation_id {
        Some(organisation_id) => {
            path_of(&app, &scope, organisation_id).await?;
            organisation_id
        }
        None => {
            let years = app.store.school_years(&scope).await?.into_iter().map(|stored| stored.value);
            let year = years.into_iter().find(|year| year.school_year_id == term.school_year_id);
            year.ok_or(CommonProblem::NotFound)?.organisation_id
        }
    };
    let paths = app.store.paths(&scope, [organisation_id]).await?;
    let times = app.store.school_times(&scope, &term, &paths).await?;
    let calendar = &times.get(&organisation_id).ok_or(CommonProblem::NotFound)?.calendar;
    let day = |date: Date| {
        let special = calendar.special(date);
        let taught_as = special.and_then(|special| match special.kind {
            DayKind::Off => None,
            DayKind::TaughtAs { date } => Some(date),
        });
        WeekDayView { date, name: special.map(|special| special.name.clone()), taught_as }
    };
    let mut weeks: Vec<WeekView> = Vec::new();
    for date in term.first_day.series(1.day()).take_while(|date| *date <= term.last_day) {
        let Some(week_no) = term.week_of(date) else { continue };
        match weeks.last_mut().filter(|week| week.week_no == week_no) {
            Some(week) => week.days.push(day(date)),
            None => weeks.push(WeekView { week_no, days: vec![day(date)] }),
        }
    }
    Ok(Json(Listed { items: weeks, next: None }))
}

/// Monday and Sunday of a week of a term.
fn days_of(term: &Term, week_no: u8) -> Result<(Date, Date), ApiError> {
    if !(1..=term.weeks()).contains(&week_no) {
        return Err(invalid("week", &TimetableReason::NoSuchWeek));
    }
    let beyond = |_| invalid("week", &TimetableReason::NoSuchWeek);
    let monday = monday_of(term.first_day).checked_add((i64::from(week_no) - 1).weeks()).map_err(beyond)?;
    Ok((monday, monday.checked_add(6.days()).map_err(beyond)?))
}

async fn path_of(app: &TimetableApp, scope: &Scope, id: OrganisationId) -> Result<String, ApiError> {
    let mut paths = app.store.paths(scope, [id]).await?;
    paths.remove(&id).filter(|path| scope.covers(path)).ok_or_else(|| CommonProblem::NotFound.into())
}

fn grid_view(zone: Cow<'static, str>, lesson: GridLesson) -> GridLessonView {
    let listening = lesson.listening.into_iter().map(|end| GridListeningView {
        classroom_id: end.classroom_id,
        class_id: end.class_id,
        join_until_ms: end.join_until,
    });
    GridLessonView {
        lesson_id: lesson.lesson_id,
        organisation_id: lesson.organisation_id,
        title: lesson.title,
        subject: lesson.subject,
        mode: lesson.mode,
        state: lesson.state,
        teacher_id: lesson.teacher_id,
        teacher: lesson.teacher,
        classroom_id: lesson.classroom_id,
        class_id: lesson.class_id,
        weekday: lesson.weekday,
        period: lesson.period,
        date: lesson.held_on,
        zone,
        opens_at_ms: lesson.opens_at,
        starts_at_ms: lesson.starts_at,
        ends_at_ms: lesson.ends_at,
        listening: listening.collect(),
        version: lesson.version,
    }
}
