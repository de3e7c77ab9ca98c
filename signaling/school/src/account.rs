//! Who may sign in, and what a role may do where.

pub mod password;
pub mod permission;
pub mod session;
pub mod system_scope;
pub mod totp;
