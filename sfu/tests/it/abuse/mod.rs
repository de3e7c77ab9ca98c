//! What hostile clients try on the media plane (the first 32 abuse cases of the threat list), each beside a control
//! lesson on the same worker that loses nothing, in virtual time. Reasons of dropped packets are what is counted.

mod before_keys;
mod beside;
mod browser;
mod classroom;
mod refused;
mod teacher;
