//! Import and export of tables: organisations, classrooms, classes and people.

use std::collections::HashMap;

use axum::{
    Json,
    extract::{FromRequest, Request, State},
    http::header,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    problem::{OrganisationProblem, OrganisationReason, unreadable},
    sheet::{self, FILE_BYTES_MAX, FileKind, XLSX},
};
use crate::{
    http::{
        account::identity::Identity,
        organisation::app::OrganisationApp,
        web::{
            extract::{QueryParams, media_type, own_origin, read_body},
            problem::{ApiError, Problems, common::CommonProblem, invalid},
        },
    },
    secret::sha256_hex,
    store::{
        account::person::StoredPerson,
        db::list::ListQuery,
        organisation::{
            classroom::StoredClassroom, import::Imported, place::StoredOrganisation, school_class::StoredClass,
        },
    },
};
use school::{
    account::permission::{Permission, Scope},
    base::id::OrganisationId,
    organisation::sheet::{Sheet, kind_title, lines, stage_title},
};

/// Rows per export, at most: a province's schools, a city's people.
const EXPORT_MAX: usize = 50_000;

/// Rows read from the store per query.
const BATCH: u32 = 1_000;

/// Options of an import.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Importing {
    /// Dry run: only report what would be done, and every invalid row.
    #[serde(default)]
    dry_run: bool,
}

/// Options of an export.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Exporting {
    /// Missing: CSV.
    #[serde(default)]
    format: Format,
    /// Only rows of this organisation and those below it.
    organisation_id: Option<OrganisationId>,
}

/// File formats.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// UTF-8 with a byte order mark, for Excel.
    #[default]
    Csv,
    /// A workbook of one sheet with text cells.
    Xlsx,
}

/// An uploaded table.
pub struct Table(FileKind, axum::body::Bytes);

impl<S: Send + Sync> FromRequest<S> for Table {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        own_origin(&parts.headers, &parts.uri)?;
        // An HTML form of another site cannot send these media types.
        let kind = match media_type(&parts.headers).as_deref() {
            Some("text/csv") => FileKind::Csv,
            Some(XLSX) => FileKind::Xlsx,
            _ => {
                return Err(CommonProblem::UnsupportedMediaType {
                    expected: "text/csv, application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
                }
                .into());
            }
        };
        Ok(Self(kind, read_body(body, FILE_BYTES_MAX).await?))
    }
}

/// Import a table of organisations with their codes
#[utoipa::path(post, path = "/imports/organisations", tag = "imports", params(Importing),
    request_body(content((String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))), extensions(("x-act" = json!("edit_organisations"))),
    responses((status = 200, body = Imported), Problems))]
pub async fn import_organisations(
    State(app): State<OrganisationApp>,
    identity: Identity,
    QueryParams(importing): QueryParams<Importing>,
    table: Table,
) -> Result<Json<Imported>, ApiError> {
    import(&app, &identity, Sheet::Organisations, Permission::EditOrganisations, &importing, table).await
}

/// Import a table of classrooms
#[utoipa::path(post, path = "/imports/classrooms", tag = "imports", params(Importing),
    request_body(content((String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))), extensions(("x-act" = json!("edit_classrooms"))),
    responses((status = 200, body = Imported), Problems))]
pub async fn import_classrooms(
    State(app): State<OrganisationApp>,
    identity: Identity,
    QueryParams(importing): QueryParams<Importing>,
    table: Table,
) -> Result<Json<Imported>, ApiError> {
    import(&app, &identity, Sheet::Classrooms, Permission::EditClassrooms, &importing, table).await
}

/// Import a table of classes
#[utoipa::path(post, path = "/imports/classes", tag = "imports", params(Importing),
    request_body(content((String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))), extensions(("x-act" = json!("edit_classrooms"))),
    responses((status = 200, body = Imported), Problems))]
pub async fn import_classes(
    State(app): State<OrganisationApp>,
    identity: Identity,
    QueryParams(importing): QueryParams<Importing>,
    table: Table,
) -> Result<Json<Imported>, ApiError> {
    import(&app, &identity, Sheet::Classes, Permission::EditClassrooms, &importing, table).await
}

/// Import a table of people; roles are not imported, they need another permission
#[utoipa::path(post, path = "/imports/people", tag = "imports", params(Importing),
    request_body(content((String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))), extensions(("x-act" = json!("edit_people"))),
    responses((status = 200, body = Imported), Problems))]
pub async fn import_people(
    State(app): State<OrganisationApp>,
    identity: Identity,
    QueryParams(importing): QueryParams<Importing>,
    table: Table,
) -> Result<Json<Imported>, ApiError> {
    import(&app, &identity, Sheet::People, Permission::EditPeople, &importing, table).await
}

async fn import(
    app: &OrganisationApp,
    identity: &Identity,
    sheet: Sheet,
    act: Permission,
    importing: &Importing,
    Table(kind, bytes): Table,
) -> Result<Json<Imported>, ApiError> {
    let scope = identity.scope(act)?;
    let _turn = sheet::turn(&app.tables).await?;
    let sha256 = sha256_hex(&bytes);
    let file = tokio::task::spawn_blocking(move || sheet::read(kind, &bytes)).await;
    // A panic of the parser is reported as an unreadable file.
    let file = file.map_err(|_| unreadable("its reader gave up"))??;
    let row = identity.row(&app.clock, "import", sheet.as_str().into()).saying(format!("sha256={sha256}"));
    let imported = app.store.import(&scope, sheet, lines(sheet, file), importing.dry_run, row).await?;
    if imported.kept {
        app.rights.changed();
    } else if !importing.dry_run {
        return Err(OrganisationProblem::BadLines { faults: imported.faults }.into());
    }
    Ok(Json(imported))
}

/// Export the organisations as a table
#[utoipa::path(get, path = "/exports/organisations", tag = "imports", params(Exporting),
    extensions(("x-act" = json!("see_organisations"))),
    responses((status = 200, content((String = "text/csv"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))), Problems))]
pub async fn export_organisations(
    State(app): State<OrganisationApp>,
    identity: Identity,
    QueryParams(exporting): QueryParams<Exporting>,
) -> Result<Response, ApiError> {
    export(&app, &identity, Sheet::Organisations, Permission::SeeOrganisations, &exporting).await
}

/// Export the classrooms as a table
#[utoipa::path(get, path = "/exports/classrooms", tag = "imports", params(Exporting),
    extensions(("x-act" = json!("see_organisations"))),
    responses((status = 200, content((String = "text/csv"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))), Problems))]
pub async fn export_classrooms(
    State(app): State<OrganisationApp>,
    identity: Identity,
    QueryParams(exporting): QueryParams<Exporting>,
) -> Result<Response, ApiError> {
    export(&app, &identity, Sheet::Classrooms, Permission::SeeOrganisations, &exporting).await
}

/// Export the classes as a table
#[utoipa::path(get, path = "/exports/classes", tag = "imports", params(Exporting),
    extensions(("x-act" = json!("see_organisations"))),
    responses((status = 200, content((String = "text/csv"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))), Problems))]
pub async fn export_classes(
    State(app): State<OrganisationApp>,
    identity: Identity,
    QueryParams(exporting): QueryParams<Exporting>,
) -> Result<Response, ApiError> {
    export(&app, &identity, Sheet::Classes, Permission::SeeOrganisations, &exporting).await
}

/// Export the people as a table
#[utoipa::path(get, path = "/exports/people", tag = "imports", params(Exporting),
    extensions(("x-act" = json!("see_people"))),
    responses((status = 200, content((String = "text/csv"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))), Problems))]
pub async fn export_people(
    State(app): State<OrganisationApp>,
    identity: Identity,
    QueryParams(exporting): QueryParams<Exporting>,
) -> Result<Response, ApiError> {
    export(&app, &identity, Sheet::People, Permission::SeePeople, &exporting).await
}

async fn export(
    app: &OrganisationApp,
    identity: &Identity,
    sheet: Sheet,
    act: Permission,
    exporting: &Exporting,
) -> Result<Response, ApiError> {
    let scope = identity.scope(act)?;
    let _turn = sheet::turn(&app.tables).await?;
    let table = table(app, &scope, sheet, exporting.organisation_id).await?;
    let taken = table.len();
    let (kind, media_type, end) = match exporting.format {
        Format::Csv => (FileKind::Csv, "text/csv; charset=utf-8", "csv"),
        Format::Xlsx => (FileKind::Xlsx, XLSX, "xlsx"),
    };
    let file = tokio::task::spawn_blocking(move || sheet::write(kind, sheet, &table)).await;
    let file = file.map_err(ApiError::internal)?.map_err(ApiError::internal)?;
    app.store.audit(&identity.row(&app.clock, "export", format!("{}:{taken}", sheet.as_str()))).await?;
    let name = format!("attachment; filename=\"{}.{end}\"", sheet.as_str());
    Ok(([(header::CONTENT_TYPE, media_type.to_owned()), (header::CONTENT_DISPOSITION, name)], file).into_response())
}

/// Reads all pages of a listing; `$id` is the field of the page's cursor.
macro_rules! all {
    ($app:ident.$list:ident($scope:ident, $below:expr), $id:ident) => {{
        let mut ask = ListQuery { limit: BATCH, organisation_id: $below, ..ListQuery::default() };
        let mut all = Vec::new();
        loop {
            let found = $app.store.$list($scope, &ask).await?;
            let Some(last) = found.last() else { break };
            ask.after = Some(last.$id.to_string());
            all.extend(found);
            if all.len() > EXPORT_MAX {
                return Err(too_many());
            }
        }
        all
    }};
}

fn too_many() -> ApiError {
    invalid("organisation_id", &OrganisationReason::ExportTooLong { max: EXPORT_MAX })
}

/// The rows of a table. An organisation is referred to by its code, else by its name, or by its id where the name is
/// not unique.
async fn table(
    app: &OrganisationApp,
    scope: &Scope,
    sheet: Sheet,
    below: Option<OrganisationId>,
) -> Result<Vec<Vec<String>>, ApiError> {
    // The caller may not see what is above their scope.
    let tree = all!(app.organisations(scope, None), organisation_id);
    let mut namesakes: HashMap<&str, usize> = HashMap::new();
    for stored in &tree {
        *namesakes.entry(&stored.name).or_default() += 1;
    }
    let name = |stored: &StoredOrganisation| match &stored.code {
        Some(code) => code.clone(),
        None if namesakes.get(stored.name.as_str()) == Some(&1) => stored.name.clone(),
        None => stored.organisation_id.to_string(),
    };
    let named: HashMap<_, _> = tree.iter().map(|stored| (stored.organisation_id, name(stored))).collect();
    let place = |id| named.get(&id).cloned().unwrap_or_default();
    Ok(match sheet {
        Sheet::Organisations => {
            let line = |stored: &StoredOrganisation| {
                let (code, id) = (stored.code.clone().unwrap_or_default(), stored.organisation_id.to_string());
                let parent = stored.parent_id.map(place).unwrap_or_default();
                vec![code, stored.name.clone(), kind_title(stored.kind).into(), parent, id]
            };
            match below {
                None => tree.iter().map(line).collect(),
                Some(_) => all!(app.organisations(scope, below), organisation_id).iter().map(line).collect(),
            }
        }
        Sheet::Classrooms => {
            let line = |stored: StoredClassroom| {
                vec![place(stored.organisation_id), stored.name, stored.classroom_id.to_string()]
            };
            all!(app.classrooms(scope, below), classroom_id).into_iter().map(line).collect()
        }
        Sheet::Classes => {
            let rooms = all!(app.classrooms(scope, below), classroom_id);
            let rooms: HashMap<_, _> = rooms.into_iter().map(|stored| (stored.classroom_id, stored.name)).collect();
            let room = |id| rooms.get(&id).cloned().unwrap_or_default();
            let line = |stored: StoredClass| {
                let (room, id) = (stored.classroom_id.map(room).unwrap_or_default(), stored.class_id.to_string());
                vec![
                    place(stored.organisation_id),
                    stage_title(stored.stage).into(),
                    stored.grade,
                    stored.name,
                    room,
                    id,
                ]
            };
            all!(app.classes(scope, below), class_id).into_iter().map(line).collect()
        }
        Sheet::People => {
            let line = |stored: StoredPerson| {
                let id = stored.person_id.to_string();
                vec![place(stored.organisation_id), stored.name, stored.sign_in_name.unwrap_or_default(), id]
            };
            all!(app.people(scope, below), person_id).into_iter().map(line).collect()
        }
    })
}
