//! Scheduling: plans the lessons of a term, and places or moves single lessons by hand.

pub mod dispatcher;
pub mod planner;
