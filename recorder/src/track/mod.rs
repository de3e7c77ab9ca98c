//! The timeline of one track each: media is laid out on lesson time without holes, and becomes
//! [`Action`](action::Action)s.

pub mod action;
pub mod mix;
pub mod page_turns;
pub mod picture;
pub mod segment;
pub mod selection;
pub mod sound_meter;
pub mod voice;
