//! Allocation of a viewer's bandwidth: voice before board before camera before the stage.
//!
//! First every picture gets its lowest layer, then the better ones in the same order. Down at once, up only when there
//! was bandwidth for a while, and for longer where the last step up had to be taken back.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::{media::TrackKind, packet::target::Target};

/// One layer that a slot could carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// Index of the layer in its track.
    pub layer: usize,
    /// How much of that layer.
    pub target: Target,
    /// The highest spatial layer that there is inside the target.
    pub size: u8,
    /// What it takes of the line, headers included.
    pub bps: u64,
}

/// What one slot could carry.
#[derive(Debug, Clone)]
pub struct Demand {
    /// What it shows.
    pub kind: TrackKind,
    /// Layers that flow, cheapest first. Empty: nothing does.
    pub rungs: SmallVec<[Rung; 3]>,
    /// The layer that flows in it now, or is waited for, and how much of it.
    pub current: Option<(usize, Target)>,
}

/// What one slot is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// Its track sends nothing.
    Nothing,
    /// The bandwidth does not suffice.
    Paused,
    /// So much of that layer of its track.
    Layer(usize, Target),
}

/// What can be allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The estimate, bits per second.
    pub bps: u64,
    /// Congestion was met lately. Where it was not, nothing that flows is taken away on a guess.
    pub bound: bool,
    /// Reports have stopped: only voice goes on.
    pub voice_only: bool,
}

/// Allocator of one receiver, with the state of its hysteresis.
#[derive(Debug)]
pub struct Allocator {
    roomy: SmallVec<[Option<Instant>; 6]>,
    hold: Duration,
    rose: Option<Instant>,
}

impl Default for Allocator {
    fn default() -> Self {
        Self { roomy: SmallVec::new(), hold: HOLD_MIN, rose: None }
    }
}

impl Allocator {
    /// Allocates `budget` to `demands`: one allocation each, in their order.
    pub fn choose(&mut self, now: Instant, budget: Budget, demands: &[Demand]) -> SmallVec<[Allocation; 6]> {
        self.roomy.resize(demands.len(), None);
        let targets = allot(budget, demands);
        let hold = if budget.bound { self.hold } else { HOLD_UNBOUND };
        let (mut fell, mut rose) = (false, false);
        let allocations = demands
            .iter()
            .zip(&targets)
            .zip(&mut self.roomy)
            .map(|((demand, target), roomy)| {
                let current = demand.rung();
                let chosen = match (current, *target) {
                    (Some(from), Some(to)) if to > from => wait(now, roomy, hold).then_some(to).or(Some(from)),
                    // What was paused, or has just begun: at once where the line was never full. What takes the place
                    // of a layer that has ended, or that is too large for a lossy line, never waits.
                    (None, Some(to)) if budget.bound && demand.current.is_none() && !demand.kind.is_sound() => {
                        wait(now, roomy, hold).then_some(to)
                    }
                    (_, target) => {
                        *roomy = None;
                        target
                    }
                };
                if chosen > current {
                    *roomy = None;
                    rose |= !demand.kind.is_sound();
                }
                fell |= chosen < current;
                match chosen {
                    Some(rung) => Allocation::Layer(demand.rungs[rung].layer, demand.rungs[rung].target),
                    None if demand.rungs.is_empty() => Allocation::Nothing,
                    None => Allocation::Paused,
                }
            })
            .collect();
        if fell && self.rose.is_some_and(|at| now.saturating_duration_since(at) < REGRET) {
            self.hold = (self.hold * 2).min(HOLD_MAX);
            self.rose = None;
        } else if self.rose.is_some_and(|at| now.saturating_duration_since(at) > 2 * REGRET) {
            self.hold = HOLD_MIN;
        }
        if rose && budget.bound {
            self.rose = Some(now);
        }
        allocations
    }

    /// Skips the hold time of the next allocation.
    pub fn skip_hold(&mut self, now: Instant) {
        self.roomy.fill(now.checked_sub(HOLD_MAX));
    }

    /// What everything at its best would take, bits per second.
    #[must_use]
    pub fn best_bps(demands: &[Demand]) -> u64 {
        demands.iter().filter_map(|demand| demand.rungs.last()).map(|rung| rung.bps).sum()
    }
}

impl Demand {
    /// The rung that flows: the best one not above the current target. `None`: nothing flows, or its layer is silent.
    fn rung(&self) -> Option<usize> {
        let (layer, target) = self.current?;
        let of = |rung: &&Rung| rung.layer == layer;
        let least = self.rungs.iter().filter(of).map(|rung| rung.target).min()?;
        self.rungs.iter().rposition(|rung| of(&rung) && rung.target <= target.max(least))
    }

    /// Keeps only the rungs of the smallest size.
    pub fn keep_smallest(&mut self) {
        let Some(first) = self.rungs.first().copied() else { return };
        self.rungs.retain(|rung| (rung.layer, rung.size) == (first.layer, first.size));
    }

    /// The rate counted for a rung: a little less than its own where it flows already, more where it does not.
    fn cost(&self, rung: usize) -> u64 {
        let flows = self.rung().is_some_and(|current| rung <= current);
        self.rungs[rung].bps * if flows { 95 } else { 115 } / 100
    }
}

fn wait(now: Instant, since: &mut Option<Instant>, hold: Duration) -> bool {
    now.saturating_duration_since(*since.get_or_insert(now)) >= hold
}

/// The rung of each demand that the budget suffices for, with hysteresis in size but not in time.
fn allot(budget: Budget, demands: &[Demand]) -> SmallVec<[Option<usize>; 6]> {
    let mut order: SmallVec<[usize; 6]> = (0..demands.len()).filter(|at| !demands[*at].rungs.is_empty()).collect();
    order.sort_by_key(|at| demands[*at].kind);
    let mut given: SmallVec<[Option<usize>; 6]> = SmallVec::from_elem(None, demands.len());
    let mut left = budget.bps;
    for &at in order.iter().filter(|at| demands[**at].kind.is_sound()) {
        let is_stage = demands[at].kind == TrackKind::StageVoice;
        let cost = demands[at].rungs[0].bps;
        if !is_stage || !budget.bound || cost <= left {
            given[at] = Some(0);
            left = left.saturating_sub(cost);
        }
    }
    if budget.voice_only {
        return given;
    }
    let pictures = || order.iter().copied().filter(|at| !demands[*at].kind.is_sound());
    for at in pictures() {
        let demand = &demands[at];
        let cost = demand.cost(0);
        if cost <= left {
            given[at] = Some(0);
            left -= cost;
        } else if demand.kind == TrackKind::Board && left >= BOARD_LEAST_BPS || !budget.bound {
            // A board is readable late too: its pictures wait for the line, and the newest keyframe overtakes the
            // others.
            given[at] = Some(0);
            left = 0;
        }
    }
    for at in pictures() {
        let Some(base) = given[at] else { continue };
        let demand = &demands[at];
        let paid = demand.cost(base);
        let better = (base + 1..demand.rungs.len()).rev().find(|rung| demand.cost(*rung).saturating_sub(paid) <= left);
        if let Some(rung) = better {
            left -= demand.cost(rung).saturating_sub(paid);
            given[at] = Some(rung);
        }
        if !budget.bound {
            // Nothing that flows is taken away on a guess.
            given[at] = given[at].max(demand.rung());
        }
    }
    given
}

/// Hold time: how long there must have been bandwidth before more is sent, after congestion and before any.
const HOLD_MIN: Duration = Duration::from_millis(2_500);
const HOLD_MAX: Duration = Duration::from_secs(8);
const HOLD_UNBOUND: Duration = Duration::from_millis(700);

/// A step up that is taken back within this time doubles the hold time.
const REGRET: Duration = Duration::from_secs(8);

/// Sends a keyframe of small writing in half a minute: with less a board would stand still.
const BOARD_LEAST_BPS: u64 = 12_000;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's clock only needs some beginning")]
mod tests {
    use super::*;

    fn demand(kind: TrackKind, rungs: &[u64], current: Option<usize>) -> Demand {
        let rungs = rungs
            .iter()
            .enumerate()
            .map(|(layer, bps)| Rung { layer, target: Target::ALL, size: 0, bps: bps * 1_000 })
            .collect();
        Demand { kind, rungs, current: current.map(|layer| (layer, Target::ALL)) }
    }

    fn lesson(board: Option<usize>, camera: Option<usize>) -> [Demand; 3] {
        [
            demand(TrackKind::Voice, &[50], Some(0)),
            demand(TrackKind::Board, &[200], board),
            demand(TrackKind::Camera, &[150, 900], camera),
        ]
    }

    const fn budget(kbps: u64) -> Budget {
        Budget { bps: kbps * 1_000, bound: true, voice_only: false }
    }

    /// What a lesson settles on, after a minute at one estimate.
    fn settled(allocator: &mut Allocator, budget: Budget, from: (Option<usize>, Option<usize>)) -> [Allocation; 3] {
        let start = Instant::now();
        let (mut board, mut camera) = from;
        let layer =
            |allocation: Allocation| if let Allocation::Layer(layer, _) = allocation { Some(layer) } else { None };
        let mut last = [Allocation::Nothing; 3];
        for second in 0..60 {
            let allocations = allocator.choose(start + Duration::from_secs(second), budget, &lesson(board, camera));
            (board, camera) = (layer(allocations[1]), layer(allocations[2]));
            last.copy_from_slice(&allocations);
        }
        last
    }

    #[test]
    fn voice_comes_before_the_board_and_the_board_before_the_camera() {
        use Allocation::Paused;
        const fn layer(at: usize) -> Allocation {
            Allocation::Layer(at, Target::ALL)
        }
        let table = [
            (2_000, [layer(0), layer(0), layer(1)]),
            (1_400, [layer(0), layer(0), layer(1)]),
            (800, [layer(0), layer(0), layer(0)]),
            (450, [layer(0), layer(0), layer(0)]),
            (350, [layer(0), layer(0), Paused]),
            (300, [layer(0), layer(0), Paused]),
            (100, [layer(0), layer(0), Paused]),
            (55, [layer(0), Paused, Paused]),
            (40, [layer(0), Paused, Paused]),
        ];
        for (kbps, expected) in table {
            assert_eq!(settled(&mut Allocator::default(), budget(kbps), (None, None)), expected, "{kbps} kbit/s");
        }
    }

    #[test]
    fn down_is_at_once_and_up_takes_its_time() {
        let start = Instant::now();
        let mut allocator = Allocator::default();
        let demands = lesson(Some(0), Some(1));
        assert_eq!(allocator.choose(start, budget(800), &demands)[2], Allocation::Layer(0, Target::ALL));
        let demands = lesson(Some(0), Some(0));
        let up = |allocator: &mut Allocator, at: u64, kbps| {
            allocator.choose(start + Duration::from_millis(at), budget(kbps), &demands)[2]
                == Allocation::Layer(1, Target::ALL)
        };
        assert!(!up(&mut allocator, 100, 2_000) && !up(&mut allocator, 2_000, 2_000));
        assert!(!up(&mut allocator, 2_500, 1_200), "the room has gone meanwhile");
        assert!(!up(&mut allocator, 3_000, 2_000) && up(&mut allocator, 5_500, 2_000));
    }

    #[test]
    fn what_takes_the_place_of_another_layer_comes_at_once() {
        let mut allocator = Allocator::default();
        let mut demands = lesson(Some(0), Some(1));
        demands[2].keep_smallest();
        assert_eq!(allocator.choose(Instant::now(), budget(2_000), &demands)[2], Allocation::Layer(0, Target::ALL));
    }

    #[test]
    fn half_the_pictures_come_before_none() {
        let mut demands = lesson(Some(0), None);
        let [half, whole] = [Target::new(0, 0), Target::ALL];
        demands[2].rungs = [(0, half, 80), (0, whole, 150), (1, half, 500), (1, whole, 900)]
            .map(|(layer, target, kbps)| Rung { layer, target, size: 0, bps: kbps * 1_000 })
            .into_iter()
            .collect();
        for (kbps, expected) in [
            (300, Allocation::Paused),
            (360, Allocation::Layer(0, half)),
            (440, Allocation::Layer(0, whole)),
            (850, Allocation::Layer(1, half)),
            (1_400, Allocation::Layer(1, whole)),
        ] {
            let mut allocator = Allocator::default();
            let start = Instant::now();
            allocator.choose(start, budget(kbps), &demands);
            let settled = allocator.choose(start + HOLD_MAX, budget(kbps), &demands);
            assert_eq!(settled[2], expected, "{kbps} kbit/s");
        }
        demands[2].keep_smallest();
        assert_eq!(demands[2].rungs.iter().map(|rung| rung.layer).collect::<Vec<_>>(), [0, 0]);
    }

    #[test]
    fn an_estimate_that_never_met_congestion_takes_nothing_away() {
        let guess = Budget { bound: false, ..budget(300) };
        let allocations = Allocator::default().choose(Instant::now(), guess, &lesson(Some(0), Some(1)));
        assert_eq!(allocations[1..], [Allocation::Layer(0, Target::ALL), Allocation::Layer(1, Target::ALL)]);
        let joiner = Allocator::default().choose(Instant::now(), guess, &lesson(None, None));
        assert_eq!(
            joiner[1..],
            [Allocation::Layer(0, Target::ALL), Allocation::Layer(0, Target::ALL)],
            "the lowest layer of each"
        );
        let silent = Budget { voice_only: true, ..budget(3_000) };
        let allocations = Allocator::default().choose(Instant::now(), silent, &lesson(Some(0), Some(1)));
        assert_eq!(allocations[..], [Allocation::Layer(0, Target::ALL), Allocation::Paused, Allocation::Paused]);
    }
}
