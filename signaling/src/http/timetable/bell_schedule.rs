//! Bell schedules: start and end of each period, for a season of every year.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    http::{
        account::identity::Identity,
        organisation::place_of,
        timetable::{app::TimetableApp, problem::TimetableReason},
        web::{
            extract::{JsonBody, named},
            list::Listed,
            problem::{ApiError, Problems, common::CommonProblem, invalid},
            version::Tagged,
        },
    },
    store::Versioned,
};
use school::{
    account::permission::Permission,
    base::{
        id::{BellScheduleId, OrganisationId},
        zone::Minute,
    },
    organisation::Stage,
    timetable::bell_schedule::{BellSchedule, MonthDay, Period, Season},
};

/// One period, in minutes after midnight.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PeriodView {
    /// For example `early_study-1`, `lesson-3`, `long_break-1`, `eye_exercises-1`, `evening_study-2`
    period: String,
    #[schema(maximum = 1440)]
    starts_min: u16,
    #[schema(maximum = 1440)]
    ends_min: u16,
}

/// A bell schedule for a season of every year.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBellSchedule {
    organisation_id: OrganisationId,
    /// `null`: for every stage without its own schedule.
    stage: Option<Stage>,
    #[schema(min_length = 1, max_length = 80)]
    name: String,
    /// For example `10-01`
    from_day: String,
    /// For example `04-30`, inclusive
    until_day: String,
    #[schema(min_items = 1, max_items = 32)]
    periods: Vec<PeriodView>,
}

/// A stored bell schedule.
#[derive(Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `BellSchedule`")]
pub struct BellScheduleView {
    pub bell_schedule_id: BellScheduleId,
    #[serde(flatten)]
    pub schedule: NewBellSchedule,
    pub version: i64,
}

/// List the bell schedules that apply in the caller's scope
#[utoipa::path(get, path = "/bell-schedules", tag = "timetable", extensions(("x-act" = json!("see_timetable"))),
    responses((status = 200, body = Listed<BellScheduleView>), Problems))]
pub async fn list_bell_schedules(
    State(app): State<TimetableApp>,
    identity: Identity,
) -> Result<Json<Listed<BellScheduleView>>, ApiError> {
    let stored = app.store.bell_schedules(&identity.scope(Permission::SeeTimetable)?).await?;
    Ok(Json(Listed { items: stored.into_iter().map(schedule_view).collect(), next: None }))
}

/// Add a bell schedule
#[utoipa::path(post, path = "/bell-schedules", tag = "timetable", request_body = NewBellSchedule,
    extensions(("x-act" = json!("edit_timetable"))),
    responses((status = 201, body = BellScheduleView), Problems))]
pub async fn add_bell_schedule(
    State(app): State<TimetableApp>,
    identity: Identity,
    JsonBody(ask): JsonBody<NewBellSchedule>,
) -> Result<Tagged<BellScheduleView>, ApiError> {
    let scope = identity.scope(Permission::EditTimetable)?;
    let schedule = BellSchedule {
        bell_schedule_id: BellScheduleId::fresh(),
        organisation_id: ask.organisation_id,
        stage: ask.stage,
        name: named("name", &ask.name)?,
        season: Season { from: month_day("from_day", &ask.from_day)?, until: month_day("until_day", &ask.until_day)? },
        periods: ask.periods.iter().map(period).collect::<Result<_, ApiError>>()?,
    };
    // Check the permission first: callers without it learn nothing about the bells.
    place_of(&app.store, &scope, ask.organisation_id).await?;
    let others: Vec<BellSchedule> =
        app.store.bell_schedules(&scope).await?.into_iter().map(|stored| stored.value).collect();
    schedule.check(&others).map_err(|why| invalid("periods", &why))?;
    let row = identity.row(&app.clock, "add_bell_schedule", format!("bell_schedule:{}", schedule.bell_schedule_id));
    if !app.store.insert_bell_schedule(&scope, &schedule, row).await? {
        return Err(CommonProblem::NotFound.into());
    }
    let location = format!("/api/v1/bell-schedules/{}", schedule.bell_schedule_id);
    Ok(Tagged::created(1, schedule_view(Versioned { value: schedule, version: 1 }), location))
}

/// Midnight at the end of a day, the largest [`Minute`].
const MINUTE_MAX: u16 = 24 * 60;

/// Parses a day such as `10-01`.
pub(crate) fn month_day(field: &'static str, text: &str) -> Result<MonthDay, ApiError> {
    text.parse().map_err(|_| invalid(field, &TimetableReason::NotAMonthDay))
}

/// Converts a period to its stored form.
pub(crate) fn period(view: &PeriodView) -> Result<Period, ApiError> {
    let no_minute = TimetableReason::NotAMinute { max: MINUTE_MAX };
    let minute = |field, at| Minute::new(at).ok_or_else(|| invalid(field, &no_minute));
    Ok(Period {
        name: view.period.parse().map_err(|_| invalid("period", &TimetableReason::NotAPeriod))?,
        starts: minute("starts_min", view.starts_min)?,
        ends: minute("ends_min", view.ends_min)?,
    })
}

pub(crate) fn schedule_view(stored: Versioned<BellSchedule>) -> BellScheduleView {
    let Versioned { value: schedule, version } = stored;
    let period = |period: &Period| PeriodView {
        period: period.name.to_string(),
        starts_min: period.starts.after_midnight(),
        ends_min: period.ends.after_midnight(),
    };
    let periods = schedule.periods.iter().map(period).collect();
    let (from_day, until_day) = (schedule.season.from.to_string(), schedule.season.until.to_string());
    BellScheduleView {
        bell_schedule_id: schedule.bell_schedule_id,
        schedule: NewBellSchedule {
            organisation_id: schedule.organisation_id,
            stage: schedule.stage,
            name: schedule.name,
            from_day,
            until_day,
            periods,
        },
        version,
    }
}
