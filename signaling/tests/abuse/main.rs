//! What is done to the front door on purpose, one test a case, named by what happens.

#[path = "../program/mod.rs"]
mod program;
#[path = "../school/mod.rs"]
mod school;

mod accounts;
mod bureau;
mod connections;
mod doors;
mod recordings;
mod requests;
mod sockets;
mod tokens;
