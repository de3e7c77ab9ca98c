//! Edits of versioned rows.

/// A value with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// Number of edits, from 1: the entity tag.
    pub version: i64,
}

/// Result of an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edited<T> {
    /// Edited; the new value.
    Done(T),
    /// Not found in scope.
    Gone,
    /// Edited concurrently: the version differs.
    OtherVersion,
}

impl<T> Edited<T> {
    /// Maps the value of `Done`.
    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> Edited<U> {
        match self {
            Self::Done(thing) => Edited::Done(of(thing)),
            Self::Gone => Edited::Gone,
            Self::OtherVersion => Edited::OtherVersion,
        }
    }
}
