//! Recordings over HTTP: who sees them, what is written about them.

mod library;
mod reviews;
mod rights;
