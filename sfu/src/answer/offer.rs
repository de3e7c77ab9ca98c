//! The offer, taken apart and bounded.
