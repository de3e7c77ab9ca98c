//! HTTP resources: one module per feature, named as in `store` and the rules; `web` holds what they share.

pub mod account;
pub mod audit;
pub mod dispatch;
pub mod lesson;
pub mod library;
pub mod organisation;
pub mod report;
pub mod retention;
pub mod timetable;
pub mod web;
