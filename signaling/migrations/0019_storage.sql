-- What is kept of recordings: how much, for how long, who holds it, and how it went.

-- One row for each recording; it stays when the recording is gone.
create table kept_recording (
    recording_id     text    primary key references recording (recording_id),
    state            text    not null,
    size_bytes       bigint  not null,                      -- of its media; while it goes on, so far
    duration_ms      bigint  not null,
    recorded_on      text    not null,                      -- the day in its school's zone
    ended_at_ms      bigint  not null,                      -- while it goes on: when it began
    is_mirrored      bigint  not null default 0,            -- 1: everything is in the bucket
    seal_sha256      text,                                  -- null: it has no seal yet
    held_by          text,                                  -- person:<id>; null: nobody holds it
    held_name        text,
    held_reason      text,
    held_at_ms       bigint,
    held_until_ms    bigint,                                -- null: until somebody lets it go
    pending_since_ms bigint,                                -- null: it is not to be deleted
    pending_rule     text,
    pending_by       text,
    pending_reason   text,
    runs_pending     bigint  not null default 0,            -- daily runs that have seen it pending
    deleted_at_ms    bigint,
    constraint kept_recording_state_is_known
        check (state in ('live', 'sealed', 'archived', 'pending_deletion', 'deleting', 'deleted')),
    constraint kept_recording_is_held_by_somebody
        check ((held_by is null) = (held_reason is null) and (held_by is null) = (held_at_ms is null)),
    constraint kept_recording_goes_by_a_rule
        check (state not in ('pending_deletion', 'deleting', 'deleted') or pending_rule is not null)
);
create index kept_recording_by_state on kept_recording (state, ended_at_ms, recording_id);
create index kept_recording_by_day on kept_recording (recorded_on);

-- How long a bureau's schools keep what they have; the nearest above a school holds. Null: for ever.
create table retention_policy (
    organisation_id  text    primary key references organisation (organisation_id),
    recordings_days  bigint,
    clips_days       bigint,
    samples_days     bigint,
    attendance_days  bigint,
    version          bigint  not null
);

-- How much a school may keep. Null: no bound.
create table storage_quota (
    organisation_id  text    primary key references organisation (organisation_id),
    gigabytes        bigint,
    days             bigint,
    version          bigint  not null
);

-- The last daily run of retention (none: it never ran), and whether somebody has answered for the next.
create table retention_run (
    one              bigint  primary key,
    ran_at_ms        bigint,                                -- null: it never ran
    outcome          text    not null,                      -- done, clock_moved, too_many
    off_ms           bigint  not null,                      -- how far the clock was off; 0: it was not
    marked           bigint  not null,
    deleted          bigint  not null,
    held_back        bigint  not null,                      -- over the bound of one run
    confirmed_by     text,                                  -- null: nobody has
    constraint retention_run_is_one check (one = 1)
);
