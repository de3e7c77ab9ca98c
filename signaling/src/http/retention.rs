//! 存储: what recordings take, how long they stay, who holds them, and what will go.

pub mod app;
pub mod problem;
pub mod retained;

use axum::{Json, extract::State, http::StatusCode};
use jiff::civil::Date;
use recorder::DiskState;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use self::{
    problem::RetentionReason,
    retained::{Reasoned, reason},
};
use crate::{
    http::{
        account::identity::Identity,
        retention::app::RetentionApp,
        web::{
            extract::{JsonBody, PathId, QueryParams},
            list::{self, Listed},
            problem::{ApiError, Problems, common::CommonProblem, invalid},
            version::{IfMatch, Tagged, edited},
        },
    },
    store::retention::{
        policy::Policies,
        run::{RetentionRun, RunOutcome},
        storage::SchoolUse,
    },
};
use school::{
    account::{
        permission::{Permission, Scope},
        system_scope,
    },
    base::{id::OrganisationId, time::UnixMs, zone::school_day},
    retention::{
        RetentionPolicy,
        forecast::{Forecast, Outlook},
        quota::{Quota, QuotaNotice},
        trusted_clock::Trust,
    },
};

/// How the hub's storage stands. Bytes and recordings are those of the asker's schools; disk, bucket and forecast are the
/// whole hub's.
#[derive(Serialize, ToSchema)]
pub struct StorageView {
    used_bytes: u64,
    recordings: u64,
    /// To be deleted within a week, and still to be taken back.
    pending: u64,
    /// The disk that recordings lie on. `null`: nobody has looked yet.
    disk: Option<DiskState>,
    forecast: ForecastView,
    /// `null`: recordings are not copied into a bucket.
    mirror: Option<MirrorView>,
    retention: RetentionRunView,
}

/// How long the disk will last, from what the last four weeks took.
#[derive(Serialize, ToSchema)]
pub struct ForecastView {
    kind: ForecastKind,
    /// Days from today on which it is used up. `null`: see `kind`.
    days: Option<u32>,
}

/// What is known of the disk's future.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForecastKind {
    /// Less than a week was recorded so far, or the disk is not looked at.
    Unknown,
    /// It lasts so many days.
    Days,
    /// It lasts two years and more.
    Enough,
}

/// How the bucket keeps up.
#[derive(Serialize, ToSchema)]
pub struct MirrorView {
    /// It fails since then. `null`: it answers.
    failing_since_ms: Option<UnixMs>,
    /// What is not there yet.
    waiting_objects: u64,
    waiting_bytes: u64,
    /// How long the oldest of it has waited.
    oldest_waits_ms: u64,
    /// Objects that can never go there: other bytes have their name. Somebody must look.
    alarms: u32,
}

/// How the last daily run of retention ended.
#[derive(Serialize, ToSchema)]
pub struct RetentionRunView {
    /// `null`: it never ran.
    ran_at_ms: Option<UnixMs>,
    outcome: RunOutcome,
    /// Recordings that are to be deleted in a week.
    marked: u64,
    /// Recordings that were deleted.
    deleted: u64,
    /// Clips that were deleted.
    clips: u64,
    /// Lessons of which the samples were deleted.
    samples: u64,
    /// Lessons of which the attendance was deleted.
    attendance: u64,
    /// Due, but more than one run does without somebody's word.
    held_back: u64,
    /// How far the wall clock is off now. 0: it can be believed.
    clock_off_ms: i64,
    /// Somebody has answered for the next run.
    confirmed: bool,
}

/// What a school keeps, and may keep.
#[derive(Serialize, ToSchema)]
pub struct SchoolUseView {
    organisation_id: OrganisationId,
    name: String,
    recordings: u64,
    used_bytes: u64,
    /// Days since its oldest recording.
    oldest_days: u32,
    quota: QuotaView,
    /// Of the nearer bound, in per mille. `null`: nothing is bounded.
    fill_per_mille: Option<u32>,
    /// `null`: there is room.
    notice: Option<QuotaNotice>,
    /// What holds for it.
    policy: RetentionPolicy,
}

/// What a school may keep.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaView {
    /// In units of 10⁹ bytes. `null`: no bound.
    #[schema(minimum = 1, maximum = 1000000)]
    gigabytes: Option<u32>,
    /// How old its oldest recording may be. `null`: no bound.
    #[schema(minimum = 1, maximum = 36500)]
    days: Option<u32>,
}

/// The policy of an organisation.
#[derive(Serialize, ToSchema)]
pub struct PolicyView {
    /// It is set here. Otherwise it comes from above, or with the program.
    set_here: bool,
    policy: RetentionPolicy,
}

/// Which part of the list of schools.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SchoolPage {
    /// `next` of the page before.
    after: Option<OrganisationId>,
    /// At most so many, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// How the storage stands
#[utoipa::path(get, path = "/storage", tag = "storage", extensions(("x-act" = json!("see_storage"))),
    responses((status = 200, body = StorageView), Problems))]
pub async fn show_storage(State(app): State<RetentionApp>, identity: Identity) -> Result<Json<StorageView>, ApiError> {
    let scope = identity.scope(Permission::SeeStorage)?;
    let totals = app.store.retained_totals(&scope).await?;
    let run = app.store.retention_run(&scope).await?;
    let mirror = app.recordings.mirror().map(|mirror| {
        let status = mirror.status();
        MirrorView {
            failing_since_ms: status.failing_since_ms.and_then(|at| i64::try_from(at).ok()).map(UnixMs),
            waiting_objects: status.lag.objects,
            waiting_bytes: status.lag.bytes,
            oldest_waits_ms: u64::try_from(status.lag.oldest.as_millis()).unwrap_or(u64::MAX),
            alarms: u32::try_from(status.alarms.len()).unwrap_or(u32::MAX),
        }
    });
    Ok(Json(StorageView {
        used_bytes: totals.bytes,
        recordings: totals.recordings,
        pending: totals.pending,
        disk: disk(&app),
        forecast: forecast(&app).await?,
        mirror,
        retention: run_view(&app, &run),
    }))
}

/// What each school keeps
#[utoipa::path(get, path = "/storage/schools", tag = "storage", params(SchoolPage),
    extensions(("x-act" = json!("see_storage"))),
    responses((status = 200, body = Listed<SchoolUseView>), Problems))]
pub async fn list_school_use(
    State(app): State<RetentionApp>,
    identity: Identity,
    QueryParams(page): QueryParams<SchoolPage>,
) -> Result<Json<Listed<SchoolUseView>>, ApiError> {
    let scope = identity.scope(Permission::SeeStorage)?;
    let limit = list::limit(page.limit)? + 1;
    let found = app.store.use_of_schools(&scope, today(&app), page.after, limit).await?;
    let policies = app.store.policies(&scope).await?;
    let items = found.into_iter().map(|school| school_view(&policies, school)).collect();
    Ok(Json(Listed::new(items, limit, |school: &SchoolUseView| school.organisation_id.to_string())))
}

/// What an organisation may keep
#[utoipa::path(get, path = "/storage/quotas/{organisation_id}", tag = "storage",
    params(("organisation_id" = OrganisationId, Path)), extensions(("x-act" = json!("see_storage"))),
    responses((status = 200, body = QuotaView), Problems))]
pub async fn show_quota(
    State(app): State<RetentionApp>,
    identity: Identity,
    PathId(id): PathId<OrganisationId>,
) -> Result<Tagged<QuotaView>, ApiError> {
    let scope = identity.reach(Permission::SeeStorage)?;
    place(&app, &scope, id).await?;
    let (quota, version) = app.store.quota(&scope, id).await?;
    Ok(Tagged::new(version, QuotaView { gigabytes: quota.gigabytes, days: quota.days }))
}

/// Set what an organisation may keep: it is told at 80, 95 and 100 %, and no running lesson is ever cut off
#[utoipa::path(put, path = "/storage/quotas/{organisation_id}", tag = "storage", request_body = QuotaView,
    params(("organisation_id" = OrganisationId, Path), ("if-match" = String, Header)),
    extensions(("x-act" = json!("edit_storage"))), responses((status = 200, body = QuotaView), Problems))]
pub async fn set_quota(
    State(app): State<RetentionApp>,
    identity: Identity,
    PathId(id): PathId<OrganisationId>,
    IfMatch(version): IfMatch,
    JsonBody(ask): JsonBody<QuotaView>,
) -> Result<Tagged<QuotaView>, ApiError> {
    let scope = identity.reach(Permission::EditStorage)?;
    if ask.gigabytes.is_some_and(|gigabytes| !(1..=GIGABYTES_MAX).contains(&gigabytes)) {
        return Err(invalid("gigabytes", &RetentionReason::QuotaGigabytesOutOfRange { min: 1, max: GIGABYTES_MAX }));
    }
    if ask.days.is_some_and(|days| !(1..=DAYS_MAX).contains(&days)) {
        return Err(invalid("days", &RetentionReason::QuotaDaysOutOfRange { min: 1, max: DAYS_MAX }));
    }
    let quota = Quota { gigabytes: ask.gigabytes, days: ask.days };
    let row = identity.row(&app.clock, "set_quota", format!("organisation:{id}"));
    let version = edited(app.store.set_quota(&scope, id, quota, version, row).await?)?;
    Ok(Tagged::new(version, ask))
}

/// How long an organisation's schools keep what they have
#[utoipa::path(get, path = "/storage/policies/{organisation_id}", tag = "storage",
    params(("organisation_id" = OrganisationId, Path)), extensions(("x-act" = json!("see_storage"))),
    responses((status = 200, body = PolicyView), Problems))]
pub async fn show_policy(
    State(app): State<RetentionApp>,
    identity: Identity,
    PathId(id): PathId<OrganisationId>,
) -> Result<Tagged<PolicyView>, ApiError> {
    let scope = identity.reach(Permission::SeeStorage)?;
    let path = place(&app, &scope, id).await?;
    let (set_here, policy, version) = match app.store.policy(&scope, id).await? {
        Some((policy, version)) => (true, policy, version),
        None => (false, app.store.policies(&scope).await?.at(&path), 0),
    };
    Ok(Tagged::new(version, PolicyView { set_here, policy }))
}

/// Set how long an organisation's schools keep what they have
#[utoipa::path(put, path = "/storage/policies/{organisation_id}", tag = "storage", request_body = RetentionPolicy,
    params(("organisation_id" = OrganisationId, Path), ("if-match" = String, Header)),
    extensions(("x-act" = json!("edit_storage"))), responses((status = 200, body = PolicyView), Problems))]
pub async fn set_policy(
    State(app): State<RetentionApp>,
    identity: Identity,
    PathId(id): PathId<OrganisationId>,
    IfMatch(version): IfMatch,
    JsonBody(policy): JsonBody<RetentionPolicy>,
) -> Result<Tagged<PolicyView>, ApiError> {
    let scope = identity.reach(Permission::EditStorage)?;
    policy.check().map_err(|why| invalid(why.field, &why))?;
    let row = identity.row(&app.clock, "set_retention_policy", format!("organisation:{id}"));
    let version = edited(app.store.set_policy(&scope, id, &policy, version, row).await?)?;
    Ok(Tagged::new(version, PolicyView { set_here: true, policy }))
}

/// Answer for the next run of retention: for the clock as it is, and for all that is due
#[utoipa::path(post, path = "/storage/confirmations", tag = "storage", request_body = Reasoned,
    extensions(("x-act" = json!("edit_storage"))),
    responses((status = 202, body = RetentionRunView), Problems))]
pub async fn confirm_retention(
    State(app): State<RetentionApp>,
    identity: Identity,
    JsonBody(ask): JsonBody<Reasoned>,
) -> Result<(StatusCode, Json<RetentionRunView>), ApiError> {
    let scope = identity.scope(Permission::EditStorage)?;
    // It speaks for every school of the hub.
    let tops = app.store.tops(&system_scope::retention()).await?;
    if !tops.iter().all(|path| scope.covers(path)) {
        return Err(CommonProblem::NotAllowed.into());
    }
    let row = identity.row(&app.clock, "confirm_retention", "hub".to_owned()).saying(reason(&ask.reason)?);
    app.store.confirm_retention(&scope, &identity.actor(), &row).await?;
    app.retention.run_soon(app.clock.now());
    let run = app.store.retention_run(&scope).await?;
    Ok((StatusCode::ACCEPTED, Json(run_view(&app, &run))))
}

async fn place(app: &RetentionApp, scope: &Scope, id: OrganisationId) -> Result<String, ApiError> {
    let mut paths = app.store.paths(scope, [id]).await?;
    paths.remove(&id).filter(|path| scope.covers(path)).ok_or_else(|| CommonProblem::NotFound.into())
}

fn today(app: &RetentionApp) -> Date {
    school_day(app.clock.wall())
}

fn disk(app: &RetentionApp) -> Option<DiskState> {
    Some(app.recordings.disk()).filter(|disk| disk.total_bytes > 0)
}

/// Of the whole hub: its schools share one disk.
async fn forecast(app: &RetentionApp) -> Result<ForecastView, ApiError> {
    let view = |kind, days| Ok(ForecastView { kind, days });
    let Some(disk) = disk(app) else { return view(ForecastKind::Unknown, None) };
    let (scope, today) = (system_scope::retention(), today(app));
    let since = today.checked_sub(jiff::Span::new().days(LOOKS_BACK_DAYS)).unwrap_or(today);
    let recorded =
        app.store.recorded_by_day(&scope, since).await?.into_iter().filter(|(day, _)| *day < today).collect();
    let leaving = app.retention.leaving();
    match (Outlook { today, recorded, leaving, free_bytes: disk.free_bytes }).forecast() {
        Forecast::Unknown => view(ForecastKind::Unknown, None),
        Forecast::Days(days) => view(ForecastKind::Days, Some(days)),
        Forecast::Enough => view(ForecastKind::Enough, None),
    }
}

fn run_view(app: &RetentionApp, run: &RetentionRun) -> RetentionRunView {
    RetentionRunView {
        ran_at_ms: run.ran_at,
        outcome: run.outcome,
        marked: run.marked,
        deleted: run.deleted,
        clips: run.clips,
        samples: run.samples,
        attendance: run.attendance,
        held_back: run.held_back,
        clock_off_ms: match app.retention.trust(app.clock.now()) {
            Trust::Trusted => 0,
            Trust::Moved(off_ms) => off_ms,
        },
        confirmed: run.confirmed_by.is_some(),
    }
}

fn school_view(policies: &Policies, school: SchoolUse) -> SchoolUseView {
    SchoolUseView {
        organisation_id: school.organisation_id,
        recordings: school.recordings,
        used_bytes: school.used.bytes,
        oldest_days: school.used.oldest_days,
        quota: QuotaView { gigabytes: school.quota.gigabytes, days: school.quota.days },
        fill_per_mille: school.quota.fill_per_mille(school.used),
        notice: school.quota.notice(school.used),
        policy: policies.at(&school.path),
        name: school.name,
    }
}

/// A petabyte for one school is a slip of the pen.
const GIGABYTES_MAX: u32 = 1_000_000;

/// A hundred years: more is a slip of the pen.
const DAYS_MAX: u32 = 36_500;

/// Four weeks, and a day for the edges.
const LOOKS_BACK_DAYS: i32 = 29;
