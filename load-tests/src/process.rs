//! What the kernel reports of processes and threads: processor time, memory, affinity.
#![expect(clippy::disallowed_methods, reason = "I/O: it reads /proc")]

use std::{
    collections::HashMap,
    fs,
    ops::Sub,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::resource::{Resource, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
    unistd::Pid,
};

/// Time on a processor against time passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy {
    at: Stamp,
    cpu: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stamp {
    Moment(Instant),
    Span(Duration),
}

impl Busy {
    /// 1 is a whole processor.
    #[must_use]
    pub fn share(&self) -> f64 {
        match self.at {
            Stamp::Span(span) if !span.is_zero() => self.cpu.as_secs_f64() / span.as_secs_f64(),
            _ => 0.0,
        }
    }

    /// Time on a processor.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        self.cpu
    }
}

impl Sub for Busy {
    type Output = Self;

    /// What lies between two readings of the same thread, the later one first.
    fn sub(self, earlier: Self) -> Self {
        let span = match (self.at, earlier.at) {
            (Stamp::Moment(now), Stamp::Moment(then)) => now.saturating_duration_since(then),
            _ => Duration::ZERO,
        };
        Self { at: Stamp::Span(span), cpu: self.cpu.saturating_sub(earlier.cpu) }
    }
}

/// The calling thread's time so far.
///
/// # Errors
/// The clock cannot be read.
pub fn thread_busy() -> Result<Busy> {
    let cpu = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into();
    Ok(Busy { at: Stamp::Moment(Instant::now()), cpu })
}

/// Pins the calling thread to one processor.
///
/// # Errors
/// There is no such processor for us.
pub fn pin(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("cannot run on processor {cpu}"))
}

/// Raises the limit of open files to the hard limit.
///
/// # Errors
/// The limits cannot be read or set.
pub fn raise_file_limit() -> Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}

/// One reading of another process.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Processor time of each of its threads.
    threads: HashMap<u32, Thread>,
    /// Resident memory.
    pub resident_bytes: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Thread {
    exact: Option<Duration>,
    user: Duration,
    system: Duration,
}

/// Processor time that a process used between two readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// All of it: exact where the kernel has schedstat, else the sum of user and system.
    pub total: Duration,
    /// In the program, sampled in clock ticks.
    pub user: Duration,
    /// In the kernel, sampled in clock ticks.
    pub system: Duration,
}

impl Reading {
    /// # Errors
    /// There is no such process, or it is not ours to read.
    pub fn take(pid: u32) -> Result<Self> {
        Self::take_threads(pid, "")
    }

    /// As [`Self::take`], of the threads alone whose names begin with `prefix`; the memory is the whole process's.
    ///
    /// # Errors
    /// There is no such process, or it is not ours to read.
    pub fn take_threads(pid: u32, prefix: &str) -> Result<Self> {
        let folder = format!("/proc/{pid}");
        let status = fs::read_to_string(format!("{folder}/status")).with_context(|| format!("no process {pid}"))?;
        let mut threads = HashMap::new();
        for entry in fs::read_dir(format!("{folder}/task"))?.flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let read = |name: &str| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
            if !prefix.is_empty() && !read("comm").starts_with(prefix) {
                continue;
            }
            let exact =
                read("schedstat").split(' ').next().and_then(|word| word.parse().ok()).map(Duration::from_nanos);
            let (user, system) = ticks(&read("stat")).unwrap_or_default();
            threads.insert(id, Thread { exact, user, system });
        }
        Ok(Self { threads, resident_bytes: field_kib(&status, "VmRSS:") * 1_024 })
    }

    /// The time used since `earlier`. Threads that ended in between are not counted.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> CpuTime {
        let mut time = CpuTime::default();
        for (id, now) in &self.threads {
            let then = earlier
                .threads
                .get(id)
                .copied()
                .unwrap_or(Thread { exact: now.exact.map(|_| Duration::ZERO), ..Thread::default() });
            let (user, system) = (now.user.saturating_sub(then.user), now.system.saturating_sub(then.system));
            let exact = now.exact.zip(then.exact).map(|(now, then)| now.saturating_sub(then));
            time.user += user;
            time.system += system;
            time.total += exact.unwrap_or(user + system);
        }
        time
    }
}

/// The one processor that a process may run on. `None`: it may run on several.
///
/// # Errors
/// There is no such process.
pub fn only_cpu(pid: u32) -> Result<Option<usize>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("no process {pid}"))?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    Ok(list.and_then(|list| list.trim().parse().ok()))
}

/// Fields 14 and 15 of `stat`, counted after the name, which may hold spaces.
fn ticks(stat: &str) -> Option<(Duration, Duration)> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || Some(Duration::from_millis(fields.next()?.parse::<u64>().ok()? * TICK_MS));
    Some((next()?, next()?))
}

fn field_kib(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// USER_HZ is 100 on every Linux that we run on.
const TICK_MS: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_does_not_shift_the_fields() {
        let stat = "7 (a (b) c) S 1 1 1 0 -1 0 0 0 0 0 250 50 0 0 20 0 1";
        assert_eq!(ticks(stat), Some((Duration::from_millis(2_500), Duration::from_millis(500))));
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn our_own_process_can_be_read() {
        let reading = Reading::take(std::process::id()).unwrap();
        assert!(reading.resident_bytes > 0);
        assert!(reading.since(&reading).total.is_zero());
    }
}
