//! From a publisher: whose packet it is, what is missing, and what the publisher is sent back.

pub mod feedback;
pub mod keyframe;
pub mod layering;
pub mod publish;
