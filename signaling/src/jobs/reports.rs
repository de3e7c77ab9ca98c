//! Stores attendance samples and computes the reports of ended lessons, in a task of its own.

use std::time::Duration;

use tracing::{error, info};

use crate::{
    app::App,
    error_chain::chain,
    store::{AuditRow, StoreError, report::ACT},
};
use school::{account::system_scope, report::work_out};

/// Interval at which samples are stored: a killed hub loses no more than this.
const EVERY: Duration = Duration::from_secs(2);

/// Reports per round. A bell ends 200 lessons of a county at once; the last of them is reported ten seconds later.
const REPORTS_A_ROUND: i64 = 50;

/// Delay before a failed write to the store is tried again.
const TRIES_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Stores attendance until the hub stops.
pub async fn run(app: App) {
    let mut rests = EVERY;
    loop {
        tokio::select! {
            () = tokio::time::sleep(rests) => {}
            () = app.stopping() => return,
        }
        rests = match round(&app).await {
            Ok(()) => EVERY,
            Err(error) => {
                let waiting = app.registry.sample_buffer(|sample_buffer| sample_buffer.rows());
                error!(error = chain(&error), waiting, "Attendance waits here: the store does not take it");
                TRIES_AGAIN_AFTER
            }
        };
        app.registry.sample_buffer(|sample_buffer| {
            metrics::gauge!("tongke_attendance_rows_waiting").set(sample_buffer.rows() as f64);
            metrics::counter!("tongke_attendance_rows_given_up_total").absolute(sample_buffer.given_up());
        });
    }
}

/// Stores samples, and computes the reports that are due.
///
/// # Errors
/// [`StoreError`] if the store does not answer; the next round tries again.
pub async fn round(app: &App) -> Result<(), StoreError> {
    app.registry.flush_attendance().await?;
    let (scope, now) = (system_scope::bell(), app.clock.wall());
    for lesson in app.store.lessons_to_report(&scope, now, REPORTS_A_ROUND).await? {
        let lesson_id = lesson.lesson_id;
        if !app.registry.sample_buffer(|sample_buffer| sample_buffer.is_kept(lesson_id)) {
            continue; // Its last windows have just come and are not stored yet.
        }
        let collected = app.store.collected(&scope, &lesson, Vec::new()).await?;
        let rules = app.store.rules_at(&scope, lesson.place()).await?;
        let report = work_out(&lesson, &collected, &rules, now);
        let row = AuditRow::by_system(now, ACT, format!("lesson:{lesson_id}")).at_place(lesson.place());
        if app.store.save_report(&scope, &report, &collected, row).await? {
            info!(lesson.id = %lesson_id, ends = report.ends.len(), "Worked out the report of lesson {lesson_id}");
        }
        app.registry.sample_buffer(|sample_buffer| sample_buffer.forget(lesson_id));
    }
    Ok(())
}
