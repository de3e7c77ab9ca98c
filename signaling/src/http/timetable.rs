//! The timetable: school years, terms, bell schedules, courses, the week grid and term planning.

pub mod app;
pub mod bell_schedule;
pub mod calendar;
pub mod calendar_edit;
pub mod course;
pub mod problem;
pub mod term_plan;
pub mod week_grid;

use calendar_edit as edit;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

/// The routes of the timetable and of dispatch.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(calendar::list_school_years, calendar::add_school_year))
        .routes(routes!(edit::show_school_year, edit::change_school_year, edit::remove_school_year))
        .routes(routes!(calendar::list_terms, calendar::add_term))
        .routes(routes!(edit::show_term, edit::change_term, edit::remove_term))
        .routes(routes!(term_plan::plan))
        .routes(routes!(calendar::list_holidays, calendar::set_holiday, calendar::clear_holiday))
        .routes(routes!(bell_schedule::list_bell_schedules, bell_schedule::add_bell_schedule))
        .routes(routes!(edit::show_bell_schedule, edit::change_bell_schedule, edit::remove_bell_schedule))
        .routes(routes!(calendar::show_rules, calendar::set_rules))
        .routes(routes!(course::list_courses, course::add_course))
        .routes(routes!(course::show_course, edit::change_course, edit::remove_course))
        .routes(routes!(course::list_pairings, course::add_pairing))
        .routes(routes!(course::change_pairing))
        .routes(routes!(course::list_listening_rights, course::add_listening_right))
        .routes(routes!(course::change_listening_right))
        .routes(routes!(week_grid::week_grid))
        .routes(routes!(week_grid::schools))
        .routes(routes!(week_grid::weeks))
}
