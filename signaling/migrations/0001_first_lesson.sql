-- The organisation tree, who teaches and who listens, lessons, and what is kept of them.
-- Text ids are UUIDv7; times are milliseconds UTC. The same statements run on SQLite and PostgreSQL.

create table organisation (
    organisation_id  text    primary key,
    parent_id        text    references organisation (organisation_id),
    kind             text    not null,
    name             text    not null,
    code             text,                                  -- 行政区划代码 or 学校标识码; a teaching point may have none
    constraint organisation_kind_is_known
        check (kind in ('province', 'city', 'county', 'centre_school', 'school', 'teaching_point')),
    constraint organisation_has_a_name check (name <> '')
);

create table classroom (
    classroom_id     text    primary key,
    organisation_id  text    not null references organisation (organisation_id),
    name             text    not null,
    constraint classroom_has_a_name check (name <> '')
);

create table person (
    person_id        text    primary key,
    organisation_id  text    not null references organisation (organisation_id),
    name             text    not null,
    role             text    not null,
    constraint person_role_is_known check (role in ('lead_teacher', 'bureau_officer')),
    constraint person_has_a_name check (name <> '')
);

create table lesson (
    lesson_id        text    primary key,
    teacher_id       text    not null references person (person_id),
    title            text    not null,
    subject          text    not null,
    grade            text    not null,
    program          text    not null,
    mode             text    not null,
    state            text    not null,
    starts_at_ms     bigint  not null,
    ends_at_ms       bigint  not null,
    live_at_ms       bigint,
    ended_at_ms      bigint,
    guests_max       bigint  not null,
    constraint lesson_ends_after_it_starts check (ends_at_ms > starts_at_ms),
    constraint lesson_state_is_known check (state in ('scheduled', 'open', 'live', 'ended')),
    constraint lesson_program_is_known check (program in ('delivery_class', 'master_class', 'open_school_class')),
    constraint lesson_mode_is_known check (mode in ('live', 'recorded', 'embedded', 'observed')),
    constraint lesson_guests_are_bounded check (guests_max between 0 and 10000)
);
create index lesson_by_start on lesson (starts_at_ms, lesson_id);
create index lesson_by_teacher on lesson (teacher_id, starts_at_ms);
create index lesson_by_state on lesson (state);

create table lesson_classroom (
    lesson_id        text    not null references lesson (lesson_id),
    classroom_id     text    not null references classroom (classroom_id),
    constraint lesson_lists_a_classroom_once primary key (lesson_id, classroom_id)
);
create index lesson_classroom_by_classroom on lesson_classroom (classroom_id);

-- One place in a lesson, kept so that whoever comes back sits where they sat. Guests have none here.
create table seat (
    seat_id          text    primary key,
    lesson_id        text    not null references lesson (lesson_id),
    holder_id        text    not null,                      -- a person or a classroom
    role             text    not null,
    constraint seat_is_one_per_holder unique (lesson_id, holder_id),
    constraint seat_role_is_known check (role in ('teacher', 'classroom', 'observer'))
);

create table session (
    session_sha256   text    primary key,                   -- of the cookie; the cookie itself is kept nowhere
    person_id        text    references person (person_id),
    classroom_id     text    references classroom (classroom_id),
    created_at_ms    bigint  not null,
    expires_at_ms    bigint  not null,
    constraint session_is_a_person_or_a_classroom check ((person_id is null) <> (classroom_id is null))
);
create index session_by_expiry on session (expires_at_ms);

create table sign_in_link (
    link_sha256      text    primary key,
    person_id        text    references person (person_id),
    classroom_id     text    references classroom (classroom_id),
    created_at_ms    bigint  not null,
    expires_at_ms    bigint  not null,
    used_at_ms       bigint,
    constraint sign_in_link_is_for_a_person_or_a_classroom check ((person_id is null) <> (classroom_id is null))
);

create table recording (
    recording_id     text    primary key,
    lesson_id        text    not null references lesson (lesson_id),
    state            text    not null,
    started_at_ms    bigint  not null,
    sealed_at_ms     bigint,
    constraint recording_is_one_per_lesson unique (lesson_id),
    constraint recording_state_is_known check (state in ('recording', 'sealed'))
);

create table audit (
    audit_id         text    primary key,
    at_ms            bigint  not null,
    actor            text    not null,                      -- person:<id>, classroom:<id>, guest, publisher, system
    act              text    not null,
    object           text    not null,
    outcome          text    not null,
    address          text    not null,
    constraint audit_outcome_is_known check (outcome in ('done', 'refused'))
);
create index audit_by_time on audit (at_ms);
