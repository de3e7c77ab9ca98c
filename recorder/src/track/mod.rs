//! One track's timeline each: what arrives is laid end to end on lesson time, and becomes
//! [`Action`](action::Action)s.

pub mod action;
pub mod chapter;
pub mod mix;
pub mod picture;
pub mod segment;
pub mod selection;
pub mod sound;
pub mod voice;
