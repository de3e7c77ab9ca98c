//! The session URLs of WHIP and WHEP: each is unguessable, and lives as long as its peer.

use std::sync::Arc;

use dashmap::DashMap;
use sfu::{Answered, PeerId};

use school::base::id::LessonId;

/// The session URLs in use. Bounded by the hub's limit on peers.
#[derive(Debug, Default)]
pub struct Resources {
    by_name: DashMap<String, Resource>,
    by_peer: DashMap<PeerId, String>,
}

/// The target of a session URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its lesson.
    pub lesson_id: LessonId,
    /// Its peer.
    pub peer: PeerId,
    /// The hub's ICE user fragment, from which RFC 9725 §4.3.1 makes the entity tag.
    pub ice_ufrag: Arc<str>,
}

impl Resources {
    /// Registers the URL of a new peer. `name` is the URL's unguessable part.
    pub fn insert(&self, name: String, lesson_id: LessonId, answered: &Answered) {
        let resource = Resource { lesson_id, peer: answered.peer, ice_ufrag: answered.ice_ufrag.as_str().into() };
        self.by_peer.insert(answered.peer, name.clone());
        self.by_name.insert(name, resource);
    }

    /// The target of a URL. `None`: unknown or expired.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Resource> {
        self.by_name.get(name).map(|resource| resource.clone())
    }

    /// ICE was restarted: the entity tag changes.
    pub fn restarted(&self, name: &str, ice_ufrag: &str) {
        if let Some(mut resource) = self.by_name.get_mut(name) {
            resource.ice_ufrag = ice_ufrag.into();
        }
    }

    /// The client has deleted its session: removes the URL.
    pub fn take(&self, name: &str) -> Option<Resource> {
        let (_, resource) = self.by_name.remove(name)?;
        self.by_peer.remove(&resource.peer);
        Some(resource)
    }

    /// The peer has gone: removes its URL.
    pub fn forget(&self, peer: PeerId) {
        if let Some((_, name)) = self.by_peer.remove(&peer) {
            self.by_name.remove(&name);
        }
    }

    /// The lesson has ended: removes its URLs.
    pub fn forget_lesson(&self, lesson_id: LessonId) {
        self.by_name.retain(|_, resource| resource.lesson_id != lesson_id);
        self.by_peer.retain(|_, name| self.by_name.contains_key(name));
    }
}
