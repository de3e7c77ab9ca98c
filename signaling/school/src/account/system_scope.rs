//! Unbounded scopes, for the hub's own queries. Each reason is a function here; there are no others, because
//! `Scope::everything` is visible in this folder only.

use crate::account::permission::Scope;

/// The bell opens, starts and ends lessons of every school.
#[must_use]
pub fn bell() -> Scope {
    Scope::everything()
}

/// A signed token names the lesson: its bearer may read the lesson, whatever their role.
#[must_use]
pub fn bearer_of_a_token() -> Scope {
    Scope::everything()
}

/// A recording is published to the caller's place, or shared by link: its readers may read its lesson.
#[must_use]
pub fn published() -> Scope {
    Scope::everything()
}

/// The sample county is created, and looked up again, before anyone has signed in.
#[must_use]
pub fn sample() -> Scope {
    Scope::everything()
}

/// The first start creates the root of the tree and its three administrators: no caller exists yet.
#[must_use]
pub fn first_start() -> Scope {
    Scope::everything()
}

/// Retention counts and deletes recordings of every school.
#[must_use]
pub fn retention() -> Scope {
    Scope::everything()
}

/// A command on the hub's own command line. Its user can read the database file as well.
#[must_use]
pub fn console() -> Scope {
    Scope::everything()
}
