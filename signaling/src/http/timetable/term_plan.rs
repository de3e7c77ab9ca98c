//! The lessons of a whole term, planned in one go from its courses.

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

/// Which school's term is to be planned.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TermPlanRequest {
    /// The school, or everything below a bureau.
    organisation_id: OrganisationId,
    /// Only say what would come of it.
    #[serde(default)]
    dry_run: bool,
}

/// What a term became.
#[derive(Serialize, ToSchema)]
pub struct TermPlanView {
    /// Lessons in the plan.
    planned: usize,
    /// Lessons of the term that would have begun by now: they are left out.
    past: usize,
    /// Lessons that are new. The others were there already.
    scheduled: usize,
    /// What became no lesson.
    left_out: Vec<LeftOutView>,
    /// What stands in the way. Then nothing is scheduled.
    clashes: Vec<ClashView>,
}

/// A period of the plan that became no lesson, or that one classroom cannot listen to.
#[derive(Serialize, ToSchema)]
pub struct LeftOutView {
    course_id: CourseId,
    week_no: u8,
    /// 1: Monday.
    weekday: i8,
    period: String,
    /// The listening end, by its place in the course. `null`: the lesson itself.
    end: Option<usize>,
    /// Why.
    why: Unresolved,
}

/// Plan all lessons of a school's term in one go; what was planned before stays
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
