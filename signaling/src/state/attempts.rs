//! Limit of attempts per network address.

use std::{net::IpAddr, time::Duration};

use dashmap::DashMap;
use school::base::time::Now;

use crate::rate_limit::RateLimit;

/// Too many attempts from this address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts")]
pub struct TooManyAttempts {
    /// Time until the next attempt.
    pub retry_after: Duration,
}

/// Attempts within the last minute, by network address.
///
/// For sign-ins only failures count: at the bell a whole school signs in from one address.
#[derive(Debug)]
pub struct Attempts {
    per_minute: u32,
    by_address: DashMap<IpAddr, RateLimit>,
}

/// Invalid links, passwords and signatures per minute from one address.
pub const FAILURES_PER_MINUTE: u32 = 10;

/// Enrolments per minute from one address: a school of fifty classrooms enrols at once.
pub const ENROLMENTS_PER_MINUTE: u32 = 100;

const MINUTE: Duration = Duration::from_secs(60);

/// Addresses tracked. Beyond it old ones are dropped early, which resets a guesser's minute at most.
const ADDRESSES_MAX: usize = 10_000;

impl Attempts {
    /// A limit of `per_minute` attempts.
    #[must_use]
    pub fn of(per_minute: u32) -> Self {
        Self { per_minute, by_address: DashMap::new() }
    }

    /// Checks whether another attempt is allowed.
    ///
    /// # Errors
    /// [`TooManyAttempts`] if the limit is reached.
    pub fn check(&self, address: IpAddr, now: Now) -> Result<(), TooManyAttempts> {
        let limit = self.by_address.get(&address).map(|entry| *entry);
        limit
            .map_or(Ok(()), |limit| limit.check(now.steady, self.per_minute, MINUTE))
            .map_err(|retry_after| TooManyAttempts { retry_after })
    }

    /// Counts an attempt.
    pub fn failed(&self, address: IpAddr, now: Now) {
        if self.by_address.len() >= ADDRESSES_MAX {
            self.by_address.retain(|_, limit| !limit.is_over(now.steady, MINUTE));
        }
        if self.by_address.len() >= ADDRESSES_MAX {
            self.by_address.clear();
        }
        self.by_address.entry(address).or_insert_with(|| RateLimit::new(now.steady)).count(now.steady, MINUTE);
    }
}
