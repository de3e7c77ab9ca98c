-- Who was there, how well they saw, and whether the lesson counts. What is seen while a lesson runs stands a row for each
-- end and minute; when it is over, each end has one row with everything, and the lesson one that names them all.

create table presence_minute (
    lesson_id        text    not null references lesson (lesson_id),
    end_name         text    not null,                      -- teacher, or a classroom's id
    from_ms          bigint  not null,                      -- its first window
    run_ms           bigint  not null,                      -- when the hub that saw it was started
    windows          text    not null,                      -- a window a line: see `domain/window.rs`
    constraint presence_minute_is_there_once primary key (lesson_id, end_name, from_ms)
);

-- How many pupils somebody there counted. Nobody's name. The newest counts; each has its own line in the audit.
create table head_count (
    head_count_id    text    primary key,
    lesson_id        text    not null references lesson (lesson_id),
    classroom_id     text    not null references classroom (classroom_id),
    pupils           bigint  not null,
    at_ms            bigint  not null,
    actor            text    not null,                      -- classroom:<id>
    beside           text    not null,                      -- person:<id>, the assistant teacher; empty: nobody was named
    beside_name      text    not null,
    constraint head_count_is_plausible check (pupils between 0 and 500)
);
create index head_count_by_lesson on head_count (lesson_id, classroom_id, at_ms);

create table lesson_report (
    lesson_id        text    primary key references lesson (lesson_id),
    worked_out_at_ms bigint  not null,
    figures_version  bigint  not null,                      -- of the bureau's rules
    began_ms         bigint,                                -- null: it never went live
    ended_ms         bigint,
    ends             text    not null,                      -- each end's name and the SHA-256 of its row, one a line
    sha256           text    not null                       -- of all that, as the audit holds it
);

create table attendance (
    lesson_id        text    not null references lesson (lesson_id),
    end_name         text    not null,
    state            text    not null,
    verdict          text    not null,
    came_at_ms       bigint,
    left_at_ms       bigint,
    present_ms       bigint  not null,
    detail           text    not null,                      -- JSON: judgement, interruptions, quality
    windows          text    not null,
    constraint attendance_is_there_once primary key (lesson_id, end_name)
);
create index attendance_by_verdict on attendance (verdict, lesson_id);

-- Null: its report is still to be worked out.
alter table lesson add column reported_at_ms bigint;
create index lesson_to_report on lesson (closes_at_ms, lesson_id)
    where reported_at_ms is null and state in ('ended', 'cancelled', 'missed');
