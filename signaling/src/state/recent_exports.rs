//! Exports that the audit has been told of lately.

use std::time::Duration;

use dashmap::DashMap;
use school::base::time::UnixMs;

/// What was exported last by whom, so that a player that reads one file in fifty ranges is one line of the audit.
#[derive(Debug, Default)]
pub struct RecentExports {
    by: DashMap<String, UnixMs>,
}

impl RecentExports {
    /// Whether this is the first such export in a while.
    #[must_use]
    pub fn is_new(&self, what: String, now: UnixMs) -> bool {
        if self.by.len() >= EXPORTS_REMEMBERED {
            self.by.retain(|_, at| now < at.plus(TOLD_AGAIN_AFTER));
        }
        if self.by.len() >= EXPORTS_REMEMBERED {
            return true;
        }
        let before = self.by.insert(what, now);
        before.is_none_or(|at| now >= at.plus(TOLD_AGAIN_AFTER))
    }
}

/// A lesson watched from its file is one look, however often the page seeks in it.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(600);

/// Beyond it every request is told, which costs the audit lines and nobody their download.
const EXPORTS_REMEMBERED: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_player_that_reads_in_ranges_is_one_line_of_the_audit() {
        let lately = RecentExports::default();
        let at = |s: i64| UnixMs(s * 1_000);
        // Each look counts from the one before: a film of an hour is told once, and so is a page left open.
        let told = [0, 1, 300, 901, 902].map(|s| lately.is_new("a".into(), at(s)));
        assert_eq!(told, [true, false, false, true, false]);
        assert!(lately.is_new("b".into(), at(1)));
    }
}
