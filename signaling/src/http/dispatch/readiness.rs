//! Readiness of a lesson: the checklist of its program, missing items and waivers.

use std::collections::HashMap;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    http::{
        account::identity::Identity,
        dispatch::{app::DispatchApp, problem::DispatchReason},
        lesson::find::find,
        web::{
            extract::{JsonBody, PathId},
            problem::{ApiError, Problems, common::CommonProblem, invalid},
        },
    },
    live::wire::ReadinessCount,
    store::{Store, Waiver},
};
use school::{
    account::permission::{Permission, Scope},
    base::{id::LessonId, time::UnixMs},
    dispatch::REASON_CHARS_MAX,
    lesson::{Lesson, life::LessonState},
    timetable::{
        program::{Mode, Prepared, Program, ProgramRule, ReadinessItem, is_ready},
        rules::RuleSet,
    },
};

/// State of a readiness item.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadinessState {
    /// Met.
    Met,
    /// Missing, not waived.
    Missing,
    /// Missing, waived.
    Waived,
}

/// A readiness item.
#[derive(Serialize, ToSchema)]
pub struct ReadinessItemView {
    item: ReadinessItem,
    state: ReadinessState,
    /// `null`: not waived.
    waiver: Option<WaiverView>,
}

/// Who waived the item, and why.
#[derive(Serialize, ToSchema)]
pub struct WaiverView {
    /// Name at the time of the waiver.
    name: String,
    reason: String,
    at_ms: UnixMs,
}

/// Readiness of a lesson by its program and mode.
#[derive(Serialize, ToSchema)]
pub struct ReadinessView {
    lesson_id: LessonId,
    #[schema(value_type = Program)]
    program: String,
    #[schema(value_type = Mode)]
    mode: String,
    /// No item is missing without a waiver.
    ready: bool,
    items: Vec<ReadinessItemView>,
}

/// An item to be waived.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWaiver {
    item: ReadinessItem,
    /// The reason, 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// Show a lesson's readiness
#[utoipa::path(get, path = "/lessons/{lesson_id}/readiness", tag = "lessons", operation_id = "show_readiness",
    params(("lesson_id" = LessonId, Path)), extensions(("x-act" = json!("see_lessons"))),
    responses((status = 200, body = ReadinessView), Problems))]
pub async fn show(
    State(app): State<DispatchApp>,
    identity: Identity,
    PathId(lesson_id): PathId<LessonId>,
) -> Result<Json<ReadinessView>, ApiError> {
    let lesson = find(&app.store, &identity, Permission::SeeLessons, lesson_id).await?;
    Ok(Json(readiness(&app, &identity.reach(Permission::SeeLessons)?, &lesson).await?))
}

/// Waive a readiness item by name
#[utoipa::path(post, path = "/lessons/{lesson_id}/waivers", tag = "lessons", request_body = NewWaiver,
    params(("lesson_id" = LessonId, Path)), extensions(("x-act" = json!("edit_timetable"))),
    responses((status = 201, body = ReadinessView), Problems))]
pub async fn waive(
    State(app): State<DispatchApp>,
    identity: Identity,
    PathId(lesson_id): PathId<LessonId>,
    JsonBody(ask): JsonBody<NewWaiver>,
) -> Result<(StatusCode, Json<ReadinessView>), ApiError> {
    let scope = identity.reach(Permission::EditTimetable)?;
    let lesson = find(&app.store, &identity, Permission::EditTimetable, lesson_id).await?;
    // Only the teaching side may waive, not a listening one.
    if !scope.covers(lesson.place()) {
        return Err(CommonProblem::NotFound.into());
    }
    let reason = ask.reason.trim();
    if !(1..=REASON_CHARS_MAX).contains(&reason.chars().count()) || reason.contains(char::is_control) {
        return Err(invalid("reason", &DispatchReason::ReasonNeeded { max: REASON_CHARS_MAX }));
    }
    if !matches!(lesson.state, LessonState::Scheduled | LessonState::Open) {
        return Err(school::lesson::life::WrongState(lesson.state).into());
    }
    let asked_for = rule(&app.store, &scope, &lesson).await?.is_some_and(|rule| rule.readiness.contains(&ask.item));
    if !asked_for {
        return Err(invalid("item", &DispatchReason::ItemNotAskedFor));
    }
    let (actor, name) = (identity.actor(), identity.session.name.clone());
    let waiver = Waiver { item: ask.item, actor, name, reason: reason.to_owned(), at: app.clock.wall() };
    let row = identity.row(&app.clock, "waive_readiness", format!("lesson:{lesson_id}")).at_place(lesson.place());
    if !app.store.waive(&scope, lesson_id, &waiver, row).await? {
        return Err(CommonProblem::NotFound.into());
    }
    Ok((StatusCode::CREATED, Json(readiness(&app, &scope, &lesson).await?)))
}

/// Counts of met, missing and waived items of each lesson. Lessons that have begun are left out.
///
/// # Errors
/// [`CommonProblem::Internal`] where the store fails.
pub(crate) async fn counts(
    store: &Store,
    now: UnixMs,
    scope: &Scope,
    lessons: &[Lesson],
) -> Result<HashMap<LessonId, ReadinessCount>, ApiError> {
    let to_come = |lesson: &&Lesson| matches!(lesson.state, LessonState::Scheduled | LessonState::Open);
    let lessons: Vec<&Lesson> = lessons.iter().filter(to_come).collect();
    let ids: Vec<LessonId> = lessons.iter().map(|lesson| lesson.lesson_id).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let prepared = store.prepared(scope, &ids, now).await?;
    let waivers = store.waivers(scope, &ids).await?;
    let mut rules: HashMap<&str, RuleSet> = HashMap::new();
    let mut counts = HashMap::new();
    for lesson in lessons {
        if !rules.contains_key(lesson.place()) {
            rules.insert(lesson.place(), store.rules_at(scope, lesson.place()).await?);
        }
        let rule = rules.get(lesson.place()).and_then(|rules| program_rule(rules, lesson));
        let (Some(rule), Some(prepared)) = (rule, prepared.get(&lesson.lesson_id)) else { continue };
        let mut count = ReadinessCount::default();
        for one in rule.readiness(prepared, &waived(waivers.get(&lesson.lesson_id))) {
            match (one.met, one.waived) {
                (true, _) => count.met += 1,
                (false, true) => count.waived += 1,
                (false, false) => count.missing += 1,
            }
        }
        counts.insert(lesson.lesson_id, count);
    }
    Ok(counts)
}

async fn readiness(app: &DispatchApp, scope: &Scope, lesson: &Lesson) -> Result<ReadinessView, ApiError> {
    let ids = [lesson.lesson_id];
    let prepared: Prepared =
        app.store.prepared(scope, &ids, app.clock.wall()).await?.remove(&lesson.lesson_id).unwrap_or_default();
    let mut waivers = app.store.waivers(scope, &ids).await?.remove(&lesson.lesson_id).unwrap_or_default();
    let list = rule(&app.store, scope, lesson).await?.map(|rule| rule.readiness(&prepared, &waived(Some(&waivers))));
    let list = list.unwrap_or_default();
    let mut items = Vec::new();
    for one in &list {
        let waiver = waivers.iter().position(|waiver| waiver.item == one.item).map(|at| waivers.swap_remove(at));
        items.push(ReadinessItemView {
            item: one.item,
            state: match (one.met, one.waived) {
                (true, _) => ReadinessState::Met,
                (false, true) => ReadinessState::Waived,
                (false, false) => ReadinessState::Missing,
            },
            waiver: waiver.map(|by| WaiverView { name: by.name, reason: by.reason, at_ms: by.at }),
        });
    }
    let (program, mode) = (lesson.program.clone(), lesson.mode.clone());
    Ok(ReadinessView { lesson_id: lesson.lesson_id, program, mode, ready: is_ready(&list), items })
}

/// The rule for the lesson's program and mode. `None`: the bureau does not use this combination.
pub(crate) async fn rule(store: &Store, scope: &Scope, lesson: &Lesson) -> Result<Option<ProgramRule>, ApiError> {
    Ok(program_rule(&store.rules_at(scope, lesson.place()).await?, lesson).cloned())
}

fn program_rule<'a>(rules: &'a RuleSet, lesson: &Lesson) -> Option<&'a ProgramRule> {
    rules.program(lesson.program.parse().ok()?, lesson.mode.parse().ok()?)
}

fn waived(waivers: Option<&Vec<Waiver>>) -> Vec<ReadinessItem> {
    waivers.into_iter().flatten().map(|waiver| waiver.item).collect()
}
