//! What is done to the front door on purpose, one test a case, named by what happens.

mod accounts;
mod bureau;
mod connections;
mod doors;
mod recordings;
mod requests;
mod sockets;
mod tokens;
