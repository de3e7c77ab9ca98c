//! Retention job: measures recordings once a minute, and once a day deletes what has expired. `TrustedClock` decides
//! whether the wall clock can be trusted for that, [`retention`](school::retention) what is due; this job applies it to
//! disk, bucket and store.
//!
//! It may be interrupted anywhere. A recording is marked as being deleted in the store before its first file is gone,
//! and the next run finishes it; its tombstone is written when all of it is gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::civil::Date;
use tracing::{error, info, warn};

use crate::{
    app::App,
    error_chain::chain,
    store::{
        AuditRow, StoreError,
        retention::{
            Deletion, RetainedFilter, RetainedRecording,
            expiry::{ExpiringId, Retired},
            policy::Policies,
            run::{RetentionRun, RunOutcome},
            storage::Counted,
        },
    },
};
use school::{
    account::system_scope,
    base::{id::RecordingId, time::UnixMs, zone::school_day},
    retention::{
        DataClass, DeletionRule, RetentionStep, StorageState, quota::QuotaNotice, run_bound, trusted_clock::Trust,
    },
};

impl App {
    /// Measures recordings and applies retention until the hub stops.
    pub async fn archive_store(self) {
        let mut rounds = tokio::time::interval(ROUND_EVERY);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = rounds.tick() => {}
                () = self.stopping() => return,
            }
            if let Err(error) = self.round().await {
                error!(error = chain(&error), "What recordings take could not be counted");
            }
        }
    }

    /// One round: measures, and does what is due.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not answer; the next round tries again.
    pub async fn round(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.retention.note_time(&self.clock);
        self.count().await?;
        let (runs, evicts, looks) = {
            let state = self.retention.state();
            (now.steady >= state.runs_at, now.steady >= state.evicts_at, now.steady >= state.looks_at)
        };
        if looks {
            self.look_ahead().await?;
            self.retention.state().looks_at = now.steady + EVICT_EVERY;
        }
        if evicts {
            self.evict().await?;
            self.retention.state().evicts_at = now.steady + EVICT_EVERY;
        }
        if runs {
            self.retention.state().runs_at = now.steady + RUN_EVERY;
            let run = self.go_through_retention().await?;
            let RetentionRun { marked, deleted, clips, samples, attendance, held_back, .. } = run;
            match run.outcome {
                RunOutcome::Done => {
                    info!(marked, deleted, clips, samples, attendance, "Retention: {marked} marked, {deleted} deleted");
                }
                RunOutcome::TooMany => warn!(
                    marked,
                    deleted,
                    clips,
                    samples,
                    attendance,
                    held_back,
                    "Retention: {held_back} more are due than one run may do"
                ),
                RunOutcome::ClockMoved => error!(off_ms = run.off_ms, "Retention deletes nothing: the clock was moved"),
            }
        }
        Ok(())
    }

    /// Measures new recordings, and updates which schools are over their quota.
    async fn count(&self) -> Result<(), StoreError> {
        let scope = system_scope::retention();
        let mut counted = Vec::new();
        for one in self.store.uncounted(&scope, COUNTED_AT_ONCE).await? {
            let recordings = self.recordings.clone();
            let measured = tokio::task::spawn_blocking(move || recordings.measure(one.recording_id)).await;
            let Ok(measured) = measured else { continue };
            let is_over = one.is_sealed && measured.seal_sha256.is_some();
            counted.push(Counted {
                recording_id: one.recording_id,
                state: if is_over { StorageState::Sealed } else { StorageState::Live },
                size_bytes: measured.size_bytes,
                duration_ms: measured.duration_ms,
                recorded_on: school_day(one.started_at),
                ended_at: one.ended_at.filter(|_| is_over).unwrap_or(one.started_at),
                seal_sha256: measured.seal_sha256.filter(|_| is_over),
            });
        }
        if !counted.is_empty() {
            self.store.count_recordings(&scope, &counted).await?;
        }
        if let Some(mirror) = self.recordings.mirror() {
            let unmirrored = self.store.unmirrored(&scope, COUNTED_AT_ONCE).await?;
            let whole: Vec<RecordingId> =
                unmirrored.into_iter().filter(|id| mirror.is_whole(recorder::RecordingId(id.uuid()))).collect();
            if !whole.is_empty() {
                self.store.note_mirrored(&scope, &whole).await?;
            }
        }
        let mut full = BTreeSet::new();
        let mut after = None;
        loop {
            let page = self.store.use_of_schools(&scope, school_day(self.clock.wall()), after, SCHOOLS_AT_ONCE).await?;
            after = page.last().map(|school| school.organisation_id);
            let is_last = page.len() < SCHOOLS_AT_ONCE as usize;
            let used_up = page.into_iter().filter(|one| one.quota.notice(one.used) == Some(QuotaNotice::Full));
            full.extend(used_up.map(|school| school.path));
            if is_last {
                break;
            }
        }
        self.recordings.fill(full);
        Ok(())
    }

    /// Sums up what retention will delete on each coming day.
    async fn look_ahead(&self) -> Result<(), StoreError> {
        let scope = system_scope::retention();
        let policies = self.store.policies(&scope).await?;
        let (mut days, mut after) = (BTreeMap::<Date, u64>::new(), None);
        loop {
            let ask = RetainedFilter { after, limit: COUNTED_AT_ONCE, ..RetainedFilter::default() };
            let page = self.store.retained_recordings(&scope, &ask).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.ended_at, last.recording_id));
            for retained in &page {
                if let Some(at) = retained.item().deletes_at(&policies.at(&retained.path)) {
                    *days.entry(school_day(at)).or_default() += retained.size_bytes;
                }
            }
        }
        self.retention.state().leaving = days.into_iter().collect();
        Ok(())
    }

    /// Evicts local copies that the bucket has confirmed: those old enough, and the oldest first while the disk runs
    /// short.
    async fn evict(&self) -> Result<(), StoreError> {
        let Some(mirror) = self.recordings.mirror() else { return Ok(()) };
        let scope = system_scope::retention();
        let (mut after, now) = (None, self.clock.wall());
        loop {
            let states = vec![StorageState::Archived];
            let ask = RetainedFilter { states, after, limit: COUNTED_AT_ONCE, ..RetainedFilter::default() };
            let page = self.store.retained_recordings(&scope, &ask).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some((last.ended_at, last.recording_id));
            for retained in page.iter().filter(|retained| retained.is_mirrored) {
                let old = self.recordings.local_kept().is_some_and(|local| now >= retained.ended_at.plus(local));
                if !old && !self.recordings.disk().is_short() {
                    return Ok(()); // All later ones are younger.
                }
                let id = recorder::RecordingId(retained.recording_id.uuid());
                match mirror.evict(id).await {
                    Ok(0) => {}
                    Ok(freed) => info!(recording.id = %id, freed, "Recording {id} is in the bucket alone now"),
                    Err(error) => warn!(recording.id = %id, error = chain(&error), "Recording {id} stays on the disk"),
                }
            }
        }
    }

    /// Goes through all recordings: marks what has expired, deletes what was marked a week ago, finishes what it began;
    /// then through clips, samples and attendance, which expire by age alone. Once a day, despite restarts.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not answer; the next run finishes what was begun.
    pub async fn go_through_retention(&self) -> Result<RetentionRun, StoreError> {
        let scope = system_scope::retention();
        let now = self.clock.now();
        let before = self.store.retention_run(&scope).await?;
        let confirmed = before.confirmed_by.is_some();
        if confirmed {
            self.retention.state().clock.believe(now);
        }
        let mut run = RetentionRun { ran_at: Some(now.wall), ..RetentionRun::default() };
        if let Trust::Moved(off_ms) = self.retention.trust(now) {
            run = RetentionRun { outcome: RunOutcome::ClockMoved, off_ms, ran_at: before.ran_at, ..run };
            self.store.save_retention_run(&scope, &run).await?;
            return Ok(run);
        }
        // Restarts do not count as days.
        let too_early = before.ran_at.is_some_and(|ran_at| now.wall < ran_at.plus(RUN_APART));
        if !too_early || confirmed {
            self.store.count_run(&scope).await?;
        }
        let policies = self.store.policies(&scope).await?;
        let bound = run_bound(
            usize::try_from(self.store.retained_totals(&scope).await?.recordings).unwrap_or(usize::MAX),
            confirmed,
        );
        let (mut marks, mut deletions) = (bound, bound);
        let mut after = None;
        loop {
            let ask = RetainedFilter { after, limit: COUNTED_AT_ONCE, ..RetainedFilter::default() };
            let page = self.store.retained_recordings(&scope, &ask).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.ended_at, last.recording_id));
            for retained in &page {
                let mut item = retained.item();
                item.is_mirrored |= self.recordings.mirror().is_none();
                let step = item.due(&policies.at(&retained.path), now.wall);
                let left = match step {
                    Some(RetentionStep::Mark) => &mut marks,
                    Some(RetentionStep::Delete) => &mut deletions,
                    Some(step) => {
                        self.take(retained, step, now.wall).await?;
                        run.deleted += u64::from(step == RetentionStep::Finish);
                        continue;
                    }
                    None => continue,
                };
                if *left == 0 {
                    run.held_back += 1;
                    run.outcome = RunOutcome::TooMany;
                    continue;
                }
                *left -= 1;
                let step = step.unwrap_or(RetentionStep::Archive);
                if self.take(retained, step, now.wall).await? {
                    *(if step == RetentionStep::Mark { &mut run.marked } else { &mut run.deleted }) += 1;
                }
            }
        }
        if !too_early || confirmed {
            for class in [DataClass::Clips, DataClass::Samples, DataClass::Attendance] {
                self.expire_records(class, &policies, confirmed, &mut run).await?;
            }
        }
        self.store.save_retention_run(&scope, &run).await?;
        Ok(run)
    }

    /// Goes through a data class that expires by age alone, and deletes what is due.
    async fn expire_records(
        &self,
        class: DataClass,
        policies: &Policies,
        confirmed: bool,
        run: &mut RetentionRun,
    ) -> Result<(), StoreError> {
        let (scope, now) = (system_scope::retention(), self.clock.wall());
        let Some(shortest) = policies.shortest(class) else { return Ok(()) };
        let all = usize::try_from(self.store.count_expiring(&scope, class).await?).unwrap_or(usize::MAX);
        let (mut left, mut after) = (run_bound(all, confirmed), None);
        loop {
            let page = self.store.expiring(&scope, class, now.minus(shortest), after, COUNTED_AT_ONCE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            for expiring in page {
                let policy = policies.at(&expiring.path);
                if !expiring.item.is_due(&policy, now) {
                    continue;
                }
                if left == 0 {
                    run.held_back += 1;
                    run.outcome = RunOutcome::TooMany;
                    continue;
                }
                left -= 1;
                match self.store.retire(&scope, expiring.id, &policy, now).await? {
                    Retired::Done => match expiring.id {
                        ExpiringId::Clip(_) => run.clips += 1,
                        ExpiringId::Samples(_) => run.samples += 1,
                        ExpiringId::Attendance(_) => run.attendance += 1,
                    },
                    Retired::Skipped => {}
                    Retired::Edited(edited) => error!(error = chain(&edited), "What was edited is not deleted"),
                }
            }
        }
    }

    /// Takes one step with one recording. False: it is not possible now.
    async fn take(&self, retained: &RetainedRecording, step: RetentionStep, now: UnixMs) -> Result<bool, StoreError> {
        let (scope, id) = (system_scope::retention(), retained.recording_id);
        let row = |act| AuditRow::by_system(now, act, format!("recording:{id}"));
        match step {
            RetentionStep::Archive => self.store.archive_recording(&scope, id).await.map(|()| true),
            RetentionStep::Mark => {
                let deletion = Deletion {
                    since: now,
                    rule: DeletionRule::Retention,
                    by: "system".to_owned(),
                    reason: String::new(),
                };
                self.store.mark_for_deletion(&scope, id, &deletion, row("mark_for_deletion")).await
            }
            RetentionStep::Unmark => self.store.unmark(&scope, id, row("take_deletion_back")).await,
            RetentionStep::Delete => {
                Ok(self.store.begin_deletion(&scope, id, now).await? && self.erase(retained, now).await?)
            }
            RetentionStep::Finish => self.erase(retained, now).await,
        }
    }

    /// Files first, so that no more is copied, then objects, then the tombstone. False: the next run continues.
    async fn erase(&self, retained: &RetainedRecording, now: UnixMs) -> Result<bool, StoreError> {
        let (recordings, recording_id) = (self.recordings.clone(), retained.recording_id);
        let id = recorder::RecordingId(recording_id.uuid());
        if self.recordings.mirror().is_some_and(|mirror| !mirror.cancel_uploads(id)) {
            return Ok(false);
        }
        let removed = tokio::task::spawn_blocking(move || recordings.remove(recording_id)).await;
        if !matches!(removed, Ok(true)) {
            return Ok(false);
        }
        if let Some(mirror) = self.recordings.mirror()
            && let Err(error) = mirror.remove(id).await
        {
            warn!(recording.id = %id, error = chain(&error), "Recording {id} is still in the bucket");
            return Ok(false);
        }
        self.store.mark_deleted(&system_scope::retention(), retained, now).await?;
        Ok(true)
    }
}

/// Interval at which the size of a running recording is measured.
const ROUND_EVERY: Duration = Duration::from_secs(60);

const RUN_EVERY: Duration = Duration::from_secs(24 * 3_600);
const EVICT_EVERY: Duration = Duration::from_secs(3_600);

/// Runs closer together than this count as one for the week before a deletion.
const RUN_APART: Duration = Duration::from_secs(20 * 3_600);

/// Recordings read per statement.
const COUNTED_AT_ONCE: u32 = 500;
const SCHOOLS_AT_ONCE: u32 = 500;
