//! 存储: storage use, quotas, retention policies and the retention run.

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

/// Storage status of the hub. Bytes and recordings are those of the caller's schools; disk, bucket and forecast are
/// those of the whole hub.
#[derive(Serialize, ToSchema)]
pub struct StorageView {
    used_bytes: u64,
    recordings: u64,
    /// Marked for deletion within a week; the deletion can still be revoked.
    pending: u64,
    /// The disk that holds the recordings. `null`: not measured yet.
    disk: Option<DiskState>,
    forecast: ForecastView,
    /// `null`: no bucket is configured.
    mirror: Option<MirrorView>,
    retention: RetentionRunView,
}

/// Forecast of the free disk space, from the last four weeks' recordings.
#[derive(Serialize, ToSchema)]
pub struct ForecastView {
    kind: ForecastKind,
    /// Days from today until the disk is full. `null`: see `kind`.
    days: Option<u32>,
}

/// Kind of a forecast.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForecastKind {
    /// Less than a week has been recorded, or the disk is not measured.
    Unknown,
    /// The disk is full after `days`.
    Days,
    /// The space lasts two years or more.
    Enough,
}

/// Status of the copy in the bucket.
#[derive(Serialize, ToSchema)]
pub struct MirrorView {
    /// Failing since then. `null`: the bucket responds.
    failing_since_ms: Option<UnixMs>,
    /// Objects not yet copied.
    waiting_objects: u64,
    waiting_bytes: u64,
    /// Age of the oldest object not yet copied.
    oldest_waits_ms: u64,
    /// Objects that cannot be copied: other bytes have that name in the bucket. Needs an operator.
    alarms: u32,
}

/// Result of the last daily retention run.
#[derive(Serialize, ToSchema)]
pub struct RetentionRunView {
    /// `null`: it has never run.
    ran_at_ms: Option<UnixMs>,
    outcome: RunOutcome,
    /// Recordings marked for deletion in a week.
    marked: u64,
    /// Recordings deleted.
    deleted: u64,
    /// Clips deleted.
    clips: u64,
    /// Lessons whose samples were deleted.
    samples: u64,
    /// Lessons whose attendance was deleted.
    attendance: u64,
    /// Due, but above the limit of one run without a confirmation.
    held_back: u64,
    /// Deviation of the wall clock now. 0: the clock is trusted.
    clock_off_ms: i64,
    /// The next run has been confirmed.
    confirmed: bool,
}

/// A school's storage use and quota.
#[derive(Serialize, ToSchema)]
pub struct SchoolUseView {
    organisation_id: OrganisationId,
    name: String,
    recordings: u64,
    used_bytes: u64,
    /// Age of its oldest recording in days.
    oldest_days: u32,
    quota: QuotaView,
    /// Fill of the quota that is nearer to its limit, in per mille. `null`: no quota.
    fill_per_mille: Option<u32>,
    /// `null`: below every threshold.
    notice: Option<QuotaNotice>,
    /// The policy in force.
    policy: RetentionPolicy,
}

/// A school's storage quota.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaView {
    /// In units of 10⁹ bytes. `null`: no limit.
    #[schema(minimum = 1, maximum = 1000000)]
    gigabytes: Option<u32>,
    /// Maximum age of its oldest recording. `null`: no limit.
    #[schema(minimum = 1, maximum = 36500)]
    days: Option<u32>,
}

/// The retention policy of an organisation.
#[derive(Serialize, ToSchema)]
pub struct PolicyView {
    /// Set at this organisation. Otherwise it is inherited, or the default.
    set_here: bool,
    policy: RetentionPolicy,
}

/// Page of the list of schools.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SchoolPage {
    /// `next` of the page before.
    after: Option<OrganisationId>,
    /// Page size, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// Show the storage status
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

/// List the storage use of each school
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

/// Show an organisation's storage quota
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

/// Set an organisation's storage quota: it gets notices at 80, 95 and 100 %; a running lesson is never interrupted
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

/// Show the retention policy of an organisation's schools
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

/// Set the retention policy of an organisation's schools
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

/// Confirm the next retention run: the clock as it is, and all that is due
#[utoipa::path(post, path = "/storage/confirmations", tag = "storage", request_body = Reasoned,
    extensions(("x-act" = json!("edit_storage"))),
    responses((status = 202, body = RetentionRunView), Problems))]
pub async fn confirm_retention(
    State(app): State<RetentionApp>,
    identity: Identity,
    JsonBody(ask): JsonBody<Reasoned>,
) -> Result<(StatusCode, Json<RetentionRunView>), ApiError> {
    let scope = identity.scope(Permission::EditStorage)?;
    // The confirmation applies to every school of the hub.
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

/// Forecast of the whole hub: its schools share one disk.
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

/// A petabyte for one school: more is taken for a typing error.
const GIGABYTES_MAX: u32 = 1_000_000;

/// A hundred years: more is taken for a typing error.
const DAYS_MAX: u32 = 36_500;

/// Four weeks and one day of margin.
const LOOKS_BACK_DAYS: i32 = 29;
