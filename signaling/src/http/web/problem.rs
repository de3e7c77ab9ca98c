//! Problem responses (RFC 9457): defined by each feature, translated by the client.
//!
//! A feature lists its problems in an enum, such as `LessonProblem` in `http/lesson/problem.rs`: the variant is the
//! `type`, its fields are the typed parameters, its `Display` is the English sentence for logs and programs. The web
//! client builds the text for people from `type` and parameters, in its own language.

mod answer;
pub mod common;

pub use self::answer::{ApiError, Problem, ProblemBody, Problems};
pub(crate) use self::common::invalid;
