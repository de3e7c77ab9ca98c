//! **Rim.** TLS from the first start: a CA of the data folder, and a certificate for this machine.
#![expect(clippy::disallowed_methods, reason = "asks the system for its own address, sends nothing")]

use std::{
    net::{IpAddr, Ipv4Addr, UdpSocket},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde::{Deserialize, Serialize};

use crate::{
    config::CertificateFiles,
    data_dir::{self, DataDirError},
};
use school::base::time::UnixMs;

/// TLS configuration of the listener, and what is shown to people about it.
pub struct Certificate {
    /// Configuration for the listener.
    pub tls: Arc<ServerConfig>,
    /// The CA as PEM. `None`: the certificate was configured.
    pub ca_pem: Option<Arc<str>>,
    /// SHA-256 that people compare: of the CA, or of the configured certificate.
    pub fingerprint: String,
}

/// The certificate cannot be generated or used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Keep(#[from] DataDirError),
    /// It cannot be generated.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// A file holds no certificate, or no key.
    #[error("{0} holds no usable certificate or key")]
    Unreadable(PathBuf),
    /// Certificate and key do not match.
    #[error("the certificate cannot be used")]
    Tls(#[from] rustls::Error),
}

/// Browsers refuse certificates with a longer validity.
const SERVER_VALID: Duration = Duration::from_secs(397 * 24 * 3600);
/// The CA is imported on a classroom PC once.
const CA_VALID: Duration = Duration::from_secs(3_650 * 24 * 3600);
/// The certificate is renewed this long before it expires.
const RENEW_BEFORE: Duration = Duration::from_secs(60 * 24 * 3600);
/// Validity begins this long in the past: a classroom PC's clock may be behind.
const CLOCKS_DIFFER_BY: Duration = Duration::from_secs(2 * 24 * 3600);

/// What the stored certificate was generated for.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct MadeFor {
    names: Vec<String>,
    ends_at: UnixMs,
}

/// Uses the configured files.
///
/// # Errors
/// [`CertificateError`] if they are no certificate with its key.
pub fn given(files: &CertificateFiles) -> Result<Certificate, CertificateError> {
    let read = |path: &Path| data_dir::read(path)?.ok_or_else(|| CertificateError::Unreadable(path.to_owned()));
    let chain = chain_of(&read(&files.cert)?, &files.cert)?;
    let key = key_of(&read(&files.key)?, &files.key)?;
    let fingerprint = chain.first().map(|leaf| fingerprint(leaf)).unwrap_or_default();
    Ok(Certificate { tls: server_config(chain, key)?, ca_pem: None, fingerprint })
}

/// Uses the certificate of this data folder. Generates the CA on the first run, and the certificate if it is missing,
/// close to expiry, or was generated for other addresses.
///
/// # Errors
/// [`CertificateError`] if it cannot be generated, read or written.
pub fn own(data: &Path, announce: &[IpAddr], now: UnixMs) -> Result<Certificate, CertificateError> {
    let folder = data.join("tls");
    data_dir::folder(&folder)?;
    let (ca_path, ca_key_path) = (folder.join("ca.pem"), folder.join("ca.key"));
    let (path, key_path, note_path) =
        (folder.join("server.pem"), folder.join("server.key"), folder.join("server.json"));

    let ca_pem = match data_dir::read(&ca_path)? {
        Some(pem) => String::from_utf8(pem).map_err(|_| CertificateError::Unreadable(ca_path.clone()))?,
        None => {
            let key = KeyPair::generate()?;
            let pem = authority(now).self_signed(&key)?.pem();
            data_dir::write(&ca_key_path, key.serialize_pem().as_bytes(), 0o600)?;
            data_dir::write(&ca_path, pem.as_bytes(), 0o644)?;
            pem
        }
    };
    let wanted = names(announce);
    let made_for: Option<MadeFor> = data_dir::read(&note_path)?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let is_good = made_for.is_some_and(|made| made.names == wanted && made.ends_at > now.plus(RENEW_BEFORE));
    if !is_good || data_dir::read(&path)?.is_none() {
        let ca_key = data_dir::secret(&ca_key_path, Vec::new)?;
        let ca_key = String::from_utf8(ca_key).map_err(|_| CertificateError::Unreadable(ca_key_path.clone()))?;
        let issuer = Issuer::from_ca_cert_pem(&ca_pem, KeyPair::from_pem(&ca_key)?)?;
        let key = KeyPair::generate()?;
        let chain = leaf(&wanted, now)?.signed_by(&key, &issuer)?.pem() + &ca_pem;
        data_dir::write(&key_path, key.serialize_pem().as_bytes(), 0o600)?;
        data_dir::write(&path, chain.as_bytes(), 0o644)?;
        let note = MadeFor { names: wanted, ends_at: now.plus(SERVER_VALID) };
        data_dir::write(&note_path, &serde_json::to_vec(&note).unwrap_or_default(), 0o644)?;
    }
    let chain = chain_of(&data_dir::read(&path)?.unwrap_or_default(), &path)?;
    let key = key_of(&data_dir::secret(&key_path, Vec::new)?, &key_path)?;
    let ca = chain_of(ca_pem.as_bytes(), &ca_path)?;
    let fingerprint = ca.first().map(|ca| fingerprint(ca)).unwrap_or_default();
    Ok(Certificate { tls: server_config(chain, key)?, ca_pem: Some(ca_pem.into()), fingerprint })
}

/// This machine's source address for outgoing traffic. `None`: it has no network.
#[must_use]
pub fn machine_address() -> Option<IpAddr> {
    // Connecting a UDP socket sends nothing: it only queries the routing table.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified()).then_some(address)
}

fn names(announce: &[IpAddr]) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if let Ok(Some(name)) = data_dir::read(Path::new("/etc/hostname")) {
        let name = String::from_utf8_lossy(&name).trim().to_owned();
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
        names.extend(is_name.then_some(name));
    }
    names.extend(machine_address().iter().chain(announce).map(IpAddr::to_string));
    names.sort();
    names.dedup();
    names
}

fn authority(now: UnixMs) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, format!("Tongke local CA {}", now.0));
    params.distinguished_name.push(DnType::OrganizationName, "Tongke");
    (params.not_before, params.not_after) = valid(now, CA_VALID);
    params
}

fn leaf(names: &[String], now: UnixMs) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names
        .iter()
        .map(|name| match name.parse::<IpAddr>() {
            Ok(address) => Ok(SanType::IpAddress(address)),
            Err(_) => Ok(SanType::DnsName(name.as_str().try_into()?)),
        })
        .collect::<Result<_, rcgen::Error>>()?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.distinguished_name.push(DnType::CommonName, "Tongke");
    (params.not_before, params.not_after) = valid(now, SERVER_VALID);
    Ok(params)
}

fn valid(now: UnixMs, lifetime: Duration) -> (time::OffsetDateTime, time::OffsetDateTime) {
    let at = |ms: UnixMs| {
        time::OffsetDateTime::from_unix_timestamp(ms.0 / 1_000).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
    };
    (at(now.minus(CLOCKS_DIFFER_BY)), at(now.plus(lifetime)))
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn chain_of(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(|| CertificateError::Unreadable(path.to_owned()))
}

fn key_of(pem: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| CertificateError::Unreadable(path.to_owned()))
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let hash = digest(&SHA256, certificate);
    hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_790_000_000_000);

    #[test]
    fn the_ca_outlives_restarts_and_the_certificate_follows_the_addresses() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str| data_dir::read(&folder.path().join("tls").join(name)).unwrap().unwrap();
        let first = own(folder.path(), &[], NOW).unwrap();
        let certificate = read("server.pem");
        assert_eq!(own(folder.path(), &[], NOW).unwrap().fingerprint, first.fingerprint);
        assert_eq!(read("server.pem"), certificate);

        let announced = own(folder.path(), &["203.0.113.7".parse().unwrap()], NOW).unwrap();
        assert_eq!(announced.fingerprint, first.fingerprint);
        assert_ne!(read("server.pem"), certificate);

        let certificate = read("server.pem");
        let later = NOW.plus(SERVER_VALID).minus(RENEW_BEFORE);
        own(folder.path(), &["203.0.113.7".parse().unwrap()], later).unwrap();
        assert_ne!(read("server.pem"), certificate);
    }

    #[test]
    fn a_given_certificate_needs_its_own_key() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        own(one.path(), &[], NOW).unwrap();
        own(other.path(), &[], NOW).unwrap();
        let file = |folder: &Path, name: &str| folder.join("tls").join(name);
        let files = CertificateFiles { cert: file(one.path(), "server.pem"), key: file(one.path(), "server.key") };
        assert!(given(&files).unwrap().ca_pem.is_none());
        let mixed = CertificateFiles { key: file(other.path(), "server.key"), ..files };
        assert!(matches!(given(&mixed), Err(CertificateError::Tls(_))));
    }
}
