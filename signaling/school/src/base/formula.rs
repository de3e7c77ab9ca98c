//! How figures come about, in words: each formula stands beside the code that computes it, and pages show it beside the
//! number.

use serde::Serialize;
use utoipa::ToSchema;

/// One formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Formula {
    /// Which figure it explains, as `present_ms`.
    pub figure: &'static str,
    /// Counts its changes, from 1. A figure that is kept was computed by the version that is kept with it.
    pub version: u32,
    /// In Chinese, as a teacher reads it.
    pub zh: &'static str,
    /// The same in English.
    pub en: &'static str,
}
