//! Organisations and their tables over HTTP.

mod imports;
