//! The library: searching recordings, editing their metadata and their publication rights.

pub mod app;
pub(crate) mod authorize;
pub mod chapter;
pub mod clip;
pub mod composite;
pub mod download;
pub mod problem;
pub mod recording;
pub(crate) mod recording_may;
pub mod review;
pub mod share;
pub(crate) mod window;

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::lesson::days_in;
use crate::{
    app::App,
    http::{
        account::identity::Identity,
        library::{
            app::LibraryApp,
            authorize::{library_reach, library_scope},
            problem::LibraryReason,
            recording_may::RecordingMay,
        },
        web::{
            extract::{JsonBody, PathId, QueryParams, named},
            list::{self, Listed},
            problem::{ApiError, Problems, common::CommonProblem, invalid},
            version::{IfMatch, Tagged, edited},
        },
    },
    store::library::{
        Facet, LibraryCursor, LibraryEntry, LibraryFilter, LibraryScope,
        edit::{ChangeRightsError, EntryEdit},
    },
};
use school::{
    account::permission::{Permission, Readers},
    base::{
        id::{LessonId, OrganisationId, PersonId, RecordingId, SchoolYearId, TermId},
        name,
        time::UnixMs,
    },
    lesson::{RecordingState, Teacher},
    library::{Licence, POINTS_MAX, RecordingStanding, RightsAct, SUMMARY_CHARACTERS_MAX},
};

/// The routes of the library.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_recordings))
        .routes(routes!(count_recordings))
        .routes(routes!(show_card))
        .routes(routes!(edit_recording))
        .routes(routes!(change_rights))
}

/// Filters and pagination of the library.
#[derive(Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LibraryPage {
    /// `next` of the previous page.
    #[param(pattern = "^[A-Za-z0-9_-]{60,80}$")]
    after: Option<String>,
    /// Maximum number of items, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Each word must occur in title, subject, grade, teacher, knowledge points or summary.
    #[param(max_length = 80)]
    text: Option<String>,
    school_year_id: Option<SchoolYearId>,
    term_id: Option<TermId>,
    #[param(max_length = 20)]
    grade: Option<String>,
    #[param(max_length = 20)]
    subject: Option<String>,
    lesson_id: Option<LessonId>,
    /// 知识点
    #[param(max_length = 80)]
    point: Option<String>,
    teacher_id: Option<PersonId>,
    /// A school, or a bureau with everything below it.
    organisation_id: Option<OrganisationId>,
    /// Only recordings made on this day or later.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// Only recordings made on this day or earlier.
    #[param(value_type = Option<String>, format = Date)]
    until: Option<Date>,
}

/// An organisation with its name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NamedPlace {
    organisation_id: OrganisationId,
    name: String,
}

/// A recording, as listed in the library.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecordingCard {
    recording_id: RecordingId,
    lesson_id: LessonId,
    title: String,
    subject: String,
    grade: String,
    teacher: Teacher,
    school: NamedPlace,
    term_id: Option<TermId>,
    started_at_ms: UnixMs,
    /// From the lesson's start to its end, or to now while it is in progress.
    length_ms: i64,
    state: RecordingState,
    licence: Licence,
    standing: RecordingStanding,
    /// When its teacher consented to publication. `null`: no consent.
    consented_at_ms: Option<UnixMs>,
    /// The organisation to whose people it is published. `null`: not published.
    published_to: Option<NamedPlace>,
    /// Why it was taken down. `null`: it is not taken down.
    taken_down_reason: Option<String>,
    summary: String,
    /// 知识点
    points: Vec<String>,
    may: RecordingMay,
    /// Version number: the ETag.
    version: i64,
}

/// Number of recordings with one value of a facet.
#[derive(Serialize, ToSchema)]
pub struct FacetCountView {
    facet: Facet,
    /// The value to filter by: an id, or the text itself.
    value: String,
    /// The display name of the value.
    name: String,
    count: i64,
}

/// Number of matching recordings, in total and by facet.
#[derive(Serialize, ToSchema)]
pub struct LibraryCounts {
    /// All matching recordings.
    total: i64,
    /// At most 50 values of each facet, the most frequent first.
    facets: Vec<FacetCountView>,
}

/// An edit of a recording. Missing fields stay unchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordingEdit {
    #[schema(min_length = 1, max_length = 80)]
    title: Option<String>,
    #[schema(max_length = 1000)]
    summary: Option<String>,
    /// 知识点, at most 20.
    #[schema(max_items = 20)]
    points: Option<Vec<String>>,
    licence: Option<Licence>,
}

/// List the recordings that the caller may know of, latest first
#[utoipa::path(get, path = "/recordings", tag = "library", params(LibraryPage),
    extensions(("x-act" = json!("see_library"))),
    responses((status = 200, body = Listed<RecordingCard>), Problems))]
pub async fn list_recordings(
    State(app): State<LibraryApp>,
    identity: Identity,
    QueryParams(page): QueryParams<LibraryPage>,
) -> Result<Json<Listed<RecordingCard>>, ApiError> {
    let scope = library_scope(&identity)?;
    let below = page.after.as_deref().map(read_cursor).transpose()?;
    let limit = list::limit(page.limit)?;
    let mut entries = app.store.library(&scope, &page.ask()?, below, limit + 1).await?;
    let more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next = entries.last().filter(|_| more).map(write_cursor);
    Ok(Json(Listed { items: cards(&app, &identity, &scope, entries).await?, next }))
}

/// Count matching recordings by school year, term, grade, subject, school, teacher and knowledge point
#[utoipa::path(get, path = "/recording-counts", tag = "library", params(LibraryPage),
    extensions(("x-act" = json!("see_library"))),
    responses((status = 200, body = LibraryCounts), Problems))]
pub async fn count_recordings(
    State(app): State<LibraryApp>,
    identity: Identity,
    QueryParams(page): QueryParams<LibraryPage>,
) -> Result<Json<LibraryCounts>, ApiError> {
    // Pagination is not used here, but validated as for the list.
    page.after.as_deref().map(read_cursor).transpose()?;
    list::limit(page.limit)?;
    let (total, facets) = app.store.library_facets(&library_scope(&identity)?, &page.ask()?).await?;
    let view = |one: crate::store::library::FacetCount| FacetCountView {
        facet: one.facet,
        value: one.value,
        name: one.name,
        count: one.count,
    };
    Ok(Json(LibraryCounts { total, facets: facets.into_iter().map(view).collect() }))
}

/// Show the library entry of a recording
#[utoipa::path(get, path = "/recordings/{recording_id}/card", tag = "library",
    params(("recording_id" = RecordingId, Path)), extensions(("x-act" = json!("see_library"))),
    responses((status = 200, body = RecordingCard), Problems))]
pub async fn show_card(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
) -> Result<Tagged<RecordingCard>, ApiError> {
    card(&app, &identity, recording_id).await
}

/// Edit the title and metadata of a recording
#[utoipa::path(patch, path = "/recordings/{recording_id}", tag = "library", request_body = RecordingEdit,
    params(("recording_id" = RecordingId, Path), ("if-match" = String, Header)),
    extensions(("x-act" = json!("edit_library"))),
    responses((status = 200, body = RecordingCard), Problems))]
pub async fn edit_recording(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
    IfMatch(version): IfMatch,
    JsonBody(ask): JsonBody<RecordingEdit>,
) -> Result<Tagged<RecordingCard>, ApiError> {
    let scope = identity.reach(Permission::EditLibrary)?;
    let edit = EntryEdit {
        title: ask.title.map(|title| named("title", &title)).transpose()?,
        summary: ask.summary.map(|summary| prose("summary", &summary, SUMMARY_CHARACTERS_MAX)).transpose()?,
        points: ask.points.map(points).transpose()?,
        licence: ask.licence,
    };
    let row = identity.row(&app.clock, "edit_recording", format!("recording:{recording_id}"));
    edited(app.store.edit_entry(&scope, (recording_id, version), &edit, row).await?)?;
    card(&app, &identity, recording_id).await
}

/// Consent to publication, publish, take down or restore a recording; taking down hides it everywhere at once
#[utoipa::path(post, path = "/recordings/{recording_id}/rights", tag = "library", request_body = RightsAct,
    params(("recording_id" = RecordingId, Path), ("if-match" = String, Header)),
    extensions(("x-act" = json!("edit_library"))),
    responses((status = 200, body = RecordingCard), Problems))]
pub async fn change_rights(
    State(app): State<LibraryApp>,
    identity: Identity,
    PathId(recording_id): PathId<RecordingId>,
    IfMatch(version): IfMatch,
    JsonBody(act): JsonBody<RightsAct>,
) -> Result<Tagged<RecordingCard>, ApiError> {
    let scope = identity.reach(Permission::EditLibrary)?;
    if let RightsAct::TakeDown { reason } = &act {
        let reason = reason.trim();
        if !(1..=REASON_CHARACTERS_MAX).contains(&reason.chars().count()) || reason.contains(char::is_control) {
            return Err(invalid("reason", &LibraryReason::ReasonNeeded { max: REASON_CHARACTERS_MAX }));
        }
    }
    let person_id = identity.person().map_err(|_| CommonProblem::NotFound)?;
    let row = identity.row(&app.clock, act.name(), format!("recording:{recording_id}"));
    match app.store.change_rights(&scope, person_id, (recording_id, version), &act, row).await {
        Ok(done) => edited(done)?,
        Err(ChangeRightsError::Rights(why)) => return Err(why.into()),
        Err(ChangeRightsError::NoSuchPlace) => return Err(invalid("to", &LibraryReason::NotAPlaceAbove)),
        Err(ChangeRightsError::Store(error)) => return Err(error.into()),
    }
    card(&app, &identity, recording_id).await
}

impl LibraryPage {
    fn ask(&self) -> Result<LibraryFilter, ApiError> {
        let bounded = |name: &str, text: &Option<String>, max: usize| match text {
            Some(text) if text.chars().count() > max || text.contains('\0') => {
                Err(CommonProblem::bad_request(format!("`{name}` has at most {max} characters")))
            }
            text => Ok(text.clone()),
        };
        let days = days_in(self.from, self.until)?;
        Ok(LibraryFilter {
            text: bounded("text", &self.text, name::CHARACTERS_MAX)?,
            school_year_id: self.school_year_id,
            term_id: self.term_id,
            grade: bounded("grade", &self.grade, 20)?,
            subject: bounded("subject", &self.subject, 20)?,
            lesson_id: self.lesson_id,
            point: bounded("point", &self.point, name::CHARACTERS_MAX)?,
            teacher_id: self.teacher_id,
            organisation_id: self.organisation_id,
            from: self.from.map(|_| days.start),
            until: self.until.map(|_| days.end),
        })
    }
}

/// Maximum length of the reason for taking down, in characters.
const REASON_CHARACTERS_MAX: usize = 200;

/// Validates and trims a multi-line text.
///
/// # Errors
/// [`CommonProblem::Invalid`] where it is too long or holds control characters.
pub(super) fn prose(field: &'static str, typed: &str, characters_max: usize) -> Result<String, ApiError> {
    let text = typed.trim();
    if text.chars().count() > characters_max {
        return Err(invalid(field, &LibraryReason::TooLong { max: characters_max }));
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(invalid(field, &LibraryReason::ControlCharacters));
    }
    Ok(text.to_owned())
}

fn points(typed: Vec<String>) -> Result<Vec<String>, ApiError> {
    if typed.len() > POINTS_MAX {
        return Err(invalid("points", &LibraryReason::too_many(POINTS_MAX)));
    }
    let mut points = typed.iter().map(|point| named("points", point)).collect::<Result<Vec<_>, _>>()?;
    points.sort();
    points.dedup();
    Ok(points)
}

async fn card(
    app: &LibraryApp,
    identity: &Identity,
    recording_id: RecordingId,
) -> Result<Tagged<RecordingCard>, ApiError> {
    let scope = library_reach(identity)?;
    let entry = app.store.library_entry(&scope, recording_id).await?.ok_or(CommonProblem::NotFound)?;
    let card = cards(app, identity, &scope, vec![entry]).await?.pop().ok_or(CommonProblem::NotFound)?;
    Ok(Tagged::new(card.version, card))
}

async fn cards(
    app: &LibraryApp,
    identity: &Identity,
    scope: &LibraryScope,
    entries: Vec<LibraryEntry>,
) -> Result<Vec<RecordingCard>, ApiError> {
    let ids: Vec<RecordingId> = entries.iter().map(|entry| entry.recording_id).collect();
    // Seeing, replaying and exporting are separate permissions.
    let among = async |act: Permission, scope: LibraryScope| match identity.reach(act) {
        Ok(below) => app.store.library_among(&LibraryScope { below, ..scope }, &ids).await,
        Err(_) => Ok(BTreeSet::new()),
    };
    let replays = among(Permission::Replay, scope.clone()).await?;
    // Publication allows replay only, not export.
    let exports =
        among(Permission::ExportRecording, LibraryScope { readers: Readers::none(), ..scope.clone() }).await?;
    let view = |entry: LibraryEntry| {
        let (rights, now) = (&entry.rights, app.clock.wall());
        let published = rights.published_to.is_some_and(|place| scope.readers.reads(place));
        let shown = rights.taken_down.is_none();
        let replay = shown && (published || replays.contains(&entry.recording_id));
        let export = shown && exports.contains(&entry.recording_id);
        RecordingCard {
            may: RecordingMay::of(identity, (&entry.path, entry.teacher.person_id), replay, export),
            recording_id: entry.recording_id,
            lesson_id: entry.lesson_id,
            subject: entry.subject,
            grade: entry.grade,
            school: NamedPlace { organisation_id: entry.organisation_id, name: entry.school },
            term_id: entry.term_id,
            started_at_ms: entry.started_at,
            length_ms: (entry.ended_at.unwrap_or(now).0 - entry.started_at.0).max(0),
            state: entry.state,
            licence: entry.licence,
            standing: rights.standing(),
            consented_at_ms: rights.consented_at,
            published_to: rights
                .published_to
                .zip(entry.published_to)
                .map(|(organisation_id, name)| NamedPlace { organisation_id, name }),
            taken_down_reason: rights.taken_down.as_ref().map(|down| down.reason.clone()),
            title: entry.title,
            teacher: entry.teacher,
            summary: entry.summary,
            points: entry.points,
            version: entry.version,
        }
    };
    Ok(entries.into_iter().map(view).collect())
}

fn write_cursor(entry: &LibraryEntry) -> String {
    URL_SAFE_NO_PAD.encode(format!("{} {}", entry.started_at.0, entry.recording_id))
}

fn read_cursor(text: &str) -> Result<LibraryCursor, ApiError> {
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (started_at, recording_id) = std::str::from_utf8(&bytes).ok()?.split_once(' ')?;
        Some(LibraryCursor { started_at: UnixMs(started_at.parse().ok()?), recording_id: recording_id.parse().ok()? })
    };
    read().ok_or_else(|| CommonProblem::bad_request("`after` is no cursor of ours").into())
}
