//! How long somebody stays signed in.

use std::time::Duration;

use crate::{
    base::{time::UnixMs, words::words},
    organisation::Grant,
};

words!(
    /// What a session is good for.
    #[schema(as = SessionStage)]
    Stage {
        /// Everything that its person may.
        Full = "full",
        /// Nothing but setting a password and a second factor: one of them is missing or has expired.
        SetUp = "set_up",
    }
);

/// A person's session ends after a school day, whatever happens in it.
pub const PERSON_SESSION: Duration = Duration::from_secs(12 * 3600);

/// Setting up is done at once or begun anew.
pub const SET_UP_SESSION: Duration = Duration::from_secs(30 * 60);

/// A classroom's device stays signed in for a term, and signs itself in again.
pub const DEVICE_SESSION: Duration = Duration::from_secs(180 * 24 * 3600);

/// Administrators and those who look into classes leave their desks too.
const IDLE_ADMINISTRATOR: Duration = Duration::from_secs(15 * 60);

/// Everybody else. A lesson's socket keeps its teacher awake.
const IDLE_OTHERS: Duration = Duration::from_secs(30 * 60);

/// A session is noted as used at most this often: a page that asks every second is no writer.
pub const SEEN_EVERY: Duration = Duration::from_secs(60);

/// How long a session of somebody with these roles may lie unused. The strictest role decides.
#[must_use]
pub fn idle_limit<'a>(grants: impl IntoIterator<Item = &'a Grant>) -> Duration {
    let strict = grants.into_iter().any(|grant| grant.role.needs_second_factor());
    if strict { IDLE_ADMINISTRATOR } else { IDLE_OTHERS }
}

/// Whether a session that was last used at `seen` has lain unused for too long.
#[must_use]
pub fn has_idled(seen: UnixMs, limit: Duration, now: UnixMs) -> bool {
    now >= seen.plus(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::id::OrganisationId, organisation::Role};

    #[test]
    fn the_strictest_role_decides_when_an_unused_session_ends() {
        let grant = |role| Grant {
            role,
            organisation_id: OrganisationId::fresh(),
            path: "/".into(),
            from: UnixMs(0),
            until: None,
        };
        let minutes = |roles: &[Role]| {
            let grants: Vec<_> = roles.iter().map(|role| grant(*role)).collect();
            idle_limit(&grants).as_secs() / 60
        };
        assert_eq!(minutes(&[]), 30);
        assert_eq!(minutes(&[Role::LeadTeacher]), 30);
        assert_eq!(minutes(&[Role::LeadTeacher, Role::SchoolAdministrator]), 15);
        assert_eq!(minutes(&[Role::Patrol]), 15);
        let seen = UnixMs(1_000);
        assert!(!has_idled(seen, Duration::from_secs(1), UnixMs(1_999)));
        assert!(has_idled(seen, Duration::from_secs(1), UnixMs(2_000)));
        assert!(!has_idled(seen, Duration::from_secs(1), UnixMs(0)), "a clock that jumps back signs nobody out");
    }
}
