//! The setup secret of the first start.

use std::sync::Mutex;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use school::base::time::UnixMs;
use tokio::time::Duration;

use crate::{
    clock::Clock,
    secret::{sha256_hex, unguessable},
    store::{Store, StoreError},
};

/// Validity of the secret after a start. The next start makes a new one.
const SECRET_VALID: Duration = Duration::from_secs(15 * 60);

/// The setup secret.
#[derive(Debug, Default)]
pub struct FirstStart {
    secret: Mutex<Option<(String, UnixMs)>>,
}

impl FirstStart {
    /// Makes the secret that is printed on the console. `None`: the hub has its administrators already.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn begin(&self, store: &Store, clock: &Clock) -> Result<Option<String>, StoreError> {
        if !store.is_empty().await? {
            return Ok(None);
        }
        let (secret, until) = (unguessable(), clock.lasting().wall.plus(SECRET_VALID));
        *self.lock() = Some((sha256_hex(&secret), until));
        Ok(Some(secret))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(String, UnixMs)>> {
        self.secret.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Uses up the secret.
    pub(crate) fn forget(&self) {
        *self.lock() = None;
    }

    /// Whether this is the secret, unused and unexpired.
    #[must_use]
    pub fn is(&self, secret: &str, now: UnixMs) -> bool {
        self.lock().as_ref().is_some_and(|(expected, until)| {
            now < *until && verify_slices_are_equal(sha256_hex(secret).as_bytes(), expected.as_bytes()).is_ok()
        })
    }
}
