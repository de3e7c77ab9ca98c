//! Accounts: sign-in rules, sessions and permissions.

pub mod password;
pub mod permission;
pub mod session;
pub mod system_scope;
pub mod totp;
