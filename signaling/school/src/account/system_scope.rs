//! Unbounded scopes, for queries that the hub makes on its own behalf. Each reason is a function here, and there are no
//! others: `Scope::everything` is visible in this folder alone.

use crate::account::permission::Scope;

/// The bell opens, starts and ends lessons of every school.
#[must_use]
pub fn bell() -> Scope {
    Scope::everything()
}

/// A signed token named the lesson: its bearer may know of it, whoever they are.
#[must_use]
pub fn bearer_of_a_token() -> Scope {
    Scope::everything()
}

/// A recording was published to the asker's place, or shown to whoever has its link: they may know of its lesson.
#[must_use]
pub fn published() -> Scope {
    Scope::everything()
}

/// The sample county is made, and looked up again, before anybody can have signed in.
#[must_use]
pub fn sample() -> Scope {
    Scope::everything()
}

/// The first start makes the top of the tree and its three administrators: there is nobody yet who could be asked.
#[must_use]
pub fn first_start() -> Scope {
    Scope::everything()
}

/// Retention counts and deletes recordings of every school.
#[must_use]
pub fn retention() -> Scope {
    Scope::everything()
}

/// A command at the hub's own console. Whoever gives it can read the database file as well.
#[must_use]
pub fn console() -> Scope {
    Scope::everything()
}
