-- Many schools: places with codes and a path, people with many roles, devices with keys of their own, an audit in a
-- chain. Tables of the first version are put aside, made anew with their rows, and dropped: neither store can widen a
-- check in place, and this way both do the same. What the two do differently stands in `store/dialect.rs`.

drop index lesson_by_start;
drop index lesson_by_teacher;
drop index lesson_by_state;
drop index lesson_classroom_by_classroom;
drop index session_by_expiry;
drop index audit_by_time;

alter table organisation rename to old_organisation;
alter table classroom rename to old_classroom;
alter table person rename to old_person;
alter table lesson rename to old_lesson;
alter table lesson_classroom rename to old_lesson_classroom;
alter table seat rename to old_seat;
alter table session rename to old_session;
alter table sign_in_link rename to old_sign_in_link;
alter table recording rename to old_recording;
-- Its rows are taken into the chain at the first start; the table stays, empty.
alter table audit rename to audit_unchained;

create table organisation (
    organisation_id  text    primary key,
    parent_id        text    references organisation (organisation_id),
    kind             text    not null,
    name             text    not null,
    path             text    not null,                      -- /top/…/itself/: whoever is below begins with it
    created_at_ms    bigint  not null,
    closed_at_ms     bigint,                                -- a closed school keeps its lessons
    version          bigint  not null,                      -- counts edits: the ETag
    constraint organisation_path_is_its_own unique (path),
    constraint organisation_kind_is_one_of_ours
        check (kind in ('province', 'city', 'county', 'centre_school', 'school', 'teaching_point')),
    constraint organisation_is_named check (name <> '')
);
create index organisation_by_parent on organisation (parent_id, name, organisation_id);

-- 行政区划代码 and 学校(机构)标识码 with their history. A code is never given twice, not even to the same place.
create table organisation_code (
    code             text    primary key,
    organisation_id  text    not null references organisation (organisation_id),
    scheme           text    not null,
    from_ms          bigint  not null,
    until_ms         bigint,                                -- null: it is the code in use
    constraint organisation_code_scheme_is_known check (scheme in ('region', 'school', 'local')),
    constraint organisation_code_ends_after_it_begins check (until_ms is null or until_ms >= from_ms)
);
create unique index organisation_code_in_use on organisation_code (organisation_id) where until_ms is null;
create index organisation_code_by_organisation on organisation_code (organisation_id, from_ms);

create table classroom (
    classroom_id     text    primary key,
    organisation_id  text    not null references organisation (organisation_id),
    name             text    not null,
    created_at_ms    bigint  not null,
    closed_at_ms     bigint,
    version          bigint  not null,
    constraint classroom_is_named check (name <> '')
);
create unique index classroom_name_is_its_own on classroom (organisation_id, name) where closed_at_ms is null;

-- 班级. Its place is a school, and as a rule a room of it.
create table school_class (
    class_id         text    primary key,
    organisation_id  text    not null references organisation (organisation_id),
    classroom_id     text    references classroom (classroom_id),
    stage            text    not null,
    grade            text    not null,
    name             text    not null,
    created_at_ms    bigint  not null,
    closed_at_ms     bigint,
    version          bigint  not null,
    constraint school_class_stage_is_known
        check (stage in ('kindergarten', 'primary', 'junior', 'senior', 'vocational', 'special')),
    constraint school_class_is_named check (name <> '')
);
create unique index school_class_name_is_its_own
    on school_class (organisation_id, grade, name) where closed_at_ms is null;

create table person (
    person_id        text    primary key,
    organisation_id  text    not null references organisation (organisation_id),
    name             text    not null,
    sign_in_name     text,                                  -- null: comes in by links alone
    created_at_ms    bigint  not null,
    closed_at_ms     bigint,
    version          bigint  not null,
    constraint person_sign_in_name_is_its_own unique (sign_in_name),
    constraint person_is_named check (name <> '')
);
create index person_by_organisation on person (organisation_id, name, person_id);

create table role_grant (
    role_grant_id    text    primary key,
    person_id        text    not null references person (person_id),
    role             text    not null,
    organisation_id  text    not null references organisation (organisation_id),
    from_ms          bigint  not null,
    until_ms         bigint,                                -- null: until it is ended
    constraint role_grant_role_is_known
        check (role in ('lead_teacher', 'assistant', 'school_administrator', 'scheduler', 'patrol', 'reviewer',
                        'system_administrator', 'security_administrator', 'audit_administrator', 'operator')),
    constraint role_grant_ends_after_it_begins check (until_ms is null or until_ms >= from_ms)
);
create index role_grant_by_person on role_grant (person_id);
create index role_grant_by_organisation on role_grant (organisation_id, role);

-- 三权分立: whoever holds one of the three may never hold another, whatever their grants' dates say.
create table separated_power (
    person_id        text    primary key references person (person_id),
    role             text    not null,
    constraint separated_power_is_one_of_three
        check (role in ('system_administrator', 'security_administrator', 'audit_administrator'))
);

create table password (
    person_id        text    primary key references person (person_id),
    hash             text    not null,                      -- argon2id, with its parameters and salt
    changed_at_ms    bigint  not null
);

-- By name, whether anybody has that name or not: a lock tells nobody who is here.
create table sign_in_failure (
    sign_in_name     text    primary key,
    failures         bigint  not null,                      -- since the last success, or since the last lock ended
    at_ms            bigint  not null,
    locked_until_ms  bigint
);

create table password_before (
    person_id        text    not null references person (person_id),
    changed_at_ms    bigint  not null,
    hash             text    not null,
    constraint password_before_is_one_at_a_time primary key (person_id, changed_at_ms)
);

create table second_factor (
    person_id        text    primary key references person (person_id),
    sealed_secret    text    not null,                      -- sealed with the key of the data folder
    confirmed_at_ms  bigint,                                -- null: shown, but no code came back yet
    last_step        bigint  not null                       -- a code of this step or an earlier one was used
);

create table device (
    device_id        text    primary key,
    classroom_id     text    not null references classroom (classroom_id),
    name             text    not null,
    algorithm        text    not null,
    public_key       text    not null,                      -- base64url
    enrolled_at_ms   bigint  not null,
    seen_at_ms       bigint,
    revoked_at_ms    bigint,
    version          bigint  not null,
    constraint device_key_is_its_own unique (public_key),
    constraint device_algorithm_is_known check (algorithm in ('ed25519', 'p256'))
);
create index device_by_classroom on device (classroom_id);

-- A device that shows its code and waits to be let in.
create table enrolment (
    enrolment_id     text    primary key,
    code_sha256      text    not null,
    algorithm        text    not null,
    public_key       text    not null,
    created_at_ms    bigint  not null,
    expires_at_ms    bigint  not null,
    device_id        text    references device (device_id), -- null: nobody has entered the code yet
    constraint enrolment_code_is_its_own unique (code_sha256)
);
create index enrolment_by_expiry on enrolment (expires_at_ms);

create table lesson (
    lesson_id        text    primary key,
    organisation_id  text    not null references organisation (organisation_id),  -- whose lesson it is: the teacher's
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
    constraint lesson_runs_forward check (ends_at_ms > starts_at_ms),
    constraint lesson_state_is_one_of_ours
        check (state in ('scheduled', 'open', 'live', 'ended', 'cancelled', 'missed', 'archived')),
    constraint lesson_program_is_one_of_ours
        check (program in ('delivery_class', 'master_class', 'open_school_class')),
    constraint lesson_mode_is_one_of_ours check (mode in ('live', 'recorded', 'embedded', 'observed')),
    constraint lesson_guests_have_a_cap check (guests_max between 0 and 10000)
);
create index lesson_by_start on lesson (starts_at_ms, lesson_id);
create index lesson_by_teacher on lesson (teacher_id, starts_at_ms);
create index lesson_by_state on lesson (state, starts_at_ms);
create index lesson_by_organisation on lesson (organisation_id, starts_at_ms);

create table lesson_classroom (
    lesson_id        text    not null references lesson (lesson_id),
    classroom_id     text    not null references classroom (classroom_id),
    constraint lesson_has_a_classroom_once primary key (lesson_id, classroom_id)
);
create index lesson_classroom_by_classroom on lesson_classroom (classroom_id, lesson_id);

-- One place in a lesson, kept so that whoever comes back sits where they sat. Guests have none here.
create table seat (
    seat_id          text    primary key,
    lesson_id        text    not null references lesson (lesson_id),
    holder_id        text    not null,                      -- a person or a classroom
    role             text    not null,
    constraint seat_has_one_holder unique (lesson_id, holder_id),
    constraint seat_role_is_one_of_ours check (role in ('teacher', 'classroom', 'observer'))
);

create table session (
    session_id       text    primary key,                   -- what lists show
    session_sha256   text    not null,                      -- of the cookie; the cookie itself is kept nowhere
    stage            text    not null,
    person_id        text    references person (person_id),
    classroom_id     text    references classroom (classroom_id),
    device_id        text    references device (device_id), -- null: a classroom that came by a link
    assistant_id     text    references person (person_id), -- who stands in the classroom now
    address          text    not null,
    created_at_ms    bigint  not null,
    seen_at_ms       bigint  not null,
    expires_at_ms    bigint  not null,
    constraint session_cookie_is_its_own unique (session_sha256),
    constraint session_stage_is_known check (stage in ('full', 'set_up')),
    constraint session_is_of_a_person_or_a_classroom check ((person_id is null) <> (classroom_id is null))
);
create index session_by_expiry on session (expires_at_ms);
create index session_by_person on session (person_id);
create index session_by_classroom on session (classroom_id);

create table sign_in_link (
    link_sha256      text    primary key,
    purpose          text    not null,
    person_id        text    references person (person_id),
    classroom_id     text    references classroom (classroom_id),
    created_at_ms    bigint  not null,
    expires_at_ms    bigint  not null,
    used_at_ms       bigint,
    constraint sign_in_link_purpose_is_known check (purpose in ('sign_in', 'set_up')),
    constraint sign_in_link_is_of_a_person_or_a_classroom check ((person_id is null) <> (classroom_id is null))
);
create index sign_in_link_by_expiry on sign_in_link (expires_at_ms);

create table recording (
    recording_id     text    primary key,
    lesson_id        text    not null references lesson (lesson_id),
    state            text    not null,
    started_at_ms    bigint  not null,
    sealed_at_ms     bigint,
    constraint recording_is_the_only_one_of_its_lesson unique (lesson_id),
    constraint recording_state_is_one_of_ours check (state in ('recording', 'sealed'))
);

-- What was answered to a create, so that whoever sends it again gets the same answer.
create table idempotency (
    holder           text    not null,                      -- who sent it
    key              text    not null,
    request_sha256   text    not null,
    status           bigint  not null,
    location         text    not null,
    answer           text    not null,
    at_ms            bigint  not null,
    constraint idempotency_key_is_used_once primary key (holder, key)
);
create index idempotency_by_time on idempotency (at_ms);

-- Every row holds the SHA-256 of itself and of the row before: none can be changed, taken out or slipped in unseen.
create table audit (
    seq              bigint  primary key,                   -- 1, 2, 3 …: no gap
    audit_id         text    not null,
    at_ms            bigint  not null,
    actor            text    not null,                      -- person:<id>, classroom:<id>, guest, publisher, system
    beside           text    not null,                      -- the assistant who stood there; empty: nobody was named
    act              text    not null,
    object           text    not null,
    place            text    not null,                      -- path of the organisation it belongs to; empty: the hub
    outcome          text    not null,
    detail           text    not null,
    address          text    not null,
    before_sha256    text    not null,
    sha256           text    not null,
    constraint audit_id_is_its_own unique (audit_id),
    constraint audit_outcome_is_one_of_ours check (outcome in ('done', 'refused'))
);
create index audit_by_time on audit (at_ms, seq);
create index audit_by_actor on audit (actor, seq);

-- Where the chain ends. Whoever writes next takes this row first, so that the chain has no branches.
create table audit_head (
    one              bigint  primary key,
    seq              bigint  not null,
    sha256           text    not null,
    constraint audit_head_is_one check (one = 1)
);
insert into audit_head (one, seq, sha256) values (1, 0, '');

-- The rows of the first version. Its tree is at most three deep. Its sessions and links end here: they knew no limits.
insert into organisation (organisation_id, parent_id, kind, name, path, created_at_ms, closed_at_ms, version)
    select organisation_id, parent_id, kind, name, '/' || organisation_id || '/', 0, null, 1
    from old_organisation where parent_id is null;
insert into organisation (organisation_id, parent_id, kind, name, path, created_at_ms, closed_at_ms, version)
    select o.organisation_id, o.parent_id, o.kind, o.name, above.path || o.organisation_id || '/', 0, null, 1
    from old_organisation o join organisation above on above.organisation_id = o.parent_id
    where above.parent_id is null;
insert into organisation (organisation_id, parent_id, kind, name, path, created_at_ms, closed_at_ms, version)
    select o.organisation_id, o.parent_id, o.kind, o.name, above.path || o.organisation_id || '/', 0, null, 1
    from old_organisation o join organisation above on above.organisation_id = o.parent_id
    where o.organisation_id not in (select organisation_id from organisation);
insert into organisation_code (code, organisation_id, scheme, from_ms, until_ms)
    select code, min(organisation_id), case when length(code) = 10 then 'school' else 'region' end, 0, null
    from old_organisation where code is not null group by code;
insert into classroom (classroom_id, organisation_id, name, created_at_ms, closed_at_ms, version)
    select classroom_id, organisation_id, name, 0, null, 1 from old_classroom;
insert into person (person_id, organisation_id, name, sign_in_name, created_at_ms, closed_at_ms, version)
    select person_id, organisation_id, name, null, 0, null, 1 from old_person;
insert into role_grant (role_grant_id, person_id, role, organisation_id, from_ms, until_ms)
    select person_id, person_id, case when role = 'bureau_officer' then 'patrol' else role end, organisation_id, 0, null
    from old_person;
insert into lesson (lesson_id, organisation_id, teacher_id, title, subject, grade, program, mode, state, starts_at_ms,
                    ends_at_ms, live_at_ms, ended_at_ms, guests_max)
    select lesson_id, organisation_id, teacher_id, title, subject, grade, program, mode, state, starts_at_ms,
           ends_at_ms, live_at_ms, ended_at_ms, guests_max
    from old_lesson join old_person on old_person.person_id = old_lesson.teacher_id;
insert into lesson_classroom (lesson_id, classroom_id) select lesson_id, classroom_id from old_lesson_classroom;
insert into seat (seat_id, lesson_id, holder_id, role) select seat_id, lesson_id, holder_id, role from old_seat;
insert into recording (recording_id, lesson_id, state, started_at_ms, sealed_at_ms)
    select recording_id, lesson_id, state, started_at_ms, sealed_at_ms from old_recording;

drop table old_recording;
drop table old_sign_in_link;
drop table old_session;
drop table old_seat;
drop table old_lesson_classroom;
drop table old_lesson;
drop table old_person;
drop table old_classroom;
drop table old_organisation;
