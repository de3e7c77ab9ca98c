//! A real S3 server on a folder, and a way to it that can be made bad.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::disallowed_methods, reason = "a server is started, and its folder looked at")]

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use recorder::mirror::bucket::{Bucket, BucketAddress};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::watch,
};

/// `s3s-fs`, as `.ci/setup test` installs it.
pub struct Server {
    process: Child,
    address: SocketAddr,
    folder: TempDir,
}

const BUCKET: &str = "recordings";
const ACCESS_KEY: &str = "tongke";
const SECRET_KEY: &str = "nobody-may-read-this";

impl Server {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let process = spawn(free, folder.path());
        let server = Self { process, address: free, folder };
        server.ready().await;
        server
    }

    /// `kill -9`, and begun anew on the same folder.
    pub async fn kill_and_start(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = spawn(self.address, self.folder.path());
        self.ready().await;
    }

    async fn ready(&self) {
        for _ in 0..200 {
            if TcpStream::connect(self.address).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("s3s-fs does not answer");
    }

    /// The folder that holds a recording's objects.
    pub fn objects(&self, recording: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join("rec").join(recording)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(address: SocketAddr, folder: &Path) -> Child {
    Command::new("s3s-fs")
        .args(["--host", &address.ip().to_string(), "--port", &address.port().to_string()])
        .args(["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY])
        .arg(folder)
        .env("RUST_LOG", "error")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("s3s-fs is installed by `.ci/setup test`")
}

/// What is wrong with the way to the bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Nobody answers.
    Down,
    /// The object is made, and the answer says 500.
    ErrorAfterSuccess,
    /// The object is made, and no answer comes.
    SilenceAfterSuccess,
    /// What is sent goes nowhere, and no answer comes.
    Stall,
    /// The connection is reset after so many bytes.
    ResetAt(usize),
    /// At so many bytes a second.
    Slow(usize),
}

/// A proxy in front of the server.
pub struct Way {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    accepted: Arc<AtomicU64>,
}

impl Way {
    pub async fn to(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (fault, faults) = watch::channel(Fault::None);
        let (address, to) = (listener.local_addr().unwrap(), server.address);
        let accepted = Arc::new(AtomicU64::new(0));
        let counted = accepted.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut faults = faults.clone();
                let fault = *faults.borrow_and_update();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = carry(client, to, fault) => {}
                        // Whatever is open ends with the fault that it was opened under.
                        _ = faults.changed() => {}
                    }
                });
            }
        });
        Self { address, fault, accepted }
    }

    pub fn is(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// How often somebody knocked.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    /// As a hub is told of the bucket.
    pub fn address(&self) -> BucketAddress {
        BucketAddress {
            endpoint: format!("http://{}", self.address),
            bucket: BUCKET.to_owned(),
            region: "us-east-1".to_owned(),
            access_key_id: ACCESS_KEY.to_owned(),
            secret_access_key: SECRET_KEY.to_owned(),
        }
    }

    pub fn bucket(&self) -> Bucket {
        Bucket::at(&self.address()).unwrap()
    }
}

async fn carry(client: TcpStream, to: SocketAddr, fault: Fault) -> io::Result<()> {
    if fault == Fault::Down {
        client.set_zero_linger()?;
        return Ok(());
    }
    let (client_reads, mut client_writes) = client.into_split();
    let (server_reads, server_writes) = TcpStream::connect(to).await?.into_split();
    match fault {
        Fault::ErrorAfterSuccess | Fault::SilenceAfterSuccess => {
            let up = tokio::spawn(pipe(client_reads, server_writes, usize::MAX, None));
            let mut answer = [0; 512];
            let mut server_reads = server_reads;
            // It answers once it has done what it was asked.
            let _ = server_reads.read(&mut answer).await?;
            if fault == Fault::SilenceAfterSuccess {
                std::future::pending::<()>().await;
            }
            let error = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            client_writes.write_all(error).await?;
            up.abort();
            Ok(())
        }
        Fault::Stall => {
            let mut client_reads = client_reads;
            let mut nowhere = [0; 4_096];
            while client_reads.read(&mut nowhere).await? > 0 {}
            Ok(())
        }
        Fault::ResetAt(bytes) => {
            let (client_reads, _) = pipe(client_reads, server_writes, bytes, None).await?;
            let client = client_reads.reunite(client_writes).map_err(io::Error::other)?;
            client.set_zero_linger()?;
            Ok(())
        }
        Fault::None | Fault::Down | Fault::Slow(_) => {
            let pace = if let Fault::Slow(rate) = fault { Some(rate) } else { None };
            let down = tokio::spawn(pipe(server_reads, client_writes, usize::MAX, None));
            pipe(client_reads, server_writes, usize::MAX, pace).await?;
            let _ = down.await;
            Ok(())
        }
    }
}

/// Carries at most so many bytes, at so many a second.
async fn pipe(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    most: usize,
    rate: Option<usize>,
) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
    let mut left = most;
    let mut buffer = vec![0; rate.map_or(65_536, |rate| rate / 10)];
    while left > 0 {
        let room = left.min(buffer.len());
        let read = from.read(&mut buffer[..room]).await?;
        if read == 0 {
            break;
        }
        to.write_all(&buffer[..read]).await?;
        left -= read;
        if let Some(rate) = rate {
            tokio::time::sleep(Duration::from_secs_f64(read as f64 / rate as f64)).await;
        }
    }
    Ok((from, to))
}
