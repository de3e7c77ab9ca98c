//! A bucket of an object store that speaks S3: objects are made once and never written over.

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

/// Where a bucket is, and who asks for it.
#[derive(Clone)]
pub struct BucketAddress {
    /// `https://s3.example.org:9000`, without the bucket.
    pub endpoint: String,
    /// Its name.
    pub bucket: String,
    /// As the store calls it; most that are not Amazon's take any.
    pub region: String,
    /// Who asks.
    pub access_key_id: String,
    /// By which they are known. It stands in no log and no message.
    pub secret_access_key: String,
}

/// Why the bucket did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The address makes no sense.
    #[error("this is no bucket that can be asked")]
    Address(#[source] object_store::Error),
    /// It failed, or cannot be reached.
    #[error("the bucket did not {doing}")]
    Failed {
        /// What it was asked.
        doing: &'static str,
        /// What it said.
        #[source]
        source: object_store::Error,
    },
    /// It took too long.
    #[error("the bucket did not {doing} within {timeout:?}")]
    Stalled {
        /// What it was asked.
        doing: &'static str,
        /// How long it was given.
        timeout: Duration,
    },
    /// It holds other bytes under this name. They are left alone.
    #[error("the bucket holds other bytes under {object}")]
    Different {
        /// Which.
        object: Object,
    },
    /// It holds nothing of this name.
    #[error("the bucket holds no {object}")]
    Missing {
        /// Which.
        object: Object,
    },
}

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It was not there before.
    New,
    /// It was there already, with these bytes.
    Same,
}

/// See the module. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
}

impl Bucket {
    /// A bucket behind an address. Nothing is asked yet.
    ///
    /// # Errors
    /// [`BucketError::Address`].
    pub fn at(address: &BucketAddress) -> Result<Self, BucketError> {
        let store = AmazonS3Builder::new()
            // Each call brings its own timeout. The client's, of 30 s, would end what a thin line takes minutes for.
            .with_client_options(ClientOptions::new().with_timeout_disabled().with_connect_timeout(QUESTION_TIMEOUT))
            .with_endpoint(&address.endpoint)
            .with_bucket_name(&address.bucket)
            .with_region(&address.region)
            .with_access_key_id(&address.access_key_id)
            .with_secret_access_key(&address.secret_access_key)
            .with_allow_http(address.endpoint.starts_with("http://"))
            .with_virtual_hosted_style_request(false)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            // The store itself refuses what was changed on the way.
            .with_checksum_algorithm(Checksum::SHA256)
            // Who tries again, and when, is the outbox's to say.
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .build()
            .map_err(BucketError::Address)?;
        Ok(Self { store: Arc::new(store) })
    }

    /// Makes an object of these bytes, whose SHA-256 goes along. One that is there already is compared.
    ///
    /// # Errors
    /// [`BucketError`]; after [`BucketError::Failed`] and [`BucketError::Stalled`] it may be there all the same.
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

    /// As [`Bucket::put`], of what was sent before and may have arrived: asks before it sends. On a thin line that saves
    /// minutes; and a server that refuses an object by its head may hang up on the rest of it, and with that on the
    /// question what it holds.
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
    /// [`BucketError::Missing`], [`BucketError::Different`], or it cannot say.
    pub async fn check(&self, object: &Object, size: u64, digest: &str, timeout: Duration) -> Result<(), BucketError> {
        let head = GetOptions { head: true, ..GetOptions::default() };
        let found = self.asked(object, timeout.min(QUESTION_TIMEOUT), head).await?;
        if found.meta.size != size {
            return Err(BucketError::Different { object: *object });
        }
        let told = found.attributes.get(&Attribute::Metadata(DIGEST)).map(|told| told.as_ref().to_owned());
        let is = match told {
            Some(told) => told,
            // Somebody's copy, made without our note: its own bytes tell.
            None => sha256(&self.get(object, timeout).await?),
        };
        if is == digest { Ok(()) } else { Err(BucketError::Different { object: *object }) }
    }

    /// The bytes of an object.
    ///
    /// # Errors
    /// [`BucketError::Missing`], or it cannot say.
    pub async fn get(&self, object: &Object, timeout: Duration) -> Result<Bytes, BucketError> {
        let found = self.asked(object, timeout, GetOptions::default()).await?;
        within(timeout, "give an object", found.bytes()).await
    }

    /// What the bucket holds of a recording: keys and sizes.
    ///
    /// # Errors
    /// [`BucketError::Failed`], [`BucketError::Stalled`].
    pub async fn list(&self, recording: RecordingId, timeout: Duration) -> Result<Vec<ObjectMeta>, BucketError> {
        let prefix = Path::from(format!("{ROOT}/{recording}"));
        within(timeout, "list a recording", self.store.list(Some(&prefix)).try_collect()).await
    }

    /// Removes everything that the bucket holds of a recording. Answers how many objects there were.
    ///
    /// # Errors
    /// [`BucketError::Failed`], [`BucketError::Stalled`]: some may be left, and it may be asked again.
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

/// A question that is answered with a few lines.
pub(super) const QUESTION_TIMEOUT: Duration = Duration::from_secs(15);

/// What is not a recording's may lie beside it in the same bucket.
const ROOT: &str = "rec";

/// S3 answers a HEAD with what was noted at the PUT; the checksum of its own it tells only to those who ask for it in a
/// header that this client does not send.
const DIGEST: Cow<'static, str> = Cow::Borrowed("sha256");
