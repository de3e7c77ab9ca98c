//! The sample buffer: attendance windows of all lessons before they are stored, one row per end and minute. Pure and
//! bounded. Rows wait here during a store outage; writing a row again is idempotent.

use std::collections::BTreeMap;

use crate::store::Minute;
use school::{
    base::{id::LessonId, time::UnixMs},
    report::{End, quality::Sample, window},
};

/// Duration of a row, in milliseconds.
const MINUTE_MS: i64 = 60_000;

/// Windows per row: enough for a page that reports every change of a bad minute.
const WINDOWS_MAX: usize = 40;

/// Rows buffered: 200 lessons with five ends each for more than 1.5 hours, some 60 MB. Beyond, the oldest is dropped.
const ROWS_MAX: usize = 100_000;

/// Attendance windows that are to be stored.
#[derive(Debug)]
pub struct SampleBuffer {
    run: UnixMs,
    rows: BTreeMap<Key, Row>,
    forgotten: u64,
}

type Key = (LessonId, End, UnixMs);

#[derive(Debug, Default)]
struct Row {
    windows: Vec<Sample>,
    /// How many of them are stored.
    kept: usize,
}

/// A row to be written, and its number of windows.
#[derive(Clone, Debug, PartialEq)]
pub struct PendingRow {
    /// The row as stored.
    pub minute: Minute,
    windows: usize,
}

impl SampleBuffer {
    /// An empty buffer, of a hub started at `run`.
    #[must_use]
    pub fn new(run: UnixMs) -> Self {
        Self { run, rows: BTreeMap::new(), forgotten: 0 }
    }

    /// Adds a window of an end.
    pub fn note(&mut self, lesson_id: LessonId, end: End, sample: Sample) {
        let begun = (lesson_id, end, UnixMs(i64::MIN))..=(lesson_id, end, sample.from);
        let open = self.rows.range_mut(begun).next_back().filter(|(key, row)| {
            sample.until.0 - key.2.0 <= MINUTE_MS
                && row.windows.len() < WINDOWS_MAX
                && row.windows.last().is_none_or(|last| last.until <= sample.from)
        });
        if let Some((_, row)) = open {
            row.windows.push(sample);
            return;
        }
        // After the wall clock went back, a row with this key may exist: it is left as is and this window is dropped.
        self.rows.entry((lesson_id, end, sample.from)).or_insert_with(|| Row { windows: vec![sample], kept: 0 });
        if self.rows.len() > ROWS_MAX {
            let oldest = self.rows.iter().min_by_key(|(key, _)| key.2).map(|(key, _)| *key);
            self.forgotten += u64::from(oldest.and_then(|key| self.rows.remove(&key)).is_some());
        }
    }

    /// Rows with windows that are not stored yet, at most `limit`.
    #[must_use]
    pub fn on_their_way(&self, limit: usize) -> Vec<PendingRow> {
        let behind = self.rows.iter().filter(|(_, row)| row.kept < row.windows.len());
        behind.take(limit).map(|(key, row)| self.row(key, row)).collect()
    }

    /// Marks rows as stored.
    pub fn arrived(&mut self, rows: &[PendingRow]) {
        for row in rows {
            let key = (row.minute.lesson_id, row.minute.end, row.minute.from);
            if let Some(kept) = self.rows.get_mut(&key) {
                kept.kept = kept.kept.max(row.windows);
            }
        }
        // Drops rows that are complete and stored. The newest of each end is still being filled.
        let mut newer: Option<(LessonId, End)> = None;
        let mut whole = Vec::new();
        for (key, row) in self.rows.iter().rev() {
            let end = (key.0, key.1);
            if newer == Some(end) && row.kept == row.windows.len() {
                whole.push(*key);
            }
            newer = Some(end);
        }
        for key in whole {
            self.rows.remove(&key);
        }
    }

    /// All buffered rows of a lesson, stored or not.
    #[must_use]
    pub fn of(&self, lesson_id: LessonId) -> Vec<Minute> {
        self.rows_of(lesson_id).map(|(key, row)| self.row(key, row).minute).collect()
    }

    /// Whether all windows of this lesson are stored.
    #[must_use]
    pub fn is_kept(&self, lesson_id: LessonId) -> bool {
        self.rows_of(lesson_id).all(|(_, row)| row.kept == row.windows.len())
    }

    /// The lesson's report is computed: drops its rows.
    pub fn forget(&mut self, lesson_id: LessonId) {
        let keys: Vec<Key> = self.rows_of(lesson_id).map(|(key, _)| *key).collect();
        for key in keys {
            self.rows.remove(&key);
        }
    }

    /// Total rows dropped because the buffer was full.
    #[must_use]
    pub fn given_up(&self) -> u64 {
        self.forgotten
    }

    /// Rows in the buffer, stored or not.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    fn rows_of(&self, lesson_id: LessonId) -> impl Iterator<Item = (&Key, &Row)> {
        self.rows.range((lesson_id, End::Teacher, UnixMs(i64::MIN))..).take_while(move |(key, _)| key.0 == lesson_id)
    }

    fn row(&self, key: &Key, row: &Row) -> PendingRow {
        let (lesson_id, end, from) = *key;
        let windows = window::write(from, &row.windows);
        PendingRow { minute: Minute { lesson_id, end, from, run: self.run, windows }, windows: row.windows.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use school::fixtures::sample;

    #[test]
    fn a_minute_is_one_row_and_stays_here_until_it_is_whole_and_kept() {
        let mut sample_buffer = SampleBuffer::new(UnixMs(7));
        let lesson_id = LessonId::fresh();
        for n in 0..30 {
            sample_buffer.note(lesson_id, End::Teacher, sample(n * 5, 5_000));
        }
        let rows = sample_buffer.on_their_way(100);
        let from: Vec<i64> = rows.iter().map(|row| row.minute.from.0).collect();
        assert_eq!(from, [0, 60_000, 120_000]);
        assert!(rows.iter().all(|row| row.minute.run == UnixMs(7)));
        // A window is added during the write: the next write has the row with it.
        sample_buffer.note(lesson_id, End::Teacher, sample(150, 5_000));
        sample_buffer.arrived(&rows);
        assert_eq!(sample_buffer.rows(), 1, "the last minute is not over");
        assert!(!sample_buffer.is_kept(lesson_id));
        let again = sample_buffer.on_their_way(100);
        assert_eq!((again.len(), again[0].minute.from), (1, UnixMs(120_000)));
        let windows = window::read(again[0].minute.from, &again[0].minute.windows).unwrap();
        assert_eq!(windows.len(), 7);
        sample_buffer.arrived(&again);
        assert!(sample_buffer.is_kept(lesson_id) && sample_buffer.on_their_way(100).is_empty());
        assert_eq!(sample_buffer.of(lesson_id).len(), 1);
        sample_buffer.forget(lesson_id);
        assert_eq!(sample_buffer.rows(), 0);
    }

    #[test]
    fn lessons_and_ends_do_not_mix() {
        let mut sample_buffer = SampleBuffer::new(UnixMs(0));
        let (one, other) = (LessonId::fresh(), LessonId::fresh());
        let room = End::Classroom(school::base::id::ClassroomId::fresh());
        for (lesson_id, end) in [(one, End::Teacher), (one, room), (other, room)] {
            sample_buffer.note(lesson_id, end, sample(0, 5_000));
        }
        assert_eq!((sample_buffer.of(one).len(), sample_buffer.of(other).len(), sample_buffer.rows()), (2, 1, 3));
        sample_buffer.forget(one);
        assert_eq!((sample_buffer.of(one).len(), sample_buffer.of(other).len()), (0, 1));
    }

    #[test]
    fn a_clock_that_goes_back_writes_nothing_over() {
        let mut sample_buffer = SampleBuffer::new(UnixMs(0));
        let lesson_id = LessonId::fresh();
        sample_buffer.note(lesson_id, End::Teacher, sample(100, 5_000));
        sample_buffer.note(lesson_id, End::Teacher, sample(50, 5_000));
        sample_buffer.note(lesson_id, End::Teacher, sample(100, 1_000));
        let kept: Vec<Sample> =
            sample_buffer.of(lesson_id).iter().flat_map(|row| window::read(row.from, &row.windows).unwrap()).collect();
        assert_eq!(kept.iter().map(|kept| kept.shown_ms).collect::<Vec<_>>(), [5_000, 5_000]);
    }

    #[test]
    fn a_store_that_stays_away_makes_the_oldest_go() {
        let mut sample_buffer = SampleBuffer::new(UnixMs(0));
        let lesson_id = LessonId::fresh();
        for n in 0..=i64::try_from(ROWS_MAX).unwrap() {
            sample_buffer.note(lesson_id, End::Teacher, sample(n * 60, 5_000));
        }
        assert_eq!((sample_buffer.rows(), sample_buffer.given_up()), (ROWS_MAX, 1));
        assert_eq!(sample_buffer.on_their_way(1)[0].minute.from, UnixMs(60_000));
    }
}
