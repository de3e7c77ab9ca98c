//! What waits to be sent: one arena of bytes, cut into runs that one system call each can send (UDP GSO).

use std::{net::SocketAddr, ops::Range};

/// Datagrams in the order in which they were written.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Grows and never shrinks: what is written over needs no zeros first.
    arena: Vec<u8>,
    used: usize,
    scratch: Vec<u8>,
    runs: Vec<SendRun>,
    /// The next datagram begins a run of its own.
    sealed: bool,
}

/// Datagrams to one address: all of `segment` bytes, the last one perhaps shorter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendRun {
    /// Where to.
    pub to: SocketAddr,
    /// Where the bytes stand in [`Outbox::bytes`].
    pub bytes: Range<usize>,
    /// Size of each datagram but the last.
    pub segment: usize,
}

impl SendRun {
    /// How many datagrams it is.
    #[must_use]
    pub fn datagrams(&self) -> usize {
        self.bytes.len().div_ceil(self.segment.max(1))
    }
}

impl Outbox {
    /// Appends a datagram that `write` puts into an empty buffer. Nothing is kept where it returns false.
    ///
    /// It joins the run before it where address and size allow. Returns its size.
    pub fn datagram(&mut self, to: SocketAddr, write: impl FnOnce(&mut Vec<u8>) -> bool) -> usize {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let size = match write(&mut scratch) {
            true => self.sized(to, scratch.len(), |room| {
                room.copy_from_slice(&scratch);
                true
            }),
            false => 0,
        };
        self.scratch = scratch;
        size
    }

    /// As [`Self::datagram`], of `size` bytes that `write` fills to the last, whatever stood there before.
    pub fn sized(&mut self, to: SocketAddr, size: usize, write: impl FnOnce(&mut [u8]) -> bool) -> usize {
        let start = self.used;
        let end = start + size;
        if end > self.arena.len() {
            self.arena.resize(end.next_multiple_of(ARENA_STEP_BYTES), 0);
        }
        if !write(&mut self.arena[start..end]) {
            return 0;
        }
        self.used = end;
        if let Some(run) = self.runs.last_mut()
            && !self.sealed
            && run.to == to
            && run.bytes.len() % run.segment == 0
            && size <= run.segment
            && run.datagrams() < DATAGRAMS_PER_RUN_MAX
            && run.bytes.len() + size <= RUN_BYTES_MAX
        {
            run.bytes.end = end;
        } else {
            self.runs.push(SendRun { to, bytes: start..end, segment: size });
        }
        self.sealed = false;
        size
    }

    /// What follows is not joined to what was written: voice travels alone.
    pub fn seal_run(&mut self) {
        self.sealed = true;
    }

    /// The runs, oldest first.
    #[must_use]
    pub fn runs(&self) -> &[SendRun] {
        &self.runs
    }

    /// The bytes that runs point into.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.arena[..self.used]
    }

    /// Bytes waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used
    }

    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Forgets everything, keeping the memory.
    pub fn clear(&mut self) {
        self.used = 0;
        self.runs.clear();
        self.sealed = false;
    }
}

/// One part of a flush.
const ARENA_STEP_BYTES: usize = 64 * 1024;

/// The kernel takes 64; longer runs gain nothing and burst more.
const DATAGRAMS_PER_RUN_MAX: usize = 32;

/// UDP's own limit for what one GSO send may carry.
const RUN_BYTES_MAX: usize = 65_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sizes_share_a_run_and_a_shorter_one_ends_it() {
        let (one, two): (SocketAddr, SocketAddr) = ("192.0.2.1:1".parse().unwrap(), "192.0.2.2:1".parse().unwrap());
        let mut outbox = Outbox::default();
        for (to, size) in [(one, 100), (one, 100), (one, 60), (one, 60), (two, 60), (two, 61)] {
            outbox.datagram(to, |arena| {
                arena.resize(arena.len() + size, 0);
                true
            });
        }
        outbox.seal_run();
        outbox.datagram(two, |arena| {
            arena.push(0);
            true
        });
        outbox.datagram(two, |_| false);
        let runs: Vec<_> = outbox.runs().iter().map(|run| (run.bytes.len(), run.datagrams())).collect();
        assert_eq!(runs, [(260, 3), (60, 1), (60, 1), (61, 1), (1, 1)]);
    }
}
