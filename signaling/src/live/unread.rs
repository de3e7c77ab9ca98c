//! The queue of unread messages of one page, bounded in messages and bytes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::mpsc;

/// Seats change at most twice a second, so a page with this many unread has not read for two minutes.
pub const MESSAGES_MAX: usize = 256;

/// The seats of a hundred classrooms are some 20 KiB, sent twice a second: half a minute of that.
pub const BYTES_MAX: usize = 1 << 20;

/// An item for a socket to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// One message, shared by all its receivers.
    Text(Arc<str>),
    /// The last message; the socket closes after it.
    Last(Arc<str>),
}

/// The queue is full: the page does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Sending end of a page's queue. Dropping it ends the page's socket after the queued messages.
pub struct MessageQueue {
    queue: mpsc::Sender<Outgoing>,
    bytes: Arc<AtomicUsize>,
}

/// Receiving end.
pub struct Unread {
    queue: mpsc::Receiver<Outgoing>,
    bytes: Arc<AtomicUsize>,
}

/// Both ends of one page's queue.
#[must_use]
pub fn unread() -> (MessageQueue, Unread) {
    let (sender, receiver) = mpsc::channel(MESSAGES_MAX);
    let bytes = Arc::new(AtomicUsize::new(0));
    (MessageQueue { queue: sender, bytes: bytes.clone() }, Unread { queue: receiver, bytes })
}

impl MessageQueue {
    /// Adds one message, without waiting.
    ///
    /// # Errors
    /// [`Full`]: the queue is full or the page has gone.
    pub fn send(&self, said: Outgoing) -> Result<(), Full> {
        let size = said.size();
        // One end only adds, the other only removes: the sum may have shrunk meanwhile, never grown.
        if self.bytes.load(Ordering::Relaxed) + size > BYTES_MAX {
            return Err(Full);
        }
        self.bytes.fetch_add(size, Ordering::Relaxed);
        self.queue.try_send(said).map_err(|_| {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
            Full
        })
    }
}

impl Unread {
    /// The next message. `None`: no more, because the page did not read or was closed.
    pub async fn next(&mut self) -> Option<Outgoing> {
        let said = self.queue.recv().await?;
        self.bytes.fetch_sub(said.size(), Ordering::Relaxed);
        Some(said)
    }
}

impl Outgoing {
    fn size(&self) -> usize {
        let (Self::Text(text) | Self::Last(text)) = self;
        text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(size: usize) -> Outgoing {
        Outgoing::Text("x".repeat(size).into())
    }

    #[tokio::test]
    async fn a_queue_is_full_by_messages_or_by_bytes_and_has_room_again_once_it_is_read() {
        for (size, most) in [(1, MESSAGES_MAX), (BYTES_MAX / 4, 4), (BYTES_MAX / 4 + 1, 3)] {
            let (queue, mut unread) = unread();
            let told = (0..MESSAGES_MAX + 1).take_while(|_| queue.send(text(size)).is_ok()).count();
            assert_eq!(told, most, "{size}");
            assert_eq!(queue.send(Outgoing::Last("x".repeat(size).into())), Err(Full));
            assert_eq!(unread.next().await, Some(text(size)));
            assert_eq!((queue.send(text(size)), queue.send(text(size))), (Ok(()), Err(Full)));
            drop(queue);
            for _ in 0..most {
                assert_eq!(unread.next().await, Some(text(size)), "what was taken is told");
            }
            assert_eq!(unread.next().await, None);
        }
        let (queue, _) = unread();
        assert_eq!(queue.send(text(1)), Err(Full), "the page has gone");
    }
}
