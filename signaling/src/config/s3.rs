//! Configuration of the bucket for copies of recordings.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

/// A bucket for the recordings.
#[derive(Clone, Debug)]
pub struct S3 {
    /// `https://HOST`
    pub endpoint: String,
    /// Its name.
    pub bucket: String,
    /// Its region, as its provider names it.
    pub region: String,
    /// Access key ID.
    pub access_key: String,
    /// Secret key.
    pub secret_key: SecretString,
    /// Bandwidth limit of copying, in bytes per second.
    pub bytes_per_second: u64,
    /// How long media stays on disk after the bucket has confirmed it. `None`: until the disk runs short.
    pub local: Option<Duration>,
}

impl PartialEq for S3 {
    /// Compares the secret too.
    fn eq(&self, other: &Self) -> bool {
        let all = |s3: &Self| {
            let secret = s3.secret_key.expose_secret().to_owned();
            (
                s3.endpoint.clone(),
                s3.bucket.clone(),
                s3.region.clone(),
                s3.access_key.clone(),
                secret,
                s3.bytes_per_second,
            )
        };
        all(self) == all(other) && self.local == other.local
    }
}

impl Eq for S3 {}
