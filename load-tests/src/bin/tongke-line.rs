//! A rural line between two network namespaces, for real browsers: `netns.sh` makes the namespaces and starts this.
//!
//! It opens a TUN device `line0` in each namespace and carries packets between them as [`load_tests::line`] shapes
//! them. A line on standard input such as `down rate_kbps=300,loss_pct=5` or `up preset=dead` changes a direction at
//! once.
#![allow(unsafe_code, reason = "a TUN device is opened by an ioctl that takes a kernel structure")]
#![expect(clippy::disallowed_methods, reason = "I/O: it opens devices, starts threads and reads the clock")]

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, Read, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result};
use clap::Parser;
use load_tests::line::{Line, Link};
use nix::{ioctl_write_ptr_bad, request_code_write, sched::CloneFlags, sched::setns};

/// Joins two network namespaces by a line with rate, queue, delay, jitter and loss.
#[derive(Debug, Parser)]
#[command(name = "tongke-line", version)]
struct Arguments {
    /// Namespace of the classroom.
    classroom: String,
    /// Namespace of the hub.
    hub: String,
    /// Classroom to hub, as `rate_kbps=300,delay_ms=40,jitter_ms=5,loss_pct=5,burst=3,queue_ms=300` or `preset=300k`.
    #[arg(long, default_value = "clean", value_parser = Line::parse)]
    up: Line,
    /// Hub to classroom.
    #[arg(long, default_value = "clean", value_parser = Line::parse)]
    down: Line,
    /// The same seed loses the same packets.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// One direction, shared by the thread that reads and the one that delivers.
struct Direction {
    link: Mutex<Link<Vec<u8>>>,
    sent: Condvar,
}

impl Direction {
    fn new(line: Line, seed: u64) -> Arc<Self> {
        Arc::new(Self { link: Mutex::new(Link::new(line, seed)), sent: Condvar::new() })
    }

    fn link(&self) -> MutexGuard<'_, Link<Vec<u8>>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, mut from: File) {
        let mut buffer = vec![0; 65_536];
        // Reading a device that is down fails, until it is up again.
        loop {
            let Ok(length) = from.read(&mut buffer) else { continue };
            self.link().send(Instant::now(), length, buffer[..length].to_vec());
            self.sent.notify_one();
        }
    }

    fn deliver(&self, mut to: File) {
        let mut link = self.link();
        loop {
            let now = Instant::now();
            if let Some(packet) = link.poll(now) {
                drop(link);
                let _ = to.write(&packet); // a full device loses the packet, as any line may
                link = self.link();
                continue;
            }
            link = match link.poll_timeout() {
                Some(due) => {
                    let waited = self.sent.wait_timeout(link, due.saturating_duration_since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.sent.wait(link).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let classroom = open_device(&arguments.classroom)?;
    let hub = open_device(&arguments.hub)?;
    let up = Direction::new(arguments.up, arguments.seed);
    let down = Direction::new(arguments.down, arguments.seed.rotate_left(17) ^ 1);
    for (direction, from, to) in [(&up, &classroom, &hub), (&down, &hub, &classroom)] {
        let (from, to) = (from.try_clone()?, to.try_clone()?);
        let (reader, deliverer) = (direction.clone(), direction.clone());
        thread::spawn(move || reader.read(from));
        thread::spawn(move || deliverer.deliver(to));
    }
    println!("ready");
    for command in std::io::stdin().lock().lines().map_while(Result::ok) {
        println!("{}", obey(command.trim(), &up, &down));
    }
    loop {
        thread::park(); // standard input has ended: carry on until killed
    }
}

fn obey(command: &str, up: &Direction, down: &Direction) -> String {
    let (name, settings) = command.split_once(' ').unwrap_or((command, ""));
    let direction = match name {
        "up" => up,
        "down" => down,
        "counts" => return format!("up {} down {}", describe(up), describe(down)),
        _ => return format!("refused: {command}: up, down or counts"),
    };
    let mut link = direction.link();
    let mut line = link.line();
    match line.set(settings) {
        Ok(()) => {
            link.set(line);
            format!("{name} {line:?}")
        }
        Err(problem) => format!("refused: {problem}"),
    }
}

fn describe(direction: &Direction) -> String {
    let link = direction.link();
    format!("{:?} waiting_ms={}", link.counts(), link.waiting(Instant::now()).as_millis())
}

/// Opens the device in a namespace. The calling thread stays there, which does no harm: it opens no socket.
fn open_device(namespace: &str) -> Result<File> {
    let path = format!("/var/run/netns/{namespace}");
    let namespace_file = File::open(&path).with_context(|| format!("no namespace {path}"))?;
    setns(namespace_file, CloneFlags::CLONE_NEWNET).with_context(|| format!("cannot enter {path}: root is needed"))?;
    let device = OpenOptions::new().read(true).write(true).open("/dev/net/tun").context("cannot open /dev/net/tun")?;
    let mut request = InterfaceRequest { name: [0; 16], flags: IFF_TUN | IFF_NO_PI, unused: [0; 22] };
    request.name[..DEVICE.len()].copy_from_slice(DEVICE);
    // SAFETY: the descriptor is a TUN device and `request` has the layout and size of the kernel's `struct ifreq`,
    // which TUNSETIFF only reads its name and flags from and writes its name to.
    unsafe { tun_set_interface(std::os::fd::AsRawFd::as_raw_fd(&device), &raw const request) }
        .with_context(|| format!("cannot make a device in {path}"))?;
    Ok(device)
}

/// `struct ifreq` as TUNSETIFF reads it.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: i16,
    unused: [u8; 22],
}

ioctl_write_ptr_bad!(
    /// TUNSETIFF of linux/if_tun.h.
    tun_set_interface,
    request_code_write!(b'T', 202, size_of::<i32>()),
    InterfaceRequest
);

const DEVICE: &[u8] = b"line0";
const IFF_TUN: i16 = 0x0001;
const IFF_NO_PI: i16 = 0x1000;
