//! Which payload types of an offer we take, and in which order.
