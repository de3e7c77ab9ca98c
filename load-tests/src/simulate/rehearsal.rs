//! The lesson that the product's promise speaks of.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::Simulation;
use crate::line::Line;

/// Runs the lesson that the product's promise speaks of: a teacher and three classrooms, one on a bad line.
///
/// # Errors
/// The line's settings cannot be read.
pub fn rehearse(seed: u64, bad_line: &str, minutes: u64) -> Result<Simulation> {
    let mut line = Line::losing(0.05);
    line.set(bad_line).map_err(anyhow::Error::msg).context("the bad line")?;
    let mut lesson = Simulation::seeded(seed)
        .teacher("camera")
        .classroom("Centre School", Line { delay: Duration::from_millis(5), ..Line::CLEAN })
        .classroom(
            "River School",
            Line { delay: Duration::from_millis(30), jitter: Duration::from_millis(5), ..Line::CLEAN },
        )
        .classroom("Hill School", line);
    lesson.run_for(Duration::from_secs(minutes * 60));
    Ok(lesson)
}
