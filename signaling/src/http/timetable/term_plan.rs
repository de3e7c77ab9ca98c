//! Planning of all lessons of a term from its courses.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    http::{
        account::identity::Identity,
        dispatch::{clash::ClashView, problem::schedule_problem},
        organisation::place_of,
        timetable::app::TimetableApp,
        web::{
            extract::{JsonBody, PathId},
            problem::{ApiError, Problems, common::CommonProblem},
        },
    },
    scheduling::planner::plan_term,
    store::ScheduleError,
};
use school::{
    account::permission::Permission,
    base::id::{CourseId, OrganisationId, TermId},
    timetable::Unresolved,
};

/// A request to plan a term.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TermPlanRequest {
    /// A school, or a bureau with all below it.
    organisation_id: OrganisationId,
    /// Dry run: only report the result.
    #[serde(default)]
    dry_run: bool,
}

/// Result of planning a term.
#[derive(Serialize, ToSchema)]
pub struct TermPlanView {
    /// Lessons in the plan.
    planned: usize,
    /// Planned lessons whose start is past: not scheduled.
    past: usize,
    /// Lessons created. The others existed already.
    scheduled: usize,
    /// Periods that became no lesson.
    left_out: Vec<LeftOutView>,
    /// Clashes. If there are any, nothing is scheduled.
    clashes: Vec<ClashView>,
}

/// A period of the plan that became no lesson, or that one classroom cannot receive.
#[derive(Serialize, ToSchema)]
pub struct LeftOutView {
    course_id: CourseId,
    week_no: u8,
    /// 1 is Monday.
    weekday: i8,
    period: String,
    /// Index of the listening end in the course. `null`: the lesson itself.
    end: Option<usize>,
    /// The reason.
    why: Unresolved,
}

/// Plan all lessons of a school's term; lessons planned before stay
#[utoipa::path(post, path = "/terms/{term_id}/lessons", tag = "timetable", request_body = TermPlanRequest,
    params(("term_id" = TermId, Path)), extensions(("x-act" = json!("edit_timetable"))),
    responses((status = 200, body = TermPlanView), Problems))]
pub async fn plan(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(term_id): PathId<TermId>,
    JsonBody(ask): JsonBody<TermPlanRequest>,
) -> Result<Json<TermPlanView>, ApiError> {
    let scope = identity.reach(Permission::EditTimetable)?;
    let term = app.store.term(&scope, term_id).await?.ok_or(CommonProblem::NotFound)?.value;
    let path = place_of(&app.store, &scope, ask.organisation_id).await?;
    let plan = plan_term(&app.store, &scope, &term, &path, app.clock.wall()).await?;
    let left_out = plan.left_out.iter().map(|(course_id, left_out)| LeftOutView {
        course_id: *course_id,
        week_no: left_out.week_no,
        weekday: left_out.weekday.to_monday_one_offset(),
        period: left_out.period.to_string(),
        end: left_out.end,
        why: left_out.why.clone(),
    });
    let mut view = TermPlanView {
        planned: plan.lessons.len(),
        past: plan.past,
        scheduled: 0,
        left_out: left_out.collect(),
        clashes: Vec::new(),
    };
    let row = identity.row(&app.clock, "plan_term", format!("term:{term_id}"));
    let done = match ask.dry_run {
        true => {
            let fresh = app.store.unplanned(&scope, plan.lessons).await?;
            let clashes = app.store.clashes_of_new(&scope, &fresh).await?;
            if clashes.is_empty() { Ok(fresh.len()) } else { Err(ScheduleError::Clashes(clashes)) }
        }
        false => app.store.schedule(&scope, &plan.lessons, row).await,
    };
    match done {
        Ok(scheduled) => view.scheduled = scheduled,
        Err(ScheduleError::Clashes(clashes)) => {
            view.clashes = ClashView::of(&app.store, &scope, &clashes).await?;
        }
        Err(error) => return Err(schedule_problem(&app.store, &scope, error).await),
    }
    Ok(Json(view))
}
