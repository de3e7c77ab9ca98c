//! Recordings over HTTP: who sees them, what is written about them.

mod catalogue;
mod reviews;
mod rights;
