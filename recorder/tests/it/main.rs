//! All integration tests of the recorder: one program, a module per topic.

mod any_input;
mod archive;
mod fixtures;
mod lesson;
mod mirror;
mod power_cut;
mod verify;
mod whole_groups;
