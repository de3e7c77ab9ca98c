//! Sign-in, sessions, accounts and permissions over HTTP.

mod accounts_kept;
mod permission;
mod sign_in;
