//! The program as it is started: `tongke serve`, and what is asked of it by its command line and over real TCP.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::disallowed_methods, reason = "a program is started, and its log read")]

use std::{
    io::{BufRead, BufReader},
    net::{IpAddr, SocketAddr},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longer than any answer takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// `tongke serve`, on ports of the system's choice. It ends with the test.
pub struct Program {
    pub http: SocketAddr,
    printed: mpsc::Receiver<String>,
    child: Child,
}

/// An answer over TCP.
pub struct Told {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Told {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{} {}", self.head, self.body))
    }

    /// The cookie that it sets.
    pub fn cookie(&self) -> String {
        let line = self.head.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie:"));
        line.unwrap_or_else(|| panic!("{}{}", self.head, self.body))[11..].split(';').next().unwrap().trim().to_owned()
    }
}

impl Program {
    /// Serves this folder, plain HTTP on this address of the machine; answers once it is ready.
    pub fn serve(data: &Path, ip: IpAddr, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tongke"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--log", "json", "--data"]);
        command.arg(data).arg("--http").arg(SocketAddr::new(ip, 0).to_string()).args(more);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).env("RUST_LOG", "info");
        let mut child = command.spawn().unwrap();
        let (printed, read) = mpsc::channel();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || lines.try_for_each(|line| printed.send(line.unwrap_or_default())));
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let http = loop {
            let line = log.next().expect("it gets ready").unwrap();
            let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
            if let Some(http) = line["fields"]["http"].as_str() {
                break http.parse().unwrap();
            }
        };
        // Nobody else reads what it logs.
        std::thread::spawn(move || log.for_each(drop));
        Self { http, printed: read, child }
    }

    /// The next line on its console that has this in it.
    pub fn printed(&self, words: &str) -> String {
        loop {
            let line = self.printed.recv_timeout(PATIENCE).expect("it is printed");
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Asks with a body of JSON, or of SDP, and this cookie or token.
    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Told {
        let mut said = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.http);
        for (name, value) in headers {
            said.push_str(&format!("{name}: {value}\r\n"));
        }
        said.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let answer = said_to(self.http, said.as_bytes()).await.expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        Told { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// POSTs JSON with a cookie.
    pub async fn post(&self, path: &str, cookie: &str, body: &str) -> Told {
        self.ask("POST", path, &[("Cookie", cookie), ("Content-Type", "application/json")], body).await
    }

    /// GETs with a cookie.
    pub async fn get(&self, path: &str, cookie: &str) -> Told {
        self.ask("GET", path, &[("Cookie", cookie)], "").await
    }

    /// Uses a one-time link; answers the cookie.
    pub async fn sign_in(&self, link: &str) -> String {
        let (_, secret) = link.trim().split_once('#').unwrap_or_else(|| panic!("{link}"));
        self.post("/api/v1/sign-in", "", &format!(r#"{{"link":"{secret}"}}"#)).await.cookie()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Says something and waits for the end. `None`: the connection stays open.
pub async fn said_to(door: SocketAddr, bytes: &[u8]) -> Option<String> {
    let mut stream = TcpStream::connect(door).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    // Whoever is sent away with bytes unread gets a reset behind the answer.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

/// What the command line does with these words.
pub fn tongke(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tongke")).args(words).output().unwrap()
}

/// What it prints, where it has done it.
pub fn done(words: &[&str]) -> String {
    let output = tongke(words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What it complains of, where it has not.
pub fn refused(words: &[&str]) -> String {
    let output = tongke(words);
    assert_eq!(output.status.code(), Some(1), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}
