//! The command line of the binary.

mod console;
mod keeping;
