-- The timetable: years, terms, bells, courses, who may listen to whom; lessons with their place in it; what each lesson
-- takes up. Days are local dates as 2026-09-01, bells are minutes after local midnight, instants are milliseconds UTC.
-- That nothing is taken up twice at once is said in `store/dialect.rs`: the two stores say it differently.

-- The time zone of an organisation and of everything below it that has none of its own.
create table school_zone (
    organisation_id   text    primary key references organisation (organisation_id),
    zone              text    not null
);

create table school_year (
    school_year_id    text    primary key,
    organisation_id   text    not null references organisation (organisation_id),
    name              text    not null,
    first_day         text    not null,
    last_day          text    not null,
    version           bigint  not null,
    constraint school_year_name_is_its_own unique (organisation_id, name),
    constraint school_year_runs_forward check (last_day >= first_day)
);

create table term (
    term_id           text    primary key,
    school_year_id    text    not null references school_year (school_year_id),
    name              text    not null,
    first_day         text    not null,
    last_day          text    not null,
    version           bigint  not null,
    constraint term_name_is_its_own unique (school_year_id, name),
    constraint term_runs_forward check (last_day >= first_day)
);

-- Holidays and swapped days.
create table special_day (
    special_day_id    text    primary key,
    organisation_id   text    not null references organisation (organisation_id),
    day               text    not null,
    kind              text    not null,
    taught_as         text,
    name              text    not null,
    constraint special_day_is_one_a_day unique (organisation_id, day),
    constraint special_day_kind_is_known check (kind in ('off', 'taught_as')),
    constraint special_day_is_taught_as_a_day check ((kind = 'taught_as') = (taught_as is not null))
);

create table bell_schedule (
    bell_schedule_id  text    primary key,
    organisation_id   text    not null references organisation (organisation_id),
    stage             text,                                 -- null: every stage that has none of its own
    name              text    not null,
    from_day          text    not null,                     -- 10-01, of every year
    until_day         text    not null,
    version           bigint  not null,
    constraint bell_schedule_name_is_its_own unique (organisation_id, name)
);

create table bell_period (
    bell_schedule_id  text    not null references bell_schedule (bell_schedule_id),
    period            text    not null,                     -- lesson-3
    starts_min        bigint  not null,
    ends_min          bigint  not null,
    constraint bell_period_is_there_once primary key (bell_schedule_id, period),
    constraint bell_period_runs_forward check (0 <= starts_min and starts_min < ends_min and ends_min <= 1440)
);

-- The figures that a bureau sets, as JSON; the newest version holds.
create table rule_set (
    organisation_id   text    not null references organisation (organisation_id),
    version           bigint  not null,
    rules             text    not null,
    set_at_ms         bigint  not null,
    constraint rule_set_version_is_its_own primary key (organisation_id, version)
);

create table course (
    course_id         text    primary key,
    term_id           text    not null references term (term_id),
    organisation_id   text    not null references organisation (organisation_id),
    title             text    not null,
    subject           text    not null,
    stage             text    not null,
    grade             text    not null,
    teacher_id        text    not null references person (person_id),
    classroom_id      text    references classroom (classroom_id),
    class_id          text    references school_class (class_id),
    program           text    not null,
    mode              text    not null,
    delivery          text    not null,
    version           bigint  not null,
    constraint course_program_is_known check (program in ('delivery_class', 'master_class', 'open_school_class')),
    constraint course_mode_is_known check (mode in ('live', 'recorded', 'embedded', 'observed')),
    constraint course_delivery_is_known check (delivery in ('synchronous', 'dedicated', 'pushed'))
);
create index course_by_term on course (term_id, organisation_id, course_id);

create table course_period (
    course_id         text    not null references course (course_id),
    weekday           bigint  not null,                     -- 1: Monday
    period            text    not null,
    weeks             text    not null,                     -- every, odd, even, 3-8
    constraint course_period_is_there_once primary key (course_id, weekday, period, weeks),
    constraint course_period_weekday_is_one_of_seven check (weekday between 1 and 7)
);

create table course_listening (
    course_id         text    not null references course (course_id),
    place             bigint  not null,                     -- its place in the list
    classroom_id      text    not null references classroom (classroom_id),
    class_id          text    references school_class (class_id),
    organisation_id   text    not null references organisation (organisation_id),
    interactive       bigint  not null,
    constraint course_listening_is_there_once primary key (course_id, classroom_id)
);

create table pairing (
    pairing_id        text    primary key,
    term_id           text    not null references term (term_id),
    topology          text    not null,
    teaching_id       text    not null references organisation (organisation_id),
    subjects          text,                                 -- one a line; null: the whole class
    standing          text    not null,
    version           bigint  not null,
    constraint pairing_standing_is_known check (standing in ('active', 'frozen', 'cancelled'))
);
create index pairing_by_term on pairing (term_id, teaching_id);

create table pairing_class (
    pairing_id        text    not null references pairing (pairing_id),
    class_id          text    not null references school_class (class_id),
    constraint pairing_class_is_there_once primary key (pairing_id, class_id)
);
create index pairing_class_by_class on pairing_class (class_id);

create table listening_right (
    listening_right_id text   primary key,
    term_id           text    not null references term (term_id),
    teaching_id       text    not null references organisation (organisation_id),
    class_id          text    not null references school_class (class_id),
    pairing_id        text    references pairing (pairing_id),
    subjects          text,
    standing          text    not null,
    ended_at_ms       bigint,
    version           bigint  not null,
    constraint listening_right_standing_is_known check (standing in ('active', 'frozen', 'cancelled')),
    constraint listening_right_that_ended_says_when check ((standing = 'active') = (ended_at_ms is null))
);
create index listening_right_by_class on listening_right (class_id, term_id);
create index listening_right_by_term on listening_right (term_id, teaching_id);
create index listening_right_by_pairing on listening_right (pairing_id);

-- A lesson's place in the timetable. Null: it is outside of it.
alter table lesson add column course_id text references course (course_id);
alter table lesson add column term_id text references term (term_id);
alter table lesson add column number bigint;
alter table lesson add column planned text;                  -- week 5, Wednesday: 5-3-lesson-3; null: put there by hand
alter table lesson add column week_no bigint;
alter table lesson add column weekday bigint;
alter table lesson add column period text;
alter table lesson add column held_on text;
alter table lesson add column classroom_id text references classroom (classroom_id);
alter table lesson add column class_id text references school_class (class_id);
alter table lesson add column delivery text;
-- Its listening ends once more, as the grid shows them: classroom and class, one end a line. They never change.
alter table lesson add column listening text not null default '';
-- When the bell does what.
alter table lesson add column opens_at_ms bigint not null default 0;
alter table lesson add column missed_at_ms bigint not null default 0;
alter table lesson add column closes_at_ms bigint not null default 0;
alter table lesson add column runs_by text not null default 'teacher';
alter table lesson add column version bigint not null default 1;
update lesson set opens_at_ms = starts_at_ms - 600000, missed_at_ms = ends_at_ms + 600000,
                  closes_at_ms = ends_at_ms + 600000;
-- Planning a term twice plans nothing twice, wherever its lessons were moved since.
create unique index lesson_is_planned_once on lesson (course_id, planned);
create index lesson_by_term on lesson (term_id, organisation_id, starts_at_ms);
create index lesson_by_day on lesson (held_on, starts_at_ms);
create index lesson_by_bell on lesson (state, opens_at_ms);
create index lesson_by_class on lesson (class_id, starts_at_ms);
create index lesson_by_classroom on lesson (classroom_id, starts_at_ms);

alter table lesson_classroom add column class_id text references school_class (class_id);
alter table lesson_classroom add column interactive bigint not null default 1;
alter table lesson_classroom add column join_from_ms bigint;
alter table lesson_classroom add column join_until_ms bigint;
create index lesson_classroom_by_class on lesson_classroom (class_id, lesson_id);

-- Every step of a lesson. Each state is entered once: whatever the clocks do, nothing starts or ends twice.
create table lesson_transition (
    lesson_id         text    not null references lesson (lesson_id),
    to_state          text    not null,
    from_state        text    not null,
    at_ms             bigint  not null,
    actor             text    not null,
    reason            text    not null,
    constraint lesson_enters_a_state_once primary key (lesson_id, to_state)
);

-- What a lesson takes up: a teacher, a classroom, a class, a device.
create table booking (
    lesson_id         text    not null references lesson (lesson_id),
    resource          text    not null,                     -- teacher:<id>
    from_ms           bigint  not null,
    until_ms          bigint  not null,
    constraint booking_is_there_once primary key (lesson_id, resource),
    constraint booking_is_within_a_day check (from_ms < until_ms and until_ms - from_ms <= 86400000)
);
create index booking_by_resource on booking (resource, from_ms);

-- Whoever books a resource takes its row first, in the order of names: one after the other, and never in a circle.
create table booking_turn (
    resource          text    primary key,
    turns             bigint  not null
);
