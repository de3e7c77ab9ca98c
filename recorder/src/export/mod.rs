//! Views of a recording for players: HLS playlists, and one MP4 file that is assembled while it is read.

mod layout;
mod moov;
pub mod mp4;
pub mod playlist;
pub mod selection;
