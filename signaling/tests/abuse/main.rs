//! What is done to the front door on purpose, one test a case, named by what happens.

#[path = "../school/mod.rs"]
mod school;

mod accounts;
mod bureau;
mod doors;
mod recordings;
mod requests;
mod sockets;
mod tokens;
