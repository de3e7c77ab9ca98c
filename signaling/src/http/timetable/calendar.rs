//! School years, terms, special days and the rules of a bureau.

use axum::{Json, extract::State, http::StatusCode};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    http::{
        account::identity::Identity,
        organisation::place_of,
        timetable::{app::TimetableApp, problem::TimetableReason},
        web::{
            extract::{JsonBody, PathId, QueryParams, named},
            list::Listed,
            problem::{ApiError, Problems, common::CommonProblem, invalid},
            version::Tagged,
        },
    },
    store::Versioned,
};
use school::{
    account::permission::Permission,
    base::id::{OrganisationId, SchoolYearId, TermId},
    timetable::{
        calendar::{Calendar, DayKind, SchoolYear, SpecialDay, Term},
        rules::RuleSet,
    },
};

/// A school year.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSchoolYear {
    organisation_id: OrganisationId,
    #[schema(min_length = 1, max_length = 80)]
    name: String,
    #[schema(value_type = String, format = Date)]
    first_day: Date,
    #[schema(value_type = String, format = Date)]
    last_day: Date,
}

/// A stored school year.
#[derive(Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `SchoolYear`")]
pub struct SchoolYearView {
    pub school_year_id: SchoolYearId,
    pub organisation_id: OrganisationId,
    pub name: String,
    #[schema(value_type = String, format = Date)]
    pub first_day: Date,
    #[schema(value_type = String, format = Date)]
    pub last_day: Date,
    pub version: i64,
}

/// A term.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTerm {
    school_year_id: SchoolYearId,
    #[schema(min_length = 1, max_length = 80)]
    name: String,
    #[schema(value_type = String, format = Date)]
    first_day: Date,
    #[schema(value_type = String, format = Date)]
    last_day: Date,
}

/// A stored term.
#[derive(Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Term`")]
pub struct TermView {
    pub term_id: TermId,
    pub school_year_id: SchoolYearId,
    pub name: String,
    #[schema(value_type = String, format = Date)]
    pub first_day: Date,
    #[schema(value_type = String, format = Date)]
    pub last_day: Date,
    /// Number of teaching weeks.
    pub weeks: u8,
    pub version: i64,
}

/// A holiday, or a day with the lessons of another day.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    organisation_id: OrganisationId,
    #[schema(value_type = String, format = Date)]
    date: Date,
    /// For example 国庆节, 调休
    #[schema(min_length = 1, max_length = 80)]
    name: String,
    /// The day whose lessons are given on it. `null`: none, a day off.
    #[schema(value_type = Option<String>, format = Date)]
    taught_as: Option<Date>,
}

/// A range of days.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Days {
    #[param(value_type = String, format = Date)]
    from: Date,
    #[param(value_type = String, format = Date)]
    until: Date,
}

/// A day of an organisation.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichDay {
    organisation_id: OrganisationId,
    #[param(value_type = String, format = Date)]
    date: Date,
}

/// List the school years that apply in the caller's scope, latest first
#[utoipa::path(get, path = "/school-years", tag = "timetable",
    extensions(("x-act" = json!("see_timetable"))),
    responses((status = 200, body = Listed<SchoolYearView>), Problems))]
pub async fn list_school_years(
    State(app): State<TimetableApp>,
    identity: Identity,
) -> Result<Json<Listed<SchoolYearView>>, ApiError> {
    let stored = app.store.school_years(&identity.scope(Permission::SeeTimetable)?).await?;
    Ok(Json(Listed { items: stored.into_iter().map(year_view).collect(), next: None }))
}

/// Add a school year
#[utoipa::path(post, path = "/school-years", tag = "timetable", request_body = NewSchoolYear,
    extensions(("x-act" = json!("edit_timetable"))),
    responses((status = 201, body = SchoolYearView), Problems))]
pub async fn add_school_year(
    State(app): State<TimetableApp>,
    identity: Identity,
    JsonBody(ask): JsonBody<NewSchoolYear>,
) -> Result<Tagged<SchoolYearView>, ApiError> {
    let scope = identity.scope(Permission::EditTimetable)?;
    let year = SchoolYear {
        school_year_id: SchoolYearId::fresh(),
        organisation_id: ask.organisation_id,
        name: named("name", &ask.name)?,
        first_day: ask.first_day,
        last_day: ask.last_day,
    };
    if !YEARS.contains(&year.first_day.year()) || !YEARS.contains(&year.last_day.year()) {
        return Err(invalid("first_day", &YEAR_OUT_OF_RANGE));
    }
    year.check().map_err(|why| invalid("last_day", &why))?;
    let row = identity.row(&app.clock, "add_school_year", format!("school_year:{}", year.school_year_id));
    if !app.store.insert_school_year(&scope, &year, row).await? {
        return Err(CommonProblem::NotFound.into());
    }
    let location = format!("/api/v1/school-years/{}", year.school_year_id);
    Ok(Tagged::created(1, year_view(Versioned { value: year, version: 1 }), location))
}

/// List the terms that apply in the caller's scope, latest first
#[utoipa::path(get, path = "/terms", tag = "timetable", extensions(("x-act" = json!("see_timetable"))),
    responses((status = 200, body = Listed<TermView>), Problems))]
pub async fn list_terms(
    State(app): State<TimetableApp>,
    identity: Identity,
) -> Result<Json<Listed<TermView>>, ApiError> {
    let stored = app.store.terms(&identity.scope(Permission::SeeTimetable)?).await?;
    Ok(Json(Listed { items: stored.into_iter().map(term_view).collect(), next: None }))
}

/// Add a term to a school year
#[utoipa::path(post, path = "/terms", tag = "timetable", request_body = NewTerm,
    extensions(("x-act" = json!("edit_timetable"))),
    responses((status = 201, body = TermView), Problems))]
pub async fn add_term(
    State(app): State<TimetableApp>,
    identity: Identity,
    JsonBody(ask): JsonBody<NewTerm>,
) -> Result<Tagged<TermView>, ApiError> {
    let scope = identity.scope(Permission::EditTimetable)?;
    let years = app.store.school_years(&scope).await?;
    let year = years.into_iter().find(|stored| stored.value.school_year_id == ask.school_year_id);
    let year = year.ok_or(CommonProblem::NotFound)?.value;
    let term = Term {
        term_id: TermId::fresh(),
        school_year_id: ask.school_year_id,
        name: named("name", &ask.name)?,
        first_day: ask.first_day,
        last_day: ask.last_day,
    };
    let others: Vec<Term> = app.store.terms(&scope).await?.into_iter().map(|stored| stored.value).collect();
    let others: Vec<Term> = others.into_iter().filter(|other| other.school_year_id == ask.school_year_id).collect();
    term.check(&year, &others).map_err(|why| invalid("first_day", &why))?;
    let row = identity.row(&app.clock, "add_term", format!("term:{}", term.term_id));
    if !app.store.insert_term(&scope, &term, row).await? {
        return Err(CommonProblem::NotFound.into());
    }
    let location = format!("/api/v1/terms/{}", term.term_id);
    Ok(Tagged::created(1, term_view(Versioned { value: term, version: 1 }), location))
}

/// List the holidays and swapped days of a range
#[utoipa::path(get, path = "/holidays", tag = "timetable", params(Days),
    extensions(("x-act" = json!("see_timetable"))),
    responses((status = 200, body = Listed<Holiday>), Problems))]
pub async fn list_holidays(
    State(app): State<TimetableApp>,
    identity: Identity,
    QueryParams(days): QueryParams<Days>,
) -> Result<Json<Listed<Holiday>>, ApiError> {
    let stored = app.store.special_days(&identity.scope(Permission::SeeTimetable)?, days.from, days.until).await?;
    let items = stored.into_iter().map(|(organisation_id, day)| Holiday {
        organisation_id,
        date: day.date,
        name: day.name,
        taught_as: match day.kind {
            DayKind::Off => None,
            DayKind::TaughtAs { date } => Some(date),
        },
    });
    Ok(Json(Listed { items: items.collect(), next: None }))
}

/// Set or change a holiday or a swapped day
#[utoipa::path(put, path = "/holidays", tag = "timetable", request_body = Holiday,
    extensions(("x-act" = json!("edit_timetable"))),
    responses((status = 200, body = Holiday), Problems))]
pub async fn set_holiday(
    State(app): State<TimetableApp>,
    identity: Identity,
    JsonBody(ask): JsonBody<Holiday>,
) -> Result<Json<Holiday>, ApiError> {
    let scope = identity.scope(Permission::EditTimetable)?;
    place_of(&app.store, &scope, ask.organisation_id).await?;
    let kind = ask.taught_as.map_or(DayKind::Off, |date| DayKind::TaughtAs { date });
    let day = SpecialDay { date: ask.date, kind, name: named("name", &ask.name)? };
    // A contradictory calendar would block all planning: refuse it here.
    for stored in app.store.terms(&scope).await? {
        let term = stored.value;
        if term.contains(day.date) {
            let days = app.store.special_days(&scope, term.first_day, term.last_day).await?;
            let own = days.into_iter().filter(|(whose, _)| *whose == ask.organisation_id).map(|(_, day)| day);
            Calendar::new(term, own.chain([day.clone()])).map_err(|why| invalid("taught_as", &why))?;
        }
    }
    let row = identity
        .row(&app.clock, "set_holiday", format!("organisation:{}", ask.organisation_id))
        .saying(format!("{day:?}"));
    if !app.store.set_special_day(&scope, ask.organisation_id, &day, row).await? {
        return Err(CommonProblem::NotFound.into());
    }
    Ok(Json(ask))
}

/// Remove a holiday or a swapped day
#[utoipa::path(delete, path = "/holidays", tag = "timetable", params(WhichDay),
    extensions(("x-act" = json!("edit_timetable"))), responses((status = 204), Problems))]
pub async fn clear_holiday(
    State(app): State<TimetableApp>,
    identity: Identity,
    QueryParams(ask): QueryParams<WhichDay>,
) -> Result<StatusCode, ApiError> {
    let scope = identity.scope(Permission::EditTimetable)?;
    let row = identity.row(&app.clock, "clear_holiday", format!("organisation:{}", ask.organisation_id));
    let row = row.saying(ask.date.to_string());
    match app.store.clear_special_day(&scope, ask.organisation_id, ask.date, row).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(CommonProblem::NotFound.into()),
    }
}

/// Show the rules in force at an organisation
#[utoipa::path(get, path = "/rules/{organisation_id}", tag = "timetable",
    params(("organisation_id" = OrganisationId, Path)), extensions(("x-act" = json!("see_timetable"))),
    responses((status = 200, body = RuleSet), Problems))]
pub async fn show_rules(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(id): PathId<OrganisationId>,
) -> Result<Json<RuleSet>, ApiError> {
    let scope = identity.reach(Permission::SeeTimetable)?;
    let path = place_of(&app.store, &scope, id).await?;
    Ok(Json(app.store.rules_at(&scope, &path).await?))
}

/// Set a bureau's rules; they apply to future lessons
#[utoipa::path(put, path = "/rules/{organisation_id}", tag = "timetable", request_body = RuleSet,
    params(("organisation_id" = OrganisationId, Path)), extensions(("x-act" = json!("edit_timetable"))),
    responses((status = 200, body = RuleSet), Problems))]
pub async fn set_rules(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(id): PathId<OrganisationId>,
    JsonBody(ask): JsonBody<RuleSet>,
) -> Result<Json<RuleSet>, ApiError> {
    let scope = identity.reach(Permission::EditTimetable)?;
    ask.check().map_err(|why| invalid("rules", &why))?;
    let row = identity.row(&app.clock, "set_rules", format!("organisation:{id}"));
    Ok(Json(app.store.set_rules(&scope, id, &ask, row).await?.ok_or(CommonProblem::NotFound)?))
}

/// A year outside is taken for a typing error.
pub(super) const YEARS: std::ops::RangeInclusive<i16> = 2000..=2100;

/// The problem of a year outside [`YEARS`].
pub(super) const YEAR_OUT_OF_RANGE: TimetableReason =
    TimetableReason::YearOutOfRange { min: *YEARS.start(), max: *YEARS.end() };

pub(super) fn year_view(stored: Versioned<SchoolYear>) -> SchoolYearView {
    let Versioned { value: year, version } = stored;
    SchoolYearView {
        school_year_id: year.school_year_id,
        organisation_id: year.organisation_id,
        name: year.name,
        first_day: year.first_day,
        last_day: year.last_day,
        version,
    }
}

pub(super) fn term_view(stored: Versioned<Term>) -> TermView {
    let Versioned { value: term, version } = stored;
    TermView {
        term_id: term.term_id,
        school_year_id: term.school_year_id,
        weeks: term.weeks(),
        name: term.name,
        first_day: term.first_day,
        last_day: term.last_day,
        version,
    }
}
