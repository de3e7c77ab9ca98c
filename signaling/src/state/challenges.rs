//! What devices were asked to sign.

use std::time::{Duration, Instant};

use dashmap::DashMap;
use school::base::{id::DeviceId, time::Now};

use crate::secret::unguessable;

/// What devices were asked to sign and have not signed yet. Each is good for one answer.
#[derive(Debug, Default)]
pub struct Challenges {
    open: DashMap<String, (DeviceId, Instant)>,
}

/// Challenges open at once: every device of a county after a power cut.
const CHALLENGES_MAX: usize = 20_000;

/// Signing takes a moment.
const CHALLENGE_VALID: Duration = Duration::from_secs(60);

impl Challenges {
    /// A challenge for this device, good for one answer within a minute.
    #[must_use]
    pub fn give(&self, device_id: DeviceId, now: Now) -> String {
        if self.open.len() >= CHALLENGES_MAX {
            self.open.retain(|_, (_, given)| now.steady.saturating_duration_since(*given) < CHALLENGE_VALID);
        }
        if self.open.len() >= CHALLENGES_MAX {
            self.open.clear(); // A flood: devices ask again.
        }
        let challenge = unguessable();
        self.open.insert(challenge.clone(), (device_id, now.steady));
        challenge
    }

    /// Whether this was given to this device, just now, and not used yet. It is used up.
    #[must_use]
    pub fn take(&self, challenge: &str, device_id: DeviceId, now: Now) -> bool {
        let taken = self.open.remove(challenge);
        taken.is_some_and(|(_, (given_to, given))| {
            given_to == device_id && now.steady.saturating_duration_since(given) < CHALLENGE_VALID
        })
    }
}
