//! Exports that were audited recently.

use std::time::Duration;

use dashmap::DashMap;
use school::base::time::UnixMs;

/// Time of the last request per export key, so that a player that reads one file in fifty ranges makes one audit row.
#[derive(Debug, Default)]
pub struct RecentExports {
    by: DashMap<String, UnixMs>,
}

impl RecentExports {
    /// Whether this export needs an audit row: there was no such export recently.
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

/// Export requests closer together than this make one audit row: a player may seek as often as it likes.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(600);

/// Exports tracked. Beyond it every request makes an audit row; no download fails.
const EXPORTS_REMEMBERED: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_player_that_reads_in_ranges_is_one_line_of_the_audit() {
        let lately = RecentExports::default();
        let at = |s: i64| UnixMs(s * 1_000);
        // The interval counts from the last request: an hour-long film, or a page left open, makes one row.
        let told = [0, 1, 300, 901, 902].map(|s| lately.is_new("a".into(), at(s)));
        assert_eq!(told, [true, false, false, true, false]);
        assert!(lately.is_new("b".into(), at(1)));
    }
}
