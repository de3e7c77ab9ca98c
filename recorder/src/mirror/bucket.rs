//! A bucket of an S3 object store: objects are created once and never overwritten.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::{
    Attribute, AttributeValue, Attributes, ClientOptions, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, RetryConfig,
    aws::{AmazonS3Builder, Checksum, S3ConditionalPut},
    path::Path,
};

use crate::{id::RecordingId, journal::digest::sha256, mirror::Object};

/// The address and credentials of a bucket.
#[derive(Clone)]
pub struct BucketAddress {
    /// `https://s3.example.org:9000`, without the bucket.
    pub endpoint: String,
    /// Its name.
    pub bucket: String,
    /// The region; most stores other than Amazon accept any.
    pub region: String,
    /// The access key.
    pub access_key_id: String,
    /// The secret key. Never logged.
    pub secret_access_key: String,
}

/// An error of the bucket.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The address is invalid.
    #[error("this is no bucket that can be asked")]
    Address(#[source] object_store::Error),
    /// It failed, or cannot be reached.
    #[error("the bucket did not {doing}")]
    Failed {
        /// What it was asked.
        doing: &'static str,
        /// The error of the client.
        #[source]
        source: object_store::Error,
    },
    /// It timed out.
    #[error("the bucket did not {doing} within {timeout:?}")]
    Stalled {
        /// What it was asked.
        doing: &'static str,
        /// The timeout.
        timeout: Duration,
    },
    /// It holds other bytes under this name, which are left alone.
    #[error("the bucket holds other bytes under {object}")]
    Different {
        /// Which.
        object: Object,
    },
    /// There is no object of this name.
    #[error("the bucket holds no {object}")]
    Missing {
        /// Which.
        object: Object,
    },
}

/// The result of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Created.
    New,
    /// It existed already, with the same bytes.
    Same,
}

/// See the module. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
}

impl Bucket {
    /// The bucket at an address. Sends no request.
    ///
    /// # Errors
    /// [`BucketError::Address`].
    pub fn at(address: &BucketAddress) -> Result<Self, BucketError> {
        let store = AmazonS3Builder::new()
            // Each call has a timeout of its own: the client's 30 s would abort uploads that take minutes on a slow
            // link.
            .with_client_options(ClientOptions::new().with_timeout_disabled().with_connect_timeout(QUESTION_TIMEOUT))
            .with_endpoint(&address.endpoint)
            .with_bucket_name(&address.bucket)
            .with_region(&address.region)
            .with_access_key_id(&address.access_key_id)
            .with_secret_access_key(&address.secret_access_key)
            .with_allow_http(address.endpoint.starts_with("http://"))
            .with_virtual_hosted_style_request(false)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            // The store verifies the checksum of what it receives.
            .with_checksum_algorithm(Checksum::SHA256)
            // Retries are scheduled by the upload queue.
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .build()
            .map_err(BucketError::Address)?;
        Ok(Self { store: Arc::new(store) })
    }

    /// Creates an object with these bytes and their SHA-256 as metadata. An existing one is compared.
    ///
    /// # Errors
    /// [`BucketError`]; after [`BucketError::Failed`] and [`BucketError::Stalled`] it may exist all the same.
    pub async fn put(&self, object: &Object, bytes: Bytes, timeout: Duration) -> Result<Put, BucketError> {
        let (size, digest) = (bytes.len() as u64, sha256(&bytes));
        let attributes = Attributes::from_iter([(Attribute::Metadata(DIGEST), AttributeValue::from(digest.clone()))]);
        let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
        let key = key(object);
        let put = self.store.put_opts(&key, bytes.into(), options);
        match within(timeout, "take an object", put).await {
            Ok(_) => Ok(Put::New),
            Err(BucketError::Failed { source: object_store::Error::AlreadyExists { .. }, .. }) => {
                self.check(object, size, &digest, timeout).await.map(|()| Put::Same)
            }
            Err(error) => Err(error),
        }
    }

    /// As [`Bucket::put`], for an object that may have arrived with an earlier attempt: checks before it uploads. That
    /// saves minutes on a slow link; also, a server that refuses an existing object by its headers may close the
    /// connection during the body.
    ///
    /// # Errors
    /// As [`Bucket::put`].
    pub async fn put_if_missing(&self, object: &Object, bytes: Bytes, timeout: Duration) -> Result<Put, BucketError> {
        match self.check(object, bytes.len() as u64, &sha256(&bytes), timeout).await {
            Ok(()) => Ok(Put::Same),
            Err(BucketError::Missing { .. }) => self.put(object, bytes, timeout).await,
            Err(error) => Err(error),
        }
    }

    /// Checks that the bucket holds an object of this size and SHA-256.
    ///
    /// # Errors
    /// [`BucketError::Missing`], [`BucketError::Different`] or a failed request.
    pub async fn check(&self, object: &Object, size: u64, digest: &str, timeout: Duration) -> Result<(), BucketError> {
        let head = GetOptions { head: true, ..GetOptions::default() };
        let found = self.asked(object, timeout.min(QUESTION_TIMEOUT), head).await?;
        if found.meta.size != size {
            return Err(BucketError::Different { object: *object });
        }
        let told = found.attributes.get(&Attribute::Metadata(DIGEST)).map(|told| told.as_ref().to_owned());
        let is = match told {
            Some(told) => told,
            // An object without our metadata, copied by other means: hash its bytes.
            None => sha256(&self.get(object, timeout).await?),
        };
        if is == digest { Ok(()) } else { Err(BucketError::Different { object: *object }) }
    }

    /// The bytes of an object.
    ///
    /// # Errors
    /// [`BucketError::Missing`] or a failed request.
    pub async fn get(&self, object: &Object, timeout: Duration) -> Result<Bytes, BucketError> {
        let found = self.asked(object, timeout, GetOptions::default()).await?;
        within(timeout, "give an object", found.bytes()).await
    }

    /// The objects of a recording: keys and sizes.
    ///
    /// # Errors
    /// [`BucketError::Failed`], [`BucketError::Stalled`].
    pub async fn list(&self, recording: RecordingId, timeout: Duration) -> Result<Vec<ObjectMeta>, BucketError> {
        let prefix = Path::from(format!("{ROOT}/{recording}"));
        within(timeout, "list a recording", self.store.list(Some(&prefix)).try_collect()).await
    }

    /// Deletes all objects of a recording. Returns their number.
    ///
    /// # Errors
    /// [`BucketError::Failed`], [`BucketError::Stalled`]: some may be left; it may be repeated.
    pub async fn remove(&self, recording: RecordingId, timeout: Duration) -> Result<u64, BucketError> {
        let mut removed = 0;
        for found in self.list(recording, timeout).await? {
            match within(timeout, "remove an object", self.store.delete(&found.location)).await {
                Ok(()) | Err(BucketError::Failed { source: object_store::Error::NotFound { .. }, .. }) => removed += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }

    async fn asked(
        &self,
        object: &Object,
        timeout: Duration,
        options: GetOptions,
    ) -> Result<object_store::GetResult, BucketError> {
        match within(timeout, "show an object", self.store.get_opts(&key(object), options)).await {
            Err(BucketError::Failed { source: object_store::Error::NotFound { .. }, .. }) => {
                Err(BucketError::Missing { object: *object })
            }
            answer => answer,
        }
    }
}

async fn within<T>(
    timeout: Duration,
    doing: &'static str,
    asked: impl Future<Output = Result<T, object_store::Error>>,
) -> Result<T, BucketError> {
    match tokio::time::timeout(timeout, asked).await {
        Ok(answer) => answer.map_err(|source| BucketError::Failed { doing, source }),
        Err(_) => Err(BucketError::Stalled { doing, timeout }),
    }
}

fn key(object: &Object) -> Path {
    Path::from(format!("{ROOT}/{object}"))
}

/// Timeout of a request without a body.
pub(super) const QUESTION_TIMEOUT: Duration = Duration::from_secs(15);

/// Prefix of all keys: other data may share the bucket.
const ROOT: &str = "rec";

/// The metadata key of the digest. HEAD returns metadata; the own checksum of S3 only with a header that this client
/// does not send.
const DIGEST: Cow<'static, str> = Cow::Borrowed("sha256");
