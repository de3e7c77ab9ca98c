//! Where a lesson is taught: at a server that runs elsewhere, or at a hub in this process.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use sfu::{Hub, PeerId, RoomId, TrackKind};

use crate::client::http::{self, Session};

/// The lesson that a server's `--sample` made: where to publish and receive, and with which tokens.
#[derive(Debug, Clone, Deserialize)]
pub struct Sample {
    /// Where the teacher posts.
    pub whip_url: String,
    /// Where receivers post.
    pub whep_url: String,
    /// The teacher's.
    pub publish_token: String,
    /// A guest's: mints a seat with each use.
    pub viewer_token: String,
}

impl Sample {
    /// # Errors
    /// The file cannot be read or lacks a field.
    #[expect(clippy::disallowed_methods, reason = "I/O: it reads what the server wrote")]
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no sample", path.display()))
    }
}

/// One lesson. Cheap to clone.
#[derive(Clone)]
pub enum Lesson {
    /// At a server.
    Served(Arc<Sample>),
    /// At a hub of ours.
    Hosted(Hub, RoomId),
}

impl Lesson {
    /// Brings a teacher's offer there.
    ///
    /// # Errors
    /// It is refused.
    pub fn publish(&self, picture: TrackKind, offer: &str) -> Result<Session> {
        match self {
            Self::Served(sample) => {
                let url = match picture {
                    TrackKind::Camera => sample.whip_url.clone(),
                    other => with_query(&sample.whip_url, "track", other.as_str()),
                };
                http::post_offer(&url, &sample.publish_token, offer)
            }
            Self::Hosted(hub, room) => {
                let answered = hub.publish(*room, picture, offer)?;
                Ok(Session { sdp: answered.sdp, location: answered.peer.0.to_string() })
            }
        }
    }

    /// Brings a classroom's offer there.
    ///
    /// # Errors
    /// It is refused.
    pub fn play(&self, slots: &[TrackKind], offer: &str) -> Result<Session> {
        match self {
            Self::Served(sample) => http::post_offer(&slots_url(&sample.whep_url, slots), &sample.viewer_token, offer),
            Self::Hosted(hub, room) => {
                let answered = hub.play(*room, Some(slots), offer)?;
                Ok(Session { sdp: answered.sdp, location: answered.peer.0.to_string() })
            }
        }
    }

    /// Ends a session by its location.
    ///
    /// # Errors
    /// The server cannot be reached, or knows nothing of it.
    pub fn leave(&self, location: &str) -> Result<()> {
        match self {
            Self::Served(_) => http::delete(location),
            Self::Hosted(hub, _) => {
                hub.close_peer(PeerId(location.parse()?));
                Ok(())
            }
        }
    }
}

/// A plain client's voice and camera need no word; other slots are named.
fn slots_url(whep_url: &str, slots: &[TrackKind]) -> String {
    if slots == [TrackKind::Voice, TrackKind::Camera] {
        return whep_url.to_owned();
    }
    let names: Vec<&str> = slots.iter().map(|slot| slot.as_str()).collect();
    with_query(whep_url, "slots", &names.join(","))
}

fn with_query(url: &str, name: &str, value: &str) -> String {
    format!("{url}{}{name}={value}", if url.contains('?') { '&' } else { '?' })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_named_where_they_are_not_the_plain_ones() {
        use TrackKind::{Board, Camera, Voice};
        assert_eq!(slots_url("http://h/whep/1", &[Voice, Camera]), "http://h/whep/1");
        assert_eq!(slots_url("http://h/whep/1", &[Voice, Board]), "http://h/whep/1?slots=voice,board");
    }
}
