//! Types that all rules share: ids, time, names, word enums.

pub mod formula;
pub mod id;
pub mod name;
pub mod time;
pub mod words;
pub mod zone;
