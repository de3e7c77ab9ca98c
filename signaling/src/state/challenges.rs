//! Challenges that devices have to sign.

use std::time::{Duration, Instant};

use dashmap::DashMap;
use school::base::{id::DeviceId, time::Now};

use crate::secret::unguessable;

/// Challenges that were issued and not signed yet. Each is valid for one answer.
#[derive(Debug, Default)]
pub struct Challenges {
    open: DashMap<String, (DeviceId, Instant)>,
}

/// Open challenges: every device of a county after a power cut.
const CHALLENGES_MAX: usize = 20_000;

/// Validity of a challenge.
const CHALLENGE_VALID: Duration = Duration::from_secs(60);

impl Challenges {
    /// Issues a challenge to this device, valid for one answer within a minute.
    #[must_use]
    pub fn give(&self, device_id: DeviceId, now: Now) -> String {
        if self.open.len() >= CHALLENGES_MAX {
            self.open.retain(|_, (_, given)| now.steady.saturating_duration_since(*given) < CHALLENGE_VALID);
        }
        if self.open.len() >= CHALLENGES_MAX {
            self.open.clear(); // Under a flood all are dropped: devices request new ones.
        }
        let challenge = unguessable();
        self.open.insert(challenge.clone(), (device_id, now.steady));
        challenge
    }

    /// Whether this challenge was issued to this device, is valid and is unused. Uses it up.
    #[must_use]
    pub fn take(&self, challenge: &str, device_id: DeviceId, now: Now) -> bool {
        let taken = self.open.remove(challenge);
        taken.is_some_and(|(_, (given_to, given))| {
            given_to == device_id && now.steady.saturating_duration_since(given) < CHALLENGE_VALID
        })
    }
}
