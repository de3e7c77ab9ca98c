//! One track's timeline each: what arrives is laid end to end on lesson time, and becomes
//! [`Action`](action::Action)s.

pub mod action;
pub mod mix;
pub mod page_turns;
pub mod picture;
pub mod segment;
pub mod selection;
pub mod sound_meter;
pub mod voice;
