//! How often one network address may try.

use std::{net::IpAddr, time::Duration};

use dashmap::DashMap;
use school::base::time::Now;

use crate::rate_limit::RateLimit;

/// Too many attempts from this address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts")]
pub struct TooManyAttempts {
    /// When to try again.
    pub retry_after: Duration,
}

/// Attempts within the last minute, by network address.
///
/// Of sign-ins only failures count: at the bell a whole school signs in from one address.
#[derive(Debug)]
pub struct Attempts {
    per_minute: u32,
    by_address: DashMap<IpAddr, RateLimit>,
}

/// Wrong links, passwords and signatures from one address.
pub const FAILURES_PER_MINUTE: u32 = 10;

/// A school of fifty classrooms enrols in one go, from one address.
pub const ENROLMENTS_PER_MINUTE: u32 = 100;

const MINUTE: Duration = Duration::from_secs(60);

/// Addresses remembered at once. Beyond it the old ones are forgotten early, which costs a guesser's minute at most.
const ADDRESSES_MAX: usize = 10_000;

impl Attempts {
    /// So many a minute.
    #[must_use]
    pub fn of(per_minute: u32) -> Self {
        Self { per_minute, by_address: DashMap::new() }
    }

    /// Whether one more may be made.
    ///
    /// # Errors
    /// [`TooManyAttempts`].
    pub fn check(&self, address: IpAddr, now: Now) -> Result<(), TooManyAttempts> {
        let limit = self.by_address.get(&address).map(|entry| *entry);
        limit
            .map_or(Ok(()), |limit| limit.check(now.steady, self.per_minute, MINUTE))
            .map_err(|retry_after| TooManyAttempts { retry_after })
    }

    /// Counts one.
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
