//! Recent loss, packet by packet, from transport-wide feedback.

/// Counts of the last few seconds.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// The second that goes on comes first.
    seconds: [Second; SECONDS],
}

#[derive(Debug, Default, Clone, Copy)]
struct Second {
    packets: u32,
    /// Negative where more packets that an earlier second counted as lost came late in this one than were lost in it.
    lost: i32,
}

impl Losses {
    /// Notes a report on a packet: `is_missing` now, `was_missing` by an earlier report.
    pub(super) fn note(&mut self, is_missing: bool, was_missing: bool) {
        let second = &mut self.seconds[0];
        second.packets += u32::from(!was_missing);
        second.lost += i32::from(is_missing) - i32::from(was_missing);
    }

    /// The share lost in the last [`SECONDS`] seconds, 0 to 1, and begins another second. `None`: nothing was reported.
    pub(super) fn turn(&mut self) -> Option<f64> {
        let packets: u32 = self.seconds.iter().map(|second| second.packets).sum();
        let lost: i32 = self.seconds.iter().map(|second| second.lost).sum();
        self.seconds.rotate_right(1);
        self.seconds[0] = Second::default();
        (packets > 0).then(|| (f64::from(lost) / f64::from(packets)).clamp(0.0, 1.0))
    }
}

/// As long as a window of the quality that is kept of a lesson: each of them sees every packet once.
const SECONDS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn second(losses: &mut Losses, packets: u32, lost: u32) -> Option<f64> {
        (0..packets).for_each(|n| losses.note(n < lost, false));
        losses.turn()
    }

    #[test]
    fn the_last_five_seconds_count_and_no_others() {
        let mut losses = Losses::default();
        assert_eq!(losses.turn(), None);
        assert_eq!(second(&mut losses, 100, 50), Some(0.5));
        assert_eq!(second(&mut losses, 300, 0), Some(0.125));
        for _ in 0..3 {
            losses.turn();
        }
        assert_eq!(second(&mut losses, 100, 10), Some(0.025), "of the 300 and the 100");
        for _ in 0..5 {
            losses.turn();
        }
        assert_eq!(losses.turn(), None);
    }

    #[test]
    fn what_came_late_was_not_lost() {
        let mut losses = Losses::default();
        assert_eq!(second(&mut losses, 10, 5), Some(0.5));
        (0..5).for_each(|_| losses.note(false, true));
        assert_eq!(losses.turn(), Some(0.0));
    }
}
