//! Lifetime and idle timeout of sessions.

use std::time::Duration;

use crate::{
    base::{time::UnixMs, words::words},
    organisation::Grant,
};

words!(
    /// What a session may be used for.
    #[schema(as = SessionStage)]
    Stage {
        /// Every permission of its person.
        Full = "full",
        /// Only setting a password and a second factor: one of them is missing or has expired.
        SetUp = "set_up",
    }
);

/// A person's session ends after this time, in use or not: a school day.
pub const PERSON_SESSION: Duration = Duration::from_secs(12 * 3600);

/// Lifetime of a set-up session; after it, set-up starts again.
pub const SET_UP_SESSION: Duration = Duration::from_secs(30 * 60);

/// Lifetime of a classroom device's session: a term. The device signs in again by itself.
pub const DEVICE_SESSION: Duration = Duration::from_secs(180 * 24 * 3600);

/// Idle timeout of administrators and observers of lessons.
const IDLE_ADMINISTRATOR: Duration = Duration::from_secs(15 * 60);

/// Idle timeout of all others. An open lesson socket counts as use.
const IDLE_OTHERS: Duration = Duration::from_secs(30 * 60);

/// Shortest interval between updates of a session's last use, so that polling pages do not write each time.
pub const SEEN_EVERY: Duration = Duration::from_secs(60);

/// Idle timeout of a session with these roles. The strictest role decides.
#[must_use]
pub fn idle_limit<'a>(grants: impl IntoIterator<Item = &'a Grant>) -> Duration {
    let strict = grants.into_iter().any(|grant| grant.role.needs_second_factor());
    if strict { IDLE_ADMINISTRATOR } else { IDLE_OTHERS }
}

/// Whether a session last used at `seen` has exceeded its idle timeout.
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
