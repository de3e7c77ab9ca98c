//! Hashes passwords and seals second factors, off the request threads.

use std::{fmt::Write as _, path::Path, sync::Arc, time::Duration};

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    constant_time::verify_slices_are_equal,
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use tokio::sync::Semaphore;

use crate::data_dir::{self, DataDirError};

/// OWASP's parameters for argon2id: 19 MiB, two passes, one lane; some 35 ms.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// Concurrent hashes. Lessons begin at the bell, and passwords may wait for a core.
const HASHES_MAX: usize = 2;

/// Longest wait for a hash, before the caller is refused.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Callers waiting. A hundred are three seconds of work.
const WAITING_MAX: usize = 100;

/// The key file in the data folder, readable by the hub only.
const KEY_FILE: &str = "seal.key";

/// Too many callers wait for a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many wait for a password to be hashed")]
pub struct TooBusy;

/// Hashes passwords and seals secrets.
pub struct Secrets {
    key: RandomizedNonceKey,
    running: Arc<Semaphore>,
    waiting: Semaphore,
    /// Compared with if a name has no password, so that the time is the same.
    nobody: String,
}

impl Secrets {
    /// Reads the sealing key of this data folder, or creates it on the first run.
    ///
    /// # Errors
    /// [`DataDirError`] if the file cannot be read or written, or holds no key.
    pub fn open(data: &Path) -> Result<Self, DataDirError> {
        let path = data.join(KEY_FILE);
        let bytes = data_dir::secret(&path, || random::<32>().to_vec())?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| DataDirError::NotAKey { path })?;
        let nobody = hash_now("nobody", &random()).unwrap_or_default();
        let (running, waiting) = (Arc::new(Semaphore::new(HASHES_MAX)), Semaphore::new(WAITING_MAX));
        Ok(Self { key, running, waiting, nobody })
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// [`TooBusy`] if too many wait, or the wait was too long.
    pub async fn hash(&self, password: &str) -> Result<String, TooBusy> {
        let password = password.to_owned();
        self.work(move || hash_now(&password, &random())).await?.ok_or(TooBusy)
    }

    /// Whether `password` matches one of `hashes`. Without hashes it takes as long as with one.
    ///
    /// # Errors
    /// [`TooBusy`] if too many wait, or the wait was too long.
    pub async fn is_one_of(&self, password: &str, hashes: Vec<String>) -> Result<bool, TooBusy> {
        let password = password.to_owned();
        let hashes = if hashes.is_empty() { vec![self.nobody.clone()] } else { hashes };
        let nobody = self.nobody.clone();
        let check = move || hashes.iter().any(|hash| matches(&password, hash) && *hash != nobody);
        self.work(check).await
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, TooBusy> {
        let _waiting = self.waiting.try_acquire().map_err(|_| TooBusy)?;
        let turn = tokio::time::timeout(WAIT_MAX, self.running.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| TooBusy)?.map_err(|_| TooBusy)?;
        let hashed = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        hashed.await.map_err(|_| TooBusy)
    }

    /// Encrypts a small secret for the store.
    #[must_use]
    pub fn seal(&self, secret: &[u8]) -> String {
        let mut bytes = secret.to_vec();
        // AES-GCM takes any text of this size.
        let nonce = self.key.seal_in_place_append_tag(Aad::empty(), &mut bytes).expect("a small secret can be sealed");
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend(bytes);
        STANDARD_NO_PAD.encode(sealed)
    }

    /// Decrypts a sealed secret. `None`: it was sealed with another key, or was altered.
    #[must_use]
    pub fn open_sealed(&self, sealed: &str) -> Option<Vec<u8>> {
        let mut bytes = STANDARD_NO_PAD.decode(sealed).ok()?;
        let mut secret = bytes.split_off(NONCE_LEN.min(bytes.len()));
        let nonce = Nonce::try_assume_unique_for_key(&bytes).ok()?;
        Some(self.key.open_in_place(nonce, Aad::empty(), &mut secret).ok()?.to_vec())
    }
}

/// Cryptographically random bytes.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    // The system's generator does not fail once seeded; without it the hub must not continue.
    SystemRandom::new().fill(&mut bytes).expect("the system has a random generator");
    bytes
}

/// In the PHC string format, so that parameters may change and old hashes can still be checked.
fn hash_now(password: &str, salt: &[u8; SALT_BYTES]) -> Option<String> {
    let out = stretch(password, salt, MEMORY_KIB, PASSES)?;
    let (salt, out) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(out));
    Some(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1${salt}${out}"))
}

fn matches(password: &str, hash: &str) -> bool {
    let check = || {
        let mut parts = hash.strip_prefix("$argon2id$v=19$m=")?.split('$');
        let (parameters, salt, out) = (parts.next()?, parts.next()?, parts.next()?);
        let (memory, rest) = parameters.split_once(",t=")?;
        let passes = rest.strip_suffix(",p=1")?;
        let salt = STANDARD_NO_PAD.decode(salt).ok()?;
        let expected = STANDARD_NO_PAD.decode(out).ok()?;
        let out = stretch(password, &salt, memory.parse().ok()?, passes.parse().ok()?)?;
        Some(verify_slices_are_equal(&out, &expected).is_ok())
    };
    check().unwrap_or(false)
}

fn stretch(password: &str, salt: &[u8], memory_kib: u32, passes: u32) -> Option<[u8; HASH_BYTES]> {
    let parameters = Params::new(memory_kib, passes, 1, Some(HASH_BYTES)).ok()?;
    let mut out = [0_u8; HASH_BYTES];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    argon2.hash_password_into(password.as_bytes(), salt, &mut out).ok()?;
    Some(out)
}

/// 256 random bits, as text for URLs, headers and cookies.
#[must_use]
pub fn unguessable() -> String {
    let mut bytes = [0_u8; 32];
    // The system's generator does not fail once seeded; without it the hub must not continue.
    SystemRandom::new().fill(&mut bytes).expect("the system has a random generator");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Digest of a secret, as stored.
#[must_use]
pub fn sha256_hex(secret: impl AsRef<[u8]>) -> String {
    digest(&SHA256, secret.as_ref()).as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other_is() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(folder.path()).unwrap();
        let hash = secrets.hash("Shan-Lu-2026x").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && !hash.contains("Shan"));
        assert_ne!(hash, secrets.hash("Shan-Lu-2026x").await.unwrap(), "each has a salt of its own");
        assert!(secrets.is_one_of("Shan-Lu-2026x", vec!["nonsense".into(), hash.clone()]).await.unwrap());
        assert!(!secrets.is_one_of("shan-Lu-2026x", vec![hash]).await.unwrap());
        assert!(!secrets.is_one_of("nobody", vec![]).await.unwrap());
    }

    #[test]
    fn a_sealed_secret_opens_with_the_same_folder_only() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sealed = Secrets::open(folder.path()).unwrap().seal(b"secret");
        assert_eq!(Secrets::open(folder.path()).unwrap().open_sealed(&sealed).unwrap(), b"secret");
        assert_eq!(Secrets::open(elsewhere.path()).unwrap().open_sealed(&sealed), None);
        for broken in ["", "AAAA", &sealed[1..]] {
            assert_eq!(Secrets::open(folder.path()).unwrap().open_sealed(broken), None);
        }
    }
}
