//! Change and remove years, terms, courses and bell schedules: by `If-Match`, refused where lessons depend on them.

use axum::{extract::State, http::StatusCode};
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    bell_schedule::{BellScheduleView, PeriodView, month_day, period, schedule_view},
    course::{CourseView, WeeklyView, course_view, weekly},
    problem::course_problem,
};
use crate::{
    http::{
        account::identity::Identity,
        timetable::{
            app::TimetableApp,
            calendar::{SchoolYearView, TermView, YEAR_OUT_OF_RANGE, YEARS, term_view, year_view},
        },
        web::{
            extract::{JsonBody, PathId, QueryParams, named},
            problem::{ApiError, Problems, common::CommonProblem, invalid},
            version::{IfMatch, Tagged, edited},
        },
    },
    store::Versioned,
};
use school::{
    account::permission::{Permission, Scope},
    base::id::{BellScheduleId, ClassroomId, CourseId, PersonId, SchoolYearId, TermId},
    timetable::{
        bell_schedule::{BellSchedule, Season},
        calendar::{SchoolYear, Term},
    },
};

/// Dry-run option.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Trial {
    /// Dry run: only report the result, change nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Changes to a school year or a term; missing fields stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DaysChange {
    #[schema(min_length = 1, max_length = 80)]
    name: Option<String>,
    #[schema(value_type = Option<String>, format = Date)]
    first_day: Option<Date>,
    #[schema(value_type = Option<String>, format = Date)]
    last_day: Option<Date>,
}

/// Changes to a bell schedule; missing fields stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BellScheduleChange {
    #[schema(min_length = 1, max_length = 80)]
    name: Option<String>,
    /// For example `10-01`
    from_day: Option<String>,
    /// For example `04-30`, inclusive
    until_day: Option<String>,
    #[schema(min_items = 1, max_items = 32)]
    periods: Option<Vec<PeriodView>>,
}

/// Changes to a course; missing fields stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CourseChange {
    #[schema(min_length = 1, max_length = 80)]
    title: Option<String>,
    teacher_id: Option<PersonId>,
    classroom_id: Option<ClassroomId>,
    #[schema(min_items = 1, max_items = 35)]
    weekly: Option<Vec<WeeklyView>>,
}

async fn year_of(app: &TimetableApp, scope: &Scope, id: SchoolYearId) -> Result<Versioned<SchoolYear>, ApiError> {
    let years = app.store.school_years(scope).await?;
    years.into_iter().find(|stored| stored.value.school_year_id == id).ok_or_else(|| CommonProblem::NotFound.into())
}

async fn bells_of(
    app: &TimetableApp,
    scope: &Scope,
    id: BellScheduleId,
) -> Result<(Versioned<BellSchedule>, Vec<BellSchedule>), ApiError> {
    let (found, others): (Vec<_>, Vec<_>) =
        app.store.bell_schedules(scope).await?.into_iter().partition(|stored| stored.value.bell_schedule_id == id);
    let found = found.into_iter().next().ok_or(CommonProblem::NotFound)?;
    Ok((found, others.into_iter().map(|stored| stored.value).collect()))
}

/// Show one school year
#[utoipa::path(get, path = "/school-years/{school_year_id}", tag = "timetable",
    params(("school_year_id" = SchoolYearId, Path)), extensions(("x-act" = json!("see_timetable"))),
    responses((status = 200, body = SchoolYearView), Problems))]
pub async fn show_school_year(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(id): PathId<SchoolYearId>,
) -> Result<Tagged<SchoolYearView>, ApiError> {
    let stored = year_of(&app, &identity.reach(Permission::SeeTimetable)?, id).await?;
    Ok(Tagged::new(stored.version, year_view(stored)))
}

/// Change a school year's name or days; its terms must stay inside
#[utoipa::path(patch, path = "/school-years/{school_year_id}", tag = "timetable", request_body = DaysChange,
    params(("school_year_id" = SchoolYearId, Path), ("if-match" = String, Header), Trial),
    extensions(("x-act" = json!("edit_timetable"))),
    responses((status = 200, body = SchoolYearView), Problems))]
pub async fn change_school_year(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(id): PathId<SchoolYearId>,
    IfMatch(version): IfMatch,
    QueryParams(trial): QueryParams<Trial>,
    JsonBody(ask): JsonBody<DaysChange>,
) -> Result<Tagged<SchoolYearView>, ApiError> {
    let scope = identity.reach(Permission::EditTimetable)?;
    let mut year = year_of(&app, &scope, id).await?.value;
    if let Some(name) = &ask.name {
        year.name = named("name", name)?;
    }
    year.first_day = ask.first_day.unwrap_or(year.first_day);
    year.last_day = ask.last_day.unwrap_or(year.last_day);
    if !YEARS.contains(&year.first_day.year()) || !YEARS.contains(&year.last_day.year()) {
        return Err(invalid("first_day", &YEAR_OUT_OF_RANGE));
    }
    year.check().map_err(|why| invalid("last_day", &why))?;
    let terms = app.store.terms(&scope).await?.into_iter().map(|stored| stored.value);
    for term in terms.filter(|term| term.school_year_id == id) {
        term.check(&year, &[]).map_err(|why| invalid("last_day", &why))?;
    }
    let row = identity.row(&app.clock, "change_school_year", format!("school_year:{id}"));
    let version = edited(app.store.change_school_year(&scope, (&year, version), !trial.dry_run, row).await?)?;
    Ok(Tagged::new(version, year_view(Versioned { value: year, version })))
}

/// Remove a school year without terms
#[utoipa::path(delete, path = "/school-years/{school_year_id}", tag = "timetable",
    params(("school_year_id" = SchoolYearId, Path), ("if-match" = String, Header), Trial),
    extensions(("x-act" = json!("edit_timetable"))), responses((status = 204), Problems))]
pub async fn remove_school_year(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(id): PathId<SchoolYearId>,
    IfMatch(version): IfMatch,
    QueryParams(trial): QueryParams<Trial>,
) -> Result<StatusCode, ApiError> {
    let scope = identity.reach(Permission::EditTimetable)?;
    let row = identity.row(&app.clock, "remove_school_year", format!("school_year:{id}"));
    edited(app.store.delete_school_year(&scope, (id, version), !trial.dry_run, row).await?)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Show one term
#[utoipa::path(get, path = "/terms/{term_id}", tag = "timetable", params(("term_id" = TermId, Path)),
    extensions(("x-act" = json!("see_timetable"))), responses((status = 200, body = TermView), Problems))]
pub async fn show_term(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(id): PathId<TermId>,
) -> Result<Tagged<TermView>, ApiError> {
    let stored =
        app.store.term(&identity.reach(Permission::SeeTimetable)?, id).await?.ok_or(CommonProblem::NotFound)?;
    Ok(Tagged::new(stored.version, term_view(stored)))
}

/// Change a term's name or days; its lessons must stay inside and keep their week number
#[utoipa::path(patch, path = "/terms/{term_id}", tag = "timetable", request_body = DaysChange,
    params(("term_id" = TermId, Path), ("if-match" = String, Header), Trial),
    extensions(("x-act" = json!("edit_timetable"))), responses((status = 200, body = TermView), Problems))]
pub async fn change_term(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(id): PathId<TermId>,
    IfMatch(version): IfMatch,
    QueryParams(trial): QueryParams<Trial>,
    JsonBody(ask): JsonBody<DaysChange>,
) -> Result<Tagged<TermView>, ApiError> {
    let scope = identity.reach(Permission::EditTimetable)?;
    let before = app.store.term(&scope, id).await?.ok_or(CommonProblem::NotFound)?.value;
    let mut term = before.clone();
    if let Some(name) = &ask.name {
        term.name = named("name", name)?;
    }
    term.first_day = ask.first_day.unwrap_or(term.first_day);
    term.last_day = ask.last_day.unwrap_or(term.last_day);
    let year = year_of(&app, &scope, term.school_year_id).await?.value;
    let others = app.store.terms(&scope).await?.into_iter().map(|stored| stored.value);
    let others: Vec<Term> = others.filter(|other| other.school_year_id == term.school_year_id).collect();
    term.check(&year, &others).map_err(|why| invalid("first_day", &why))?;
    let row = identity.row(&app.clock, "change_term", format!("term:{id}"));
    let done = app.store.change_term(&scope, (&before, &term), version, !trial.dry_run, row).await?;
    let version = edited(done)?;
    Ok(Tagged::new(version, term_view(Versioned { value: term, version })))
}

/// Remove a term in which nothing is planned
#[utoipa::path(delete, path = "/terms/{term_id}", tag = "timetable",
    params(("term_id" = TermId, Path), ("if-match" = String, Header), Trial),
    extensions(("x-act" = json!("edit_timetable"))), responses((status = 204), Problems))]
pub async fn remove_term(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(id): PathId<TermId>,
    IfMatch(version): IfMatch,
    QueryParams(trial): QueryParams<Trial>,
) -> Result<StatusCode, ApiError> {
    let scope = identity.reach(Permission::EditTimetable)?;
    let row = identity.row(&app.clock, "remove_term", format!("term:{id}"));
    edited(app.store.delete_term(&scope, (id, version), !trial.dry_run, row).await?)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rename a course; change its teacher, room or periods only while no future lesson is planned from it
#[utoipa::path(patch, path = "/courses/{course_id}", tag = "timetable", request_body = CourseChange,
    params(("course_id" = CourseId, Path), ("if-match" = String, Header), Trial),
    extensions(("x-act" = json!("edit_timetable"))), responses((status = 200, body = CourseView), Problems))]
pub async fn change_course(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(id): PathId<CourseId>,
    IfMatch(version): IfMatch,
    QueryParams(trial): QueryParams<Trial>,
    JsonBody(ask): JsonBody<CourseChange>,
) -> Result<Tagged<CourseView>, ApiError> {
    let scope = identity.reach(Permission::EditTimetable)?;
    let before = app.store.course(&scope, id).await?.ok_or(CommonProblem::NotFound)?.value;
    let mut course = before.clone();
    if let Some(title) = &ask.title {
        course.title = named("title", title)?;
    }
    course.teacher_id = ask.teacher_id.unwrap_or(course.teacher_id);
    course.classroom_id = ask.classroom_id.or(course.classroom_id);
    if ask.teacher_id.is_some() || ask.classroom_id.is_some() {
        let rooms: Vec<ClassroomId> = ask.classroom_id.into_iter().collect();
        app.store.rooms_in(&scope, course.teacher_id, &rooms, &[]).await?.ok_or(CommonProblem::NotFound)?;
    }
    if let Some(asked) = &ask.weekly {
        course.weekly = asked.iter().map(weekly).collect::<Result<_, ApiError>>()?;
    }
    course.check().map_err(|why| course_problem(&why))?;
    let row = identity.row(&app.clock, "change_course", format!("course:{id}"));
    let done = app.store.change_course(&scope, (&before, &course), version, !trial.dry_run, row).await?;
    let version = edited(done)?;
    Ok(Tagged::new(version, course_view(Versioned { value: course, version })))
}

/// Remove a course without planned lessons
#[utoipa::path(delete, path = "/courses/{course_id}", tag = "timetable",
    params(("course_id" = CourseId, Path), ("if-match" = String, Header), Trial),
    extensions(("x-act" = json!("edit_timetable"))), responses((status = 204), Problems))]
pub async fn remove_course(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(id): PathId<CourseId>,
    IfMatch(version): IfMatch,
    QueryParams(trial): QueryParams<Trial>,
) -> Result<StatusCode, ApiError> {
    let scope = identity.reach(Permission::EditTimetable)?;
    let row = identity.row(&app.clock, "remove_course", format!("course:{id}"));
    edited(app.store.delete_course(&scope, (id, version), !trial.dry_run, row).await?)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Show one bell schedule
#[utoipa::path(get, path = "/bell-schedules/{bell_schedule_id}", tag = "timetable",
    params(("bell_schedule_id" = BellScheduleId, Path)), extensions(("x-act" = json!("see_timetable"))),
    responses((status = 200, body = BellScheduleView), Problems))]
pub async fn show_bell_schedule(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(id): PathId<BellScheduleId>,
) -> Result<Tagged<BellScheduleView>, ApiError> {
    let (stored, _) = bells_of(&app, &identity.reach(Permission::SeeTimetable)?, id).await?;
    Ok(Tagged::new(stored.version, schedule_view(stored)))
}

/// Rename a bell schedule; change its bells or season only while no future lesson uses it
#[utoipa::path(patch, path = "/bell-schedules/{bell_schedule_id}", tag = "timetable",
    request_body = BellScheduleChange,
    params(("bell_schedule_id" = BellScheduleId, Path), ("if-match" = String, Header), Trial),
    extensions(("x-act" = json!("edit_timetable"))),
    responses((status = 200, body = BellScheduleView), Problems))]
pub async fn change_bell_schedule(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(id): PathId<BellScheduleId>,
    IfMatch(version): IfMatch,
    QueryParams(trial): QueryParams<Trial>,
    JsonBody(ask): JsonBody<BellScheduleChange>,
) -> Result<Tagged<BellScheduleView>, ApiError> {
    let scope = identity.reach(Permission::EditTimetable)?;
    let (stored, others) = bells_of(&app, &scope, id).await?;
    let before = stored.value;
    let mut schedule = before.clone();
    if let Some(name) = &ask.name {
        schedule.name = named("name", name)?;
    }
    let from = ask.from_day.as_deref().map(|day| month_day("from_day", day)).transpose()?;
    let until = ask.until_day.as_deref().map(|day| month_day("until_day", day)).transpose()?;
    let season = schedule.season;
    schedule.season = Season { from: from.unwrap_or(season.from), until: until.unwrap_or(season.until) };
    if let Some(periods) = &ask.periods {
        schedule.periods = periods.iter().map(period).collect::<Result<_, ApiError>>()?;
    }
    schedule.check(&others).map_err(|why| invalid("periods", &why))?;
    let row = identity.row(&app.clock, "change_bell_schedule", format!("bell_schedule:{id}"));
    let done = app.store.change_bell_schedule(&scope, (&before, &schedule), version, !trial.dry_run, row).await?;
    let version = edited(done)?;
    Ok(Tagged::new(version, schedule_view(Versioned { value: schedule, version })))
}

/// Remove a bell schedule that no future lesson uses
#[utoipa::path(delete, path = "/bell-schedules/{bell_schedule_id}", tag = "timetable",
    params(("bell_schedule_id" = BellScheduleId, Path), ("if-match" = String, Header), Trial),
    extensions(("x-act" = json!("edit_timetable"))),
    responses((status = 204), Problems))]
pub async fn remove_bell_schedule(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(id): PathId<BellScheduleId>,
    IfMatch(version): IfMatch,
    QueryParams(trial): QueryParams<Trial>,
) -> Result<StatusCode, ApiError> {
    let scope = identity.reach(Permission::EditTimetable)?;
    let row = identity.row(&app.clock, "remove_bell_schedule", format!("bell_schedule:{id}"));
    edited(app.store.delete_bell_schedule(&scope, (id, version), !trial.dry_run, row).await?)?;
    Ok(StatusCode::NO_CONTENT)
}
