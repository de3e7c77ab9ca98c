//! A real S3 server on a folder, and a proxy in front of it that injects faults.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::disallowed_methods, reason = "a server is started, and its folder looked at")]

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
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
        let mut server = Self { process, address: free, folder };
        // Another test may have taken the port between the probe and the server's own bind: the server exits then.
        while !server.ready().await {
            server.address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
            server.process = spawn(server.address, server.folder.path());
        }
        server
    }

    /// `kill -9`, and begun anew on the same folder.
    pub async fn kill_and_start(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = spawn(self.address, self.folder.path());
        assert!(self.ready().await, "its port is still free");
    }

    /// Waits until the server accepts connections. False: it has exited.
    async fn ready(&mut self) -> bool {
        for _ in 0..200 {
            let accepts = TcpStream::connect(self.address).await.is_ok();
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            if accepts {
                return true;
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

/// A fault of the network path to the bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Connections are refused.
    Down,
    /// The object is made, and the answer says 500.
    ErrorAfterSuccess,
    /// The object is made, and no answer comes.
    SilenceAfterSuccess,
    /// What is sent goes nowhere, and no answer comes.
    Stall,
    /// The connection is reset after so many bytes.
    ResetAt(usize),
    /// After so many bytes of a connection nothing moves any more, without an error.
    HangsAt(usize),
    /// At so many bytes a second, which all connections share.
    Slow(usize),
}

/// A proxy in front of the server.
pub struct Way {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    accepted: Arc<AtomicU64>,
    line: Arc<Line>,
}

/// What all connections share on the way up.
struct Line {
    /// When it has carried all that was given to it.
    free_at: Mutex<Instant>,
    carried_bytes: AtomicU64,
}

impl Line {
    /// Waits for the end of one's turn on a line of so many bytes a second. `None`: it is wide.
    async fn carry(&self, bytes: usize, rate: Option<usize>) {
        self.carried_bytes.fetch_add(bytes as u64, Ordering::SeqCst);
        let Some(rate) = rate else { return };
        let until = {
            let mut free_at = self.free_at.lock().unwrap();
            *free_at = free_at.max(Instant::now()) + Duration::from_secs_f64(bytes as f64 / rate as f64);
            *free_at
        };
        tokio::time::sleep_until(until.into()).await;
    }
}

impl Way {
    pub async fn to(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (fault, faults) = watch::channel(Fault::None);
        let (address, to) = (listener.local_addr().unwrap(), server.address);
        let accepted = Arc::new(AtomicU64::new(0));
        let line = Arc::new(Line { free_at: Mutex::new(Instant::now()), carried_bytes: AtomicU64::new(0) });
        let (counted, shared) = (accepted.clone(), line.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut faults = faults.clone();
                let fault = *faults.borrow_and_update();
                let line = shared.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = carry(client, to, fault, &line) => {}
                        // Whatever is open ends with the fault that it was opened under.
                        _ = faults.changed() => {}
                    }
                });
            }
        });
        Self { address, fault, accepted, line }
    }

    pub fn is(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// How many connections were accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    /// How many bytes went up.
    pub fn carried_bytes(&self) -> u64 {
        self.line.carried_bytes.load(Ordering::SeqCst)
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

async fn carry(client: TcpStream, to: SocketAddr, fault: Fault, line: &Arc<Line>) -> io::Result<()> {
    if fault == Fault::Down {
        client.set_zero_linger()?;
        return Ok(());
    }
    let (client_reads, mut client_writes) = client.into_split();
    let (server_reads, server_writes) = TcpStream::connect(to).await?.into_split();
    match fault {
        Fault::ErrorAfterSuccess | Fault::SilenceAfterSuccess => {
            let up = tokio::spawn(pipe(client_reads, server_writes, usize::MAX, Some((line.clone(), None))));
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
            let (client_reads, _) = pipe(client_reads, server_writes, bytes, Some((line.clone(), None))).await?;
            let client = client_reads.reunite(client_writes).map_err(io::Error::other)?;
            client.set_zero_linger()?;
            Ok(())
        }
        Fault::HangsAt(bytes) => {
            let _down = tokio::spawn(pipe(server_reads, client_writes, usize::MAX, None));
            let _open = pipe(client_reads, server_writes, bytes, Some((line.clone(), None))).await?;
            std::future::pending().await
        }
        Fault::None | Fault::Down | Fault::Slow(_) => {
            let rate = if let Fault::Slow(rate) = fault { Some(rate) } else { None };
            let down = tokio::spawn(pipe(server_reads, client_writes, usize::MAX, None));
            pipe(client_reads, server_writes, usize::MAX, Some((line.clone(), rate))).await?;
            let _ = down.await;
            Ok(())
        }
    }
}

/// Carries at most so many bytes; on the way up over a line, at so many a second.
async fn pipe(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    most: usize,
    line: Option<(Arc<Line>, Option<usize>)>,
) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
    let mut left = most;
    let rate = line.as_ref().and_then(|(_, rate)| *rate);
    let mut buffer = vec![0; rate.map_or(65_536, |rate| rate / 20)];
    while left > 0 {
        let room = left.min(buffer.len());
        let read = from.read(&mut buffer[..room]).await?;
        if read == 0 {
            break;
        }
        if let Some((line, rate)) = &line {
            line.carry(read, *rate).await;
        }
        to.write_all(&buffer[..read]).await?;
        left -= read;
    }
    Ok((from, to))
}
