//! A recording as others read it: HLS playlists, and one MP4 file that is never written.

mod layout;
mod moov;
pub mod mp4;
pub mod playlist;
pub mod selection;
