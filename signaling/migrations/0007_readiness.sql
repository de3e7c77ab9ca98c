-- What a lesson needs before its bell, and who answers for doing without; and indexes by which a county's week is read.

-- In the grid's own order: by day, by bell, and a lesson after the other.
drop index lesson_by_day;
create index lesson_by_day on lesson (held_on, starts_at_ms, lesson_id);
-- How many lessons each school has on a day is read from this alone.
create index lesson_by_day_and_school on lesson (held_on, organisation_id, state);

-- What is chosen or written down before a lesson. Null: nothing yet.
alter table lesson add column to_play_id text;               -- a recording; lessons are kept before recordings are
alter table lesson add column piece text;
alter table lesson add column observation_purpose text;

-- Somebody answers for doing without one thing of the list. They do so once: a waiver is never taken back.
create table lesson_waiver (
    lesson_id        text    not null references lesson (lesson_id),
    item             text    not null,                      -- lead_teacher, assistants, …
    actor            text    not null,                      -- person:<id>
    name             text    not null,                      -- as they were called then
    reason           text    not null,
    waived_at_ms     bigint  not null,
    constraint lesson_waiver_is_there_once primary key (lesson_id, item)
);
