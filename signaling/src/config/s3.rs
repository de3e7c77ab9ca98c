//! Where recordings are copied to.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

/// A bucket for the recordings.
#[derive(Clone, Debug)]
pub struct S3 {
    /// `https://HOST`
    pub endpoint: String,
    /// Its name.
    pub bucket: String,
    /// As the store calls it.
    pub region: String,
    /// Who asks.
    pub access_key: String,
    /// By which they are known.
    pub secret_key: SecretString,
    /// What copying may take of the line.
    pub bytes_per_second: u64,
    /// How long media stays here once the bucket has confirmed it. `None`: until the disk runs short.
    pub local: Option<Duration>,
}

impl PartialEq for S3 {
    /// The secret is compared as well.
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
