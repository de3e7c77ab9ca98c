//! What every rule stands on: ids, time, names, words.

pub mod formula;
pub mod id;
pub mod name;
pub mod time;
pub mod words;
pub mod zone;
