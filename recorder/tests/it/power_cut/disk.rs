//! A disk that forgets what was not synced, tears what was half written, and fails when told to.

use std::{
    collections::BTreeMap,
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use recorder::disk::{Disk, DiskFile, space::FreeSpace};

#[derive(Clone, Default)]
pub struct SimDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    seed: u64,
    files: Vec<Contents>,
    /// What the running system sees.
    names: BTreeMap<PathBuf, usize>,
    /// What would be there after a power cut, and the changes to it that were not synced yet.
    durable_names: BTreeMap<PathBuf, usize>,
    pending_names: Vec<NameChange>,
    operations: u64,
    /// How often each kind of operation was asked for.
    kinds: BTreeMap<&'static str, u64>,
    /// Which one was made to fail.
    failed: Option<&'static str>,
    /// Everything that was changed, in order. Empty unless [`SimDisk::keep_history`] was called.
    history: Option<Vec<Change>>,
    written: u64,
    cut_at: Option<u64>,
    fail_at: Option<(u64, i32)>,
    dead: bool,
}

#[derive(Default, Clone)]
struct Contents {
    current: Vec<u8>,
    durable: Vec<u8>,
    /// Written before a sync that failed: the page counts as clean, and never reaches the disk.
    forgotten: Vec<Range<usize>>,
}

/// One change that the running system sees.
#[derive(Clone)]
pub enum Change {
    Make(PathBuf),
    Append(PathBuf, Vec<u8>),
    Cut(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

enum NameChange {
    Set(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl SimDisk {
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State { seed: seed.wrapping_mul(2).wrapping_add(1), ..State::default() })))
    }

    /// The power goes at this operation, counted from now.
    pub fn cut_power_at(&self, operation: u64) {
        let mut state = self.lock();
        state.cut_at = Some(state.operations + operation);
    }

    /// This operation, counted from now, fails once with an errno.
    pub fn fail_at(&self, operation: u64, errno: i32) {
        let mut state = self.lock();
        state.fail_at = Some((state.operations + operation, errno));
    }

    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// How often each kind of operation was asked for so far.
    pub fn kinds(&self) -> BTreeMap<&'static str, u64> {
        self.lock().kinds.clone()
    }

    /// Which kind of operation was made to fail. `None`: it did not come so far.
    pub fn failed(&self) -> Option<&'static str> {
        self.lock().failed
    }

    /// Bytes written to all files so far.
    pub fn written(&self) -> u64 {
        self.lock().written
    }

    /// Keeps every change from now on.
    pub fn keep_history(&self) {
        self.lock().history = Some(Vec::new());
    }

    pub fn history(&self) -> Vec<Change> {
        self.lock().history.clone().unwrap_or_default()
    }

    pub fn random(&self, below: u64) -> u64 {
        self.lock().random(below)
    }

    /// The machine starts again, with what its disk has kept.
    pub fn power_on(&self) {
        let mut state = self.lock();
        state.dead = false;
        state.cut_at = None;
        state.fail_at = None;
        // A journalling file system keeps changes of names in order, up to some point.
        let pending = state.pending_names.len() as u64;
        let kept = state.random(pending + 1) as usize;
        let changes: Vec<NameChange> = state.pending_names.drain(..).take(kept).collect();
        for change in &changes {
            change.apply(&mut state.durable_names);
        }
        state.names = state.durable_names.clone();
        for at in 0..state.files.len() {
            let file = state.files[at].clone();
            let torn = state.tear(&file);
            state.files[at] = Contents { current: torn.clone(), durable: torn, forgotten: Vec::new() };
        }
    }

    /// Everything that the running system sees.
    pub fn snapshot(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.lock();
        state.names.iter().map(|(name, at)| (name.clone(), state.files[*at].current.clone())).collect()
    }

    /// A disk with just these files, all durable.
    pub fn holding(files: &BTreeMap<PathBuf, Vec<u8>>) -> Self {
        let disk = Self::seeded(1);
        {
            let mut state = disk.lock();
            for (name, bytes) in files {
                let at = state.files.len();
                state.files.push(Contents { current: bytes.clone(), durable: bytes.clone(), forgotten: Vec::new() });
                state.names.insert(name.clone(), at);
                state.durable_names.insert(name.clone(), at);
            }
        }
        disk
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn random(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below.max(1)
    }

    fn note(&mut self, change: Change) {
        if let Some(history) = &mut self.history {
            history.push(change);
        }
    }

    /// Counts an operation. Err: the power is gone, or this one fails.
    fn step(&mut self, what: &'static str) -> io::Result<()> {
        if self.dead {
            return Err(io::Error::other("the power is gone"));
        }
        self.operations += 1;
        *self.kinds.entry(what).or_default() += 1;
        if self.cut_at == Some(self.operations) {
            self.dead = true;
            return Err(io::Error::other("the power is gone"));
        }
        match self.fail_at {
            Some((at, errno)) if at == self.operations => {
                self.failed = Some(what);
                Err(io::Error::from_raw_os_error(errno))
            }
            _ => Ok(()),
        }
    }

    /// Of what was not synced any block may be there, or not, and the length may be there before the bytes.
    fn tear(&mut self, file: &Contents) -> Vec<u8> {
        let (short, long) = (file.durable.len().min(file.current.len()), file.durable.len().max(file.current.len()));
        if file.durable == file.current {
            return file.durable.clone();
        }
        let len = short + self.random((long - short) as u64 + 1) as usize;
        let mut torn = vec![0; len];
        for start in (0..len).step_by(512) {
            let end = (start + 512).min(len);
            let durable = self.random(2) == 0;
            for (at, byte) in torn.iter_mut().enumerate().take(end).skip(start) {
                let (old, new) = (file.durable.get(at), file.current.get(at));
                let forgotten = file.forgotten.iter().any(|range| range.contains(&at));
                *byte = match (old, new) {
                    (Some(old), Some(new)) if old == new => *old,
                    (old, _) if durable || forgotten => old.copied().unwrap_or(0),
                    (_, new) => new.copied().unwrap_or(0),
                };
            }
        }
        torn
    }
}

impl Change {
    /// Makes the change to what the running system sees. `len`: of what is appended, only so many bytes.
    pub fn apply(&self, files: &mut BTreeMap<PathBuf, Vec<u8>>, len: usize) {
        match self {
            Self::Make(path) => drop(files.insert(path.clone(), Vec::new())),
            Self::Append(path, bytes) => files.get_mut(path).unwrap().extend_from_slice(&bytes[..len]),
            Self::Cut(path, len) => files.get_mut(path).unwrap().resize(*len, 0),
            Self::Rename(from, to) => {
                let contents = files.remove(from).unwrap();
                files.insert(to.clone(), contents);
            }
            Self::Remove(path) => drop(files.remove(path)),
        }
    }

    /// How many bytes it writes.
    pub fn len(&self) -> usize {
        if let Self::Append(_, bytes) = self { bytes.len() } else { 0 }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Set(path, at) => {
                names.insert(path.clone(), *at);
            }
            Self::Rename(from, to) => {
                if let Some(at) = names.remove(from) {
                    names.insert(to.clone(), at);
                }
            }
            Self::Remove(path) => {
                names.remove(path);
            }
        }
    }
}

impl Disk for SimDisk {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        self.lock().step("create_dir")
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut state = self.lock();
        state.step("list")?;
        let inside = state.names.keys().filter(|name| name.parent() == Some(path));
        Ok(inside.filter_map(|name| Some(name.file_name()?.to_str()?.to_owned())).collect())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut state = self.lock();
        state.step("read")?;
        let at = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(state.files[at].current.clone())
    }

    fn open(&self, path: &Path, len: u64) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock();
        state.step("open")?;
        let at = match state.names.get(path) {
            Some(at) => *at,
            None => {
                let at = state.files.len();
                state.files.push(Contents::default());
                let change = NameChange::Set(path.to_owned(), at);
                change.apply(&mut state.names);
                state.pending_names.push(change);
                state.note(Change::Make(path.to_owned()));
                at
            }
        };
        let len = len as usize;
        if state.files[at].current.len() != len {
            state.note(Change::Cut(path.to_owned(), len));
        }
        let file = &mut state.files[at];
        file.current.resize(len, 0);
        file.forgotten.retain_mut(|range| {
            range.end = range.end.min(len);
            range.start < range.end
        });
        Ok(Box::new(SimFile { disk: self.clone(), at, path: path.to_owned() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.step("rename")?;
        state.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        state.note(Change::Rename(from.to_owned(), to.to_owned()));
        let change = NameChange::Rename(from.to_owned(), to.to_owned());
        change.apply(&mut state.names);
        state.pending_names.push(change);
        Ok(())
    }

    fn free_space(&self, _: &Path) -> io::Result<FreeSpace> {
        Ok(FreeSpace { free_bytes: 1 << 40, total_bytes: 1 << 40, free_files: 0, total_files: 0 })
    }

    fn reserve_file(&self, _: &Path, _: u64) -> io::Result<()> {
        self.lock().step("reserve_file")
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.step("remove")?;
        state.note(Change::Remove(path.to_owned()));
        let change = NameChange::Remove(path.to_owned());
        change.apply(&mut state.names);
        state.pending_names.push(change);
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.step("sync_dir")?;
        let changes: Vec<NameChange> = state.pending_names.drain(..).collect();
        for change in &changes {
            change.apply(&mut state.durable_names);
        }
        Ok(())
    }
}

struct SimFile {
    disk: SimDisk,
    at: usize,
    /// Under which it was opened.
    path: PathBuf,
}

impl DiskFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.lock();
        let was_dead = state.dead;
        let result = state.step("write");
        // A write that fails, or in which the power goes, may have got some way.
        let done = if result.is_ok() { bytes.len() } else { state.random(bytes.len() as u64 + 1) as usize };
        if !was_dead {
            let at = self.at;
            state.files[at].current.extend_from_slice(&bytes[..done]);
            state.written += done as u64;
            state.note(Change::Append(self.path.clone(), bytes[..done].to_vec()));
        }
        result
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.lock();
        let was_dead = state.dead;
        let result = state.step("sync");
        let dead = state.dead;
        let file = &mut state.files[self.at];
        match &result {
            Ok(()) => {
                let old = std::mem::replace(&mut file.durable, file.current.clone());
                for at in file.forgotten.iter().flat_map(Clone::clone) {
                    file.durable[at] = old.get(at).copied().unwrap_or(0);
                }
            }
            Err(_) if !was_dead && !dead => {
                let range = file.durable.len().min(file.current.len())..file.current.len();
                file.forgotten.push(range);
            }
            Err(_) => {}
        }
        result
    }
}
