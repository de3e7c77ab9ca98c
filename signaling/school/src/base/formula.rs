//! Formulas of computed figures, as text. Each stands beside the code that computes it, and pages show it beside the
//! number.

use serde::Serialize;
use utoipa::ToSchema;

/// One formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Formula {
    /// The figure it explains, such as `present_ms`.
    pub figure: &'static str,
    /// Version, from 1; raised with each change. A stored figure carries the version that computed it.
    pub version: u32,
    /// Chinese text, for teachers.
    pub zh: &'static str,
    /// English text.
    pub en: &'static str,
}
