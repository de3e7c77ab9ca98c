//! Configuration: flags, environment, a TOML file, in this order of precedence, then the defaults.

pub mod s3;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use self::s3::S3;
use crate::{
    data_dir::{self, database_file},
    store::{Database, NotADatabase},
};

/// Format of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text lines.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Settings from flags, environment or file. The first source that has a setting wins.
#[derive(Clone, Debug, Default, PartialEq, Args, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ConfigArgs {
    /// Folder for the database, keys and recordings
    #[arg(long, env = "TONGKE_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME [default: tongke.sqlite in the data folder]
    #[arg(long, env = "TONGKE_DATABASE", value_name = "URL", hide_env_values = true)]
    database: Option<String>,
    /// HTTPS and WebSocket on TCP, media on UDP [default: 0.0.0.0:8443]
    #[arg(long, env = "TONGKE_LISTEN", value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// A plain HTTP listener, for loopback and reverse proxies
    #[arg(long, env = "TONGKE_HTTP", value_name = "ADDR:PORT")]
    http: Option<SocketAddr>,
    /// Reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Proto: https` are trusted
    #[arg(long, env = "TONGKE_TRUSTED_PROXY", value_name = "IP", num_args = 1.., value_delimiter = ',')]
    trusted_proxy: Option<Vec<IpAddr>>,
    /// Address at which clients reach this machine [default: those of its interfaces]
    #[arg(long, env = "TONGKE_ANNOUNCE", value_name = "IP", num_args = 1.., value_delimiter = ',')]
    announce: Option<Vec<IpAddr>>,
    /// Metrics and probes, for operations only [default: 127.0.0.1:9443]
    #[arg(long, env = "TONGKE_METRICS", value_name = "ADDR:PORT")]
    metrics: Option<SocketAddr>,
    /// Certificate chain, as PEM [default: a generated one]
    #[arg(long, env = "TONGKE_CERT", value_name = "FILE")]
    cert: Option<PathBuf>,
    /// Its private key, as PEM
    #[arg(long, env = "TONGKE_KEY", value_name = "FILE")]
    key: Option<PathBuf>,
    /// Media workers, each a thread [default: 1]
    #[arg(long, env = "TONGKE_WORKERS", value_name = "N")]
    workers: Option<usize>,
    /// Concurrent connections, before new ones are refused [default: 2000 for each worker]
    #[arg(long, env = "TONGKE_MAX_SEATS", value_name = "N")]
    max_seats: Option<usize>,
    /// Format of the log [default: text]
    #[arg(long, env = "TONGKE_LOG", value_name = "FORMAT", value_enum)]
    log: Option<LogFormat>,
    /// Days of audit retention, 180 at least [default: 400]
    #[arg(long, env = "TONGKE_AUDIT_DAYS", value_name = "N")]
    audit_days: Option<u32>,
    /// A bucket to which every recording is copied, as https://HOST/BUCKET
    #[arg(long, env = "TONGKE_S3", value_name = "URL")]
    s3: Option<String>,
    /// The bucket's region [default: us-east-1]
    #[arg(long, env = "TONGKE_S3_REGION", value_name = "NAME")]
    s3_region: Option<String>,
    /// File readable by the hub only, two lines: the bucket's access key and secret [default: from the environment,
    /// TONGKE_S3_ACCESS_KEY and TONGKE_S3_SECRET_KEY]
    #[arg(long, env = "TONGKE_S3_CREDENTIALS", value_name = "FILE")]
    s3_credentials: Option<PathBuf>,
    /// Bandwidth limit of copying, in megabits per second [default: 200]
    #[arg(long, env = "TONGKE_S3_MBIT", value_name = "N")]
    s3_mbit: Option<u32>,
    /// Days that media stays on disk after the bucket has confirmed it, 1 at least [default: until the disk runs short]
    #[arg(long, env = "TONGKE_S3_LOCAL_DAYS", value_name = "N")]
    s3_local_days: Option<u32>,
    /// Create a small sample county with a lesson that is open now, and write DIR/sample.json
    #[arg(long, env = "TONGKE_SAMPLE", num_args = 0..=1, default_missing_value = "true")]
    sample: Option<bool>,
}

/// The complete, checked configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Folder for the database, keys and recordings.
    pub data: PathBuf,
    /// The database.
    pub database: Database,
    /// HTTPS on TCP, media on UDP.
    pub listen: SocketAddr,
    /// Plain HTTP. `None`: no such listener.
    pub http: Option<SocketAddr>,
    /// Reverse proxies trusted for the client's address, and for whether it used TLS.
    pub trusted_proxies: Vec<IpAddr>,
    /// Addresses for candidates and certificate. Empty: those of the machine.
    pub announce: Vec<IpAddr>,
    /// Address of metrics and probes.
    pub metrics: SocketAddr,
    /// A configured certificate. `None`: a generated one.
    pub certificate: Option<CertificateFiles>,
    /// Number of media workers.
    pub workers: usize,
    /// Limit of concurrent connections. `None`: the workers' capacity.
    pub max_seats: Option<usize>,
    /// Format of the log.
    pub log: LogFormat,
    /// Retention of audit rows.
    pub audit_retained: Duration,
    /// Bucket for copies of recordings. `None`: no copies.
    pub s3: Option<S3>,
    /// Create the sample county.
    pub sample: bool,
}

/// Files of a configured certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, as PEM.
    pub cert: PathBuf,
    /// The key, as PEM.
    pub key: PathBuf,
}

/// Why the configuration is refused. One sentence each.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is missing or unreadable.
    #[error("cannot read the configuration file {0}")]
    File(PathBuf),
    /// The file is not TOML, or has an unknown setting.
    #[error("the configuration file {path} cannot be understood: {why}")]
    Toml {
        /// Its path.
        path: PathBuf,
        /// The cause.
        why: String,
    },
    /// No data folder is set.
    #[error("say with --data which folder the database and the recordings live in")]
    NoData,
    /// The database URL is invalid.
    #[error("--database: {0}")]
    NotADatabase(#[from] NotADatabase),
    /// The data folder is a file.
    #[error("{0} is not a folder")]
    DataIsAFile(PathBuf),
    /// Only one of `--cert` and `--key` is set.
    #[error("--cert and --key belong together: give both or none")]
    HalfACertificate,
    /// A certificate file is missing.
    #[error("there is no file {0}")]
    NoFile(PathBuf),
    /// Two listeners share a port.
    #[error("{0} is given to two listeners")]
    SamePort(SocketAddr),
    /// An address that cannot be a destination.
    #[error("{0} cannot be announced to clients")]
    CannotAnnounce(IpAddr),
    /// No worker, or more than the limit.
    #[error("--workers must be between 1 and {WORKERS_MAX}")]
    Workers,
    /// Audit retention is too short or too long.
    #[error("--audit-days must be between {AUDIT_DAYS_MIN} and {AUDIT_DAYS_MAX}: the law asks for half a year of logs")]
    AuditDays,
    /// The bucket's URL names no bucket.
    #[error("--s3 is https://HOST/BUCKET, without a user, a query or anything behind the bucket's name")]
    NotABucket,
    /// No credentials for the bucket are set.
    #[error("--s3 needs keys: --s3-credentials FILE, or TONGKE_S3_ACCESS_KEY and TONGKE_S3_SECRET_KEY")]
    NoCredentials,
    /// The credentials file is invalid.
    #[error("--s3-credentials: {0}")]
    Credentials(String),
    /// A rate or number of days is out of range.
    #[error("--s3-mbit is between 1 and {S3_MBIT_MAX}, --s3-local-days between 1 and {AUDIT_DAYS_MAX}")]
    S3Figures,
    /// Bucket settings without a bucket.
    #[error("--s3-region, --s3-credentials, --s3-mbit and --s3-local-days say something of --s3, which is not given")]
    NoS3,
    /// The limit of connections is zero.
    #[error("--max-seats must be at least 1")]
    MaxSeats,
}

/// A worker's ID is a byte (`sfu::WorkerId`), and no machine that we know has more cores to spare.
const WORKERS_MAX: usize = 128;

/// The store enforces it too: [`crate::store::audit::chain::AUDIT_KEPT_MIN`].
const AUDIT_DAYS_MIN: u32 = 180;
const AUDIT_DAYS_MAX: u32 = 36_500;

/// A school year, and a month to review it.
const AUDIT_DAYS: u32 = 400;

/// By default copying takes a fifth of a gigabit line.
const S3_MBIT: u32 = 200;
const S3_MBIT_MAX: u32 = 100_000;

const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8443);
const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9443);

impl ConfigArgs {
    /// Fills in unset settings from `file`.
    ///
    /// # Errors
    /// [`ConfigError::File`], [`ConfigError::Toml`].
    pub fn or_file(self, file: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = file else { return Ok(self) };
        let bytes = data_dir::read(path).ok().flatten().ok_or_else(|| ConfigError::File(path.to_owned()))?;
        let unclear = |why: String| ConfigError::Toml { path: path.to_owned(), why: why.replace('\n', " ") };
        let text = String::from_utf8(bytes).map_err(|error| unclear(error.to_string()))?;
        let file: Self = toml::from_str(&text).map_err(|error| unclear(error.message().to_owned()))?;
        Ok(Self {
            data: self.data.or(file.data),
            database: self.database.or(file.database),
            listen: self.listen.or(file.listen),
            http: self.http.or(file.http),
            trusted_proxy: self.trusted_proxy.or(file.trusted_proxy),
            audit_days: self.audit_days.or(file.audit_days),
            announce: self.announce.or(file.announce),
            metrics: self.metrics.or(file.metrics),
            cert: self.cert.or(file.cert),
            key: self.key.or(file.key),
            workers: self.workers.or(file.workers),
            max_seats: self.max_seats.or(file.max_seats),
            log: self.log.or(file.log),
            s3: self.s3.or(file.s3),
            s3_region: self.s3_region.or(file.s3_region),
            s3_credentials: self.s3_credentials.or(file.s3_credentials),
            s3_mbit: self.s3_mbit.or(file.s3_mbit),
            s3_local_days: self.s3_local_days.or(file.s3_local_days),
            sample: self.sample.or(file.sample),
        })
    }

    /// Bucket settings only, for commands that need no others.
    #[must_use]
    pub fn of_bucket(s3: Option<String>, s3_region: Option<String>, s3_credentials: Option<PathBuf>) -> Self {
        Self { s3, s3_region, s3_credentials, ..Self::default() }
    }

    /// The bucket's configuration.
    ///
    /// # Errors
    /// [`ConfigError`], the first found.
    pub fn s3(&self) -> Result<Option<S3>, ConfigError> {
        let Some(url) = &self.s3 else {
            let unsaid = self.s3_region.is_none()
                && self.s3_credentials.is_none()
                && self.s3_mbit.is_none()
                && self.s3_local_days.is_none();
            return if unsaid { Ok(None) } else { Err(ConfigError::NoS3) };
        };
        let (endpoint, bucket) = url.rsplit_once('/').ok_or(ConfigError::NotABucket)?;
        let host = endpoint.strip_prefix("https://").or(endpoint.strip_prefix("http://")).unwrap_or_default();
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
        if host.is_empty() || !host.chars().all(is_host) || bucket.len() < 3 || !bucket.chars().all(is_name) {
            return Err(ConfigError::NotABucket);
        }
        let (mbit, days) = (self.s3_mbit.unwrap_or(S3_MBIT), self.s3_local_days);
        if !(1..=S3_MBIT_MAX).contains(&mbit) || days.is_some_and(|days| !(1..=AUDIT_DAYS_MAX).contains(&days)) {
            return Err(ConfigError::S3Figures);
        }
        let (access_key, secret_key) = self.keys()?;
        Ok(Some(S3 {
            endpoint: endpoint.to_owned(),
            bucket: bucket.to_owned(),
            region: self.s3_region.clone().unwrap_or_else(|| "us-east-1".to_owned()),
            access_key,
            secret_key,
            bytes_per_second: u64::from(mbit) * 1_000_000 / 8,
            local: days.map(|days| Duration::from_secs(u64::from(days) * 24 * 3600)),
        }))
    }

    /// Keys come from a file or the environment, never from a flag: other users of the machine can read command lines.
    fn keys(&self) -> Result<(String, SecretString), ConfigError> {
        let said = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        let Some(file) = &self.s3_credentials else {
            let keys = said("TONGKE_S3_ACCESS_KEY").zip(said("TONGKE_S3_SECRET_KEY"));
            return keys.map(|(access, secret)| (access, secret.into())).ok_or(ConfigError::NoCredentials);
        };
        let unread = |why: String| ConfigError::Credentials(why);
        let bytes = data_dir::given_secret(file).map_err(|error| unread(error.to_string()))?;
        let text = SecretString::from(String::from_utf8_lossy(&bytes).into_owned());
        let mut lines = text.expose_secret().lines().map(str::trim).filter(|line| !line.is_empty());
        match (lines.next(), lines.next(), lines.next()) {
            (Some(access), Some(secret), None) => Ok((access.to_owned(), secret.to_owned().into())),
            _ => Err(unread(format!("{} holds two lines: the access key, and the secret", file.display()))),
        }
    }

    /// Checks the whole configuration, without opening anything.
    ///
    /// # Errors
    /// [`ConfigError`], the first found.
    pub fn check(self) -> Result<Config, ConfigError> {
        let s3 = self.s3()?;
        let data = self.data.ok_or(ConfigError::NoData)?;
        if data.exists() && !data.is_dir() {
            return Err(ConfigError::DataIsAFile(data));
        }
        let certificate = match (self.cert, self.key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some(CertificateFiles { cert, key }),
            _ => return Err(ConfigError::HalfACertificate),
        };
        if let Some(missing) = certificate.iter().flat_map(|files| [&files.cert, &files.key]).find(|f| !f.is_file()) {
            return Err(ConfigError::NoFile(missing.clone()));
        }
        let database = match &self.database {
            Some(url) => url.parse()?,
            None => Database::file(&database_file(&data)),
        };
        let audit_days = self.audit_days.unwrap_or(AUDIT_DAYS);
        if !(AUDIT_DAYS_MIN..=AUDIT_DAYS_MAX).contains(&audit_days) {
            return Err(ConfigError::AuditDays);
        }
        let config = Config {
            data,
            database,
            listen: self.listen.unwrap_or(LISTEN),
            http: self.http,
            trusted_proxies: self.trusted_proxy.unwrap_or_default(),
            announce: self.announce.unwrap_or_default(),
            metrics: self.metrics.unwrap_or(METRICS),
            certificate,
            workers: self.workers.unwrap_or(1),
            max_seats: self.max_seats,
            log: self.log.unwrap_or_default(),
            audit_retained: Duration::from_secs(u64::from(audit_days) * 24 * 3600),
            s3,
            sample: self.sample.unwrap_or(false),
        };
        if !(1..=WORKERS_MAX).contains(&config.workers) {
            return Err(ConfigError::Workers);
        }
        if config.max_seats == Some(0) {
            return Err(ConfigError::MaxSeats);
        }
        if let Some(address) = config.announce.iter().find(|ip| ip.is_unspecified() || ip.is_multicast()) {
            return Err(ConfigError::CannotAnnounce(*address));
        }
        let listeners = [Some(config.listen), config.http, Some(config.metrics)];
        for (n, one) in listeners.iter().enumerate() {
            let clash = listeners[..n]
                .iter()
                .find(|other| one.is_some() && *other == one && one.is_some_and(|a| a.port() != 0));
            if let Some(Some(address)) = clash {
                return Err(ConfigError::SamePort(*address));
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(change: impl FnOnce(&mut ConfigArgs)) -> ConfigArgs {
        let mut said = ConfigArgs { data: Some("/nonexistent/tongke".into()), ..ConfigArgs::default() };
        change(&mut said);
        said
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let config = said(|_| ()).check().unwrap();
        assert_eq!(config.listen.to_string(), "0.0.0.0:8443");
        assert_eq!(config.metrics.to_string(), "127.0.0.1:9443");
        assert_eq!((config.workers, config.sample, config.http), (1, false, None));
    }

    #[test]
    fn each_mistake_is_one_sentence() {
        type Change = fn(&mut ConfigArgs);
        let table: [(Change, &str); 10] = [
            (|s| s.database = Some("mysql://x".into()), "sqlite:FILE or postgres://"),
            (|s| s.data = None, "say with --data"),
            (|s| s.data = Some("/dev/null".into()), "is not a folder"),
            (|s| s.cert = Some("/x".into()), "belong together"),
            (
                |s| {
                    s.cert = Some("/x".into());
                    s.key = Some("/y".into());
                },
                "no file /x",
            ),
            (|s| s.http = s.listen.or(Some(LISTEN)), "two listeners"),
            (|s| s.announce = Some(vec!["0.0.0.0".parse().unwrap()]), "cannot be announced"),
            (|s| s.workers = Some(0), "between 1 and 128"),
            (|s| s.max_seats = Some(0), "at least 1"),
            (|s| s.audit_days = Some(179), "between 180 and"),
        ];
        for (change, sentence) in table {
            let error = said(change).check().unwrap_err().to_string();
            assert!(error.contains(sentence) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_bucket_is_told_by_its_url_and_its_keys_by_a_file_that_nobody_else_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s3");
        data_dir::write(&path, b"county\nnobody-may-read-this\n", 0o600).unwrap();
        let bucket = |url: &str| {
            let (s3, s3_credentials) = (Some(url.to_owned()), Some(path.clone()));
            said(|said| *said = ConfigArgs { s3, s3_credentials, ..said.clone() }).check()
        };
        let config = bucket("https://minio.ankang.example:9000/tongke-recordings").unwrap();
        let s3 = config.s3.clone().unwrap();
        assert_eq!(
            (s3.endpoint.as_str(), s3.bucket.as_str()),
            ("https://minio.ankang.example:9000", "tongke-recordings")
        );
        assert_eq!((s3.access_key.as_str(), s3.bytes_per_second, s3.local), ("county", 25_000_000, None));
        assert!(!format!("{config:#?}").contains("nobody-may-read"), "check-config prints it");
        for bad in [
            "",
            "tongke",
            "s3://tongke",
            "https://host",
            "https://host/",
            "https://u:p@host/tongke",
            "https://host/a?x",
        ] {
            assert!(matches!(bucket(bad), Err(ConfigError::NotABucket)), "{bad}");
        }
        data_dir::write(&path, b"county", 0o600).unwrap();
        assert!(bucket("https://host/tongke").unwrap_err().to_string().contains("two lines"));
        data_dir::write(&path, b"a\nb", 0o644).unwrap();
        assert!(bucket("https://host/tongke").unwrap_err().to_string().contains("chmod 600"));
        let alone = said(|said| said.s3_mbit = Some(1)).check().unwrap_err();
        assert!(matches!(alone, ConfigError::NoS3), "{alone}");
    }

    #[test]
    fn a_flag_is_heard_before_the_file_and_unknown_words_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tongke.toml");
        data_dir::write(
            &path,
            b"listen = \"127.0.0.1:1\"\nworkers = 3\nlog = \"json\"\nannounce = [\"10.0.0.1\"]",
            0o600,
        )
        .unwrap();
        let config = said(|s| s.workers = Some(2)).or_file(Some(&path)).unwrap().check().unwrap();
        assert_eq!((config.workers, config.log, config.listen.port()), (2, LogFormat::Json, 1));
        data_dir::write(&path, b"lisen = \"127.0.0.1:1\"", 0o600).unwrap();
        let error = ConfigArgs::default().or_file(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("lisen") && !error.contains('\n'), "{error}");
    }
}
