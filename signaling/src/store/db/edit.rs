//! Edits of rows that count their versions.

/// Something with the number of its edits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// What is kept.
    pub value: T,
    /// Counts edits, from 1: the entity tag.
    pub version: i64,
}

/// How an edit ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edited<T> {
    /// It is now so.
    Done(T),
    /// There is no such thing in scope.
    Gone,
    /// Somebody else has edited it since.
    OtherVersion,
}

impl<T> Edited<T> {
    /// The same ending, of something else.
    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> Edited<U> {
        match self {
            Self::Done(thing) => Edited::Done(of(thing)),
            Self::Gone => Edited::Gone,
            Self::OtherVersion => Edited::OtherVersion,
        }
    }
}
