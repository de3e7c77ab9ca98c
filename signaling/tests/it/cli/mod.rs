//! The command line of the binary.

mod keeping;
mod recordings;
