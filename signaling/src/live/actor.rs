//! Who moves a lesson on, and why that cannot be.

use crate::store::StoreError;
use school::lesson::life::{Step, WrongState};

/// Why a lesson cannot be moved on.
#[derive(Debug, thiserror::Error)]
pub enum TransitionError {
    /// The step does not fit.
    #[error(transparent)]
    WrongState(#[from] WrongState),
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who moves a lesson on, for the audit.
#[derive(Clone, Debug)]
pub struct Actor {
    /// `person:<id>`, `publisher` or `system`.
    pub actor: String,
    /// Network address; empty for the system.
    pub address: String,
}

impl Actor {
    /// The bell.
    #[must_use]
    pub fn system() -> Self {
        Self { actor: "system".into(), address: String::new() }
    }
}

/// What the audit calls a step.
pub(super) fn act_of(step: Step) -> &'static str {
    match step {
        Step::Open => "open_lesson",
        Step::Start => "start_lesson",
        Step::End => "end_lesson",
        Step::Cancel => "cancel_lesson",
        Step::Miss => "miss_lesson",
        Step::Archive => "archive_lesson",
    }
}
