//! Problems on the wire (RFC 9457): made by the feature that refuses, worded by the client.
//!
//! A feature lists what it refuses in an enum of its own, as `LessonProblem` in `http/lesson/problem.rs`: the variant
//! is the `type`, its fields are the typed parameters beside it, its `Display` is the English sentence for logs and
//! programs. What people read is made of `type` and parameters by the page, in its language.

mod answer;
pub mod common;

pub use self::answer::{ApiError, Problem, ProblemBody, Problems};
pub(crate) use self::common::invalid;
