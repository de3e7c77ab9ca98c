//! The few places where the hub itself asks its store, for nobody in particular. There are no others: a [`Reason`]
//! can only be made here, and without one there is no unbounded [`Scope`].

use crate::domain::permission::Scope;

/// Proof that one of the functions below was asked.
pub struct Reason(());

/// The bell opens, starts and ends lessons of every school.
#[must_use]
pub fn bell() -> Scope {
    Scope::everything(Reason(()))
}

/// A signed token named the lesson: its bearer may know of it, whoever they are.
#[must_use]
pub fn bearer_of_a_token() -> Scope {
    Scope::everything(Reason(()))
}

/// A recording was published to the asker's place, or shown to whoever has its link: they may know of its lesson.
#[must_use]
pub fn published() -> Scope {
    Scope::everything(Reason(()))
}

/// The sample county is made, and looked up again, before anybody can have signed in.
#[must_use]
pub fn sample() -> Scope {
    Scope::everything(Reason(()))
}

/// The first start makes the top of the tree and its three administrators: there is nobody yet who could be asked.
#[must_use]
pub fn first_start() -> Scope {
    Scope::everything(Reason(()))
}

/// The storekeeper counts and retires recordings of every school.
#[must_use]
pub fn storekeeper() -> Scope {
    Scope::everything(Reason(()))
}

/// A command at the hub's own console. Whoever gives it can read the database file as well.
#[must_use]
pub fn console() -> Scope {
    Scope::everything(Reason(()))
}
