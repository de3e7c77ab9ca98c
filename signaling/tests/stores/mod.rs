//! A database for each test, on each of the two stores. **Rim** of the tests: it starts PostgreSQL.
//!
//! One server for a test binary, made in a folder of its own and gone with the binary: its keeper is a shell that waits
//! for the end of a pipe, and the pipe ends with us, however we end.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::disallowed_methods, reason = "a server is started, and its folder found")]

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Makes two tests of one, each given a fresh database of its own. `Database` and `fresh_postgres_url` must be in scope.
macro_rules! on_both {
    ($(async fn $name:ident($database:ident) $body:block)+) => {
        $(mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn body($database: Database) $body

            #[tokio::test]
            async fn on_sqlite() {
                let folder = tempfile::tempdir().unwrap();
                body(Database::file(&folder.path().join("tongke.sqlite"))).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                body(fresh_postgres_url().parse().unwrap()).await;
            }
        })+
    };
}
pub(crate) use on_both;

/// The URL of a fresh PostgreSQL database.
pub fn fresh_postgres_url() -> String {
    static SERVER: OnceLock<Server> = OnceLock::new();
    static DATABASES: AtomicUsize = AtomicUsize::new(0);
    let server = SERVER.get_or_init(Server::start);
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let made = Command::new(server.bin.join("psql"))
        .args(["-h", &server.folder, "-U", "tongke", "-d", "postgres", "-q", "-c"])
        .arg(format!("create database {name}"))
        .output()
        .expect("psql runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    format!("postgres:///{name}?host={}&user=tongke", server.folder)
}

struct Server {
    bin: PathBuf,
    folder: String,
    _keeper: Child,
}

/// Makes the cluster, runs the server until its input ends, and leaves nothing behind. Durability is for others.
const KEEPER: &str = r#"
set -eu
folder=$(mktemp -d "${TMPDIR:-/tmp}/tongke-pg.XXXXXX")
as=
if [ "$(id -u)" = 0 ]; then
  chown nobody "$folder"
  as="setpriv --reuid nobody --regid nogroup --clear-groups env HOME=$folder"
fi
cd "$folder"
end() { [ -f "$folder/data/postmaster.pid" ] && kill -QUIT "$(head -n 1 "$folder/data/postmaster.pid")"; cd /; rm -rf "$folder"; }
trap end EXIT
$as "$BIN/initdb" -D "$folder/data" -U tongke -A trust --no-sync -E UTF8 --locale=C.UTF-8 >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
$as "$BIN/pg_ctl" -D "$folder/data" -l "$folder/data/server.log" -w -o "-k $folder -c listen_addresses= -c fsync=off \
  -c synchronous_commit=off -c full_page_writes=off -c max_connections=400 -c shared_buffers=32MB" start >"$folder/log" 2>&1 \
  || { cat "$folder/log" "$folder/data/server.log" >&2; exit 1; }
echo "$folder"
# Whoever waits for the end of our output shall not wait for us.
exec >/dev/null 2>&1
cat
"#;

impl Server {
    fn start() -> Self {
        let bin = binaries();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER])
            .env("BIN", &bin)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell runs");
        let mut folder = String::new();
        BufReader::new(keeper.stdout.take().expect("its output is ours")).read_line(&mut folder).expect("it speaks");
        let folder = folder.trim().to_owned();
        assert!(!folder.is_empty(), "PostgreSQL did not start: see above");
        Self { bin, folder, _keeper: keeper }
    }
}

/// Debian keeps the server's programs off the path.
fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").is_file())
        .collect();
    found.sort();
    found.pop().expect("PostgreSQL is installed: run `.ci/setup test`")
}
