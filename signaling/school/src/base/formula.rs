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

/// Every formula of a lesson's report.
pub const ALL: [Formula; 10] = [
    crate::report::attendance::PRESENT,
    crate::report::attendance::CAME_AND_LEFT,
    crate::report::attendance::STATE,
    crate::report::verdict::BROADCAST,
    crate::report::verdict::RECEIVE,
    crate::report::quality::LINE,
    crate::report::quality::FREEZE,
    crate::report::quality::CONCEALED,
    crate::report::quality::ROLL_UP,
    crate::report::voice_score::VOICE_SCORE,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_figure_is_explained_once_and_in_both_languages() {
        let figures: BTreeSet<&str> = ALL.iter().map(|formula| formula.figure).collect();
        assert_eq!(figures.len(), ALL.len());
        for formula in ALL {
            assert!(formula.version >= 1 && formula.zh.chars().count() > 20 && formula.en.len() > 60, "{formula:?}");
        }
    }
}
