//! Classrooms and classes.

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    http::{
        account::identity::Identity,
        organisation::app::OrganisationApp,
        web::{
            extract::{JsonBody, PathId, QueryParams, maybe_null, named},
            list::{Listed, Listing},
            problem::{ApiError, Problems, common::CommonProblem},
            version::{IfMatch, Tagged, edited},
        },
    },
    store::organisation::{
        classroom::{ClassroomEdit, StoredClassroom},
        school_class::{ClassEdit, NewClass, StoredClass},
    },
};
use school::{
    account::permission::Permission,
    base::id::{ClassId, ClassroomId, OrganisationId},
    organisation::{Classroom, Stage},
};

/// A classroom to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClassroom {
    organisation_id: OrganisationId,
    #[schema(min_length = 1, max_length = 80)]
    name: String,
}

/// Changes to a classroom; missing fields stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassroomChange {
    #[schema(min_length = 1, max_length = 80)]
    name: Option<String>,
    /// `true` closes it permanently.
    #[serde(default)]
    closed: bool,
}

/// A class to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddedClass {
    organisation_id: OrganisationId,
    /// Its home room.
    classroom_id: Option<ClassroomId>,
    stage: Stage,
    #[schema(min_length = 1, max_length = 80)]
    grade: String,
    #[schema(min_length = 1, max_length = 80)]
    name: String,
}

/// Changes to a class; missing fields stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassChange {
    /// `null`: no home room.
    #[serde(default, deserialize_with = "maybe_null")]
    #[schema(value_type = Option<ClassroomId>)]
    classroom_id: Option<Option<ClassroomId>>,
    #[schema(min_length = 1, max_length = 80)]
    grade: Option<String>,
    #[schema(min_length = 1, max_length = 80)]
    name: Option<String>,
    /// `true` closes it permanently.
    #[serde(default)]
    closed: bool,
}

/// List the classrooms that the caller may see, by id
#[utoipa::path(get, path = "/classrooms", tag = "classrooms", params(Listing),
    extensions(("x-act" = json!("see_organisations"))),
    responses((status = 200, body = Listed<StoredClassroom>), Problems))]
pub async fn list_classrooms(
    State(app): State<OrganisationApp>,
    identity: Identity,
    QueryParams(listing): QueryParams<Listing>,
) -> Result<Json<Listed<StoredClassroom>>, ApiError> {
    let (scope, ask) = (identity.scope(Permission::SeeOrganisations)?, listing.ask()?);
    let found = app.store.classrooms(&scope, &ask).await?;
    Ok(Json(Listed::new(found, ask.limit, |stored| stored.classroom_id.to_string())))
}

/// Add a classroom
#[utoipa::path(post, path = "/classrooms", tag = "classrooms", request_body = NewClassroom,
    extensions(("x-act" = json!("edit_classrooms"))),
    responses((status = 201, body = StoredClassroom), Problems))]
pub async fn add_classroom(
    State(app): State<OrganisationApp>,
    identity: Identity,
    JsonBody(ask): JsonBody<NewClassroom>,
) -> Result<Tagged<StoredClassroom>, ApiError> {
    let scope = identity.scope(Permission::EditClassrooms)?;
    let (classroom_id, name) = (ClassroomId::fresh(), named("name", &ask.name)?);
    let classroom = Classroom { classroom_id, organisation_id: ask.organisation_id, name };
    let row = identity.row(&app.clock, "add_classroom", format!("classroom:{classroom_id}"));
    let stored = app.store.add_classroom(&scope, &classroom, row).await?.ok_or(CommonProblem::NotFound)?;
    Ok(Tagged::created(stored.version, stored, format!("/api/v1/classrooms/{classroom_id}")))
}

/// Show one classroom
#[utoipa::path(get, path = "/classrooms/{classroom_id}", tag = "classrooms",
    params(("classroom_id" = ClassroomId, Path)),
    extensions(("x-act" = json!("see_organisations"))),
    responses((status = 200, body = StoredClassroom), Problems))]
pub async fn show_classroom(
    State(app): State<OrganisationApp>,
    identity: Identity,
    PathId(id): PathId<ClassroomId>,
) -> Result<Tagged<StoredClassroom>, ApiError> {
    let stored = app
        .store
        .classroom(&identity.reach(Permission::SeeOrganisations)?, id)
        .await?
        .ok_or(CommonProblem::NotFound)?;
    Ok(Tagged::new(stored.version, stored))
}

/// Rename or close a classroom
#[utoipa::path(patch, path = "/classrooms/{classroom_id}", tag = "classrooms",
    params(("classroom_id" = ClassroomId, Path), ("if-match" = String, Header)),
    request_body = ClassroomChange, extensions(("x-act" = json!("edit_classrooms"))),
    responses((status = 200, body = StoredClassroom), Problems))]
pub async fn change_classroom(
    State(app): State<OrganisationApp>,
    identity: Identity,
    PathId(id): PathId<ClassroomId>,
    IfMatch(version): IfMatch,
    JsonBody(ask): JsonBody<ClassroomChange>,
) -> Result<Tagged<StoredClassroom>, ApiError> {
    let scope = identity.reach(Permission::EditClassrooms)?;
    let name = ask.name.as_deref().map(|name| named("name", name)).transpose()?;
    let edit = ClassroomEdit { name, close: ask.closed };
    let row = identity.row(&app.clock, "change_classroom", format!("classroom:{id}")).saying(format!("{edit:?}"));
    let stored = edited(app.store.edit_classroom(&scope, id, version, &edit, row).await?)?;
    Ok(Tagged::new(stored.version, stored))
}

/// List the classes that the caller may see, by id
#[utoipa::path(get, path = "/classes", tag = "classes", params(Listing),
    extensions(("x-act" = json!("see_organisations"))),
    responses((status = 200, body = Listed<StoredClass>), Problems))]
pub async fn list_classes(
    State(app): State<OrganisationApp>,
    identity: Identity,
    QueryParams(listing): QueryParams<Listing>,
) -> Result<Json<Listed<StoredClass>>, ApiError> {
    let (scope, ask) = (identity.scope(Permission::SeeOrganisations)?, listing.ask()?);
    let found = app.store.classes(&scope, &ask).await?;
    Ok(Json(Listed::new(found, ask.limit, |stored| stored.class_id.to_string())))
}

/// Add a class
#[utoipa::path(post, path = "/classes", tag = "classes", request_body = AddedClass,
    extensions(("x-act" = json!("edit_classrooms"))),
    responses((status = 201, body = StoredClass), Problems))]
pub async fn add_class(
    State(app): State<OrganisationApp>,
    identity: Identity,
    JsonBody(ask): JsonBody<AddedClass>,
) -> Result<Tagged<StoredClass>, ApiError> {
    let scope = identity.scope(Permission::EditClassrooms)?;
    let class = NewClass {
        class_id: ClassId::fresh(),
        organisation_id: ask.organisation_id,
        classroom_id: ask.classroom_id,
        stage: ask.stage,
        grade: named("grade", &ask.grade)?,
        name: named("name", &ask.name)?,
    };
    let id = class.class_id;
    let row = identity.row(&app.clock, "add_class", format!("class:{id}"));
    let stored = app.store.add_class(&scope, &class, row).await?.ok_or(CommonProblem::NotFound)?;
    Ok(Tagged::created(stored.version, stored, format!("/api/v1/classes/{id}")))
}

/// Show one class
#[utoipa::path(get, path = "/classes/{class_id}", tag = "classes", params(("class_id" = ClassId, Path)),
    extensions(("x-act" = json!("see_organisations"))),
    responses((status = 200, body = StoredClass), Problems))]
pub async fn show_class(
    State(app): State<OrganisationApp>,
    identity: Identity,
    PathId(id): PathId<ClassId>,
) -> Result<Tagged<StoredClass>, ApiError> {
    let stored =
        app.store.class(&identity.reach(Permission::SeeOrganisations)?, id).await?.ok_or(CommonProblem::NotFound)?;
    Ok(Tagged::new(stored.version, stored))
}

/// Change a class's name, grade or room, or close it
#[utoipa::path(patch, path = "/classes/{class_id}", tag = "classes",
    params(("class_id" = ClassId, Path), ("if-match" = String, Header)),
    request_body = ClassChange, extensions(("x-act" = json!("edit_classrooms"))),
    responses((status = 200, body = StoredClass), Problems))]
pub async fn change_class(
    State(app): State<OrganisationApp>,
    identity: Identity,
    PathId(id): PathId<ClassId>,
    IfMatch(version): IfMatch,
    JsonBody(ask): JsonBody<ClassChange>,
) -> Result<Tagged<StoredClass>, ApiError> {
    let scope = identity.reach(Permission::EditClassrooms)?;
    let grade = ask.grade.as_deref().map(|grade| named("grade", grade)).transpose()?;
    let name = ask.name.as_deref().map(|name| named("name", name)).transpose()?;
    let edit = ClassEdit { classroom_id: ask.classroom_id, grade, name, close: ask.closed };
    let row = identity.row(&app.clock, "change_class", format!("class:{id}")).saying(format!("{edit:?}"));
    let stored = edited(app.store.edit_class(&scope, id, version, &edit, row).await?)?;
    Ok(Tagged::new(stored.version, stored))
}
