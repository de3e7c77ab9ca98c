//! The actor of a lesson transition, and why a transition fails.

use crate::store::StoreError;
use school::lesson::life::{Step, WrongState};

/// Why a lesson transition fails.
#[derive(Debug, thiserror::Error)]
pub enum TransitionError {
    /// The lesson's state does not allow this step.
    #[error(transparent)]
    WrongState(#[from] WrongState),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The actor of a lesson transition, for the audit row.
#[derive(Clone, Debug)]
pub struct Actor {
    /// `person:<id>`, `publisher` or `system`.
    pub actor: String,
    /// Network address; empty for the system.
    pub address: String,
}

impl Actor {
    /// The bell (system actor).
    #[must_use]
    pub fn system() -> Self {
        Self { actor: "system".into(), address: String::new() }
    }
}

/// The audit action of a step.
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
