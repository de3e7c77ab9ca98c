-- The library: what a recording is called, whose it is and who may see it; marks and clips in it; what reviewers say of
-- it; links that show it to others; and lessons that play it. Times within a recording are milliseconds of lesson time.

-- One entry a recording. What is searched and counted stands here once more, as it was when the lesson went live.
create table library_entry (
    recording_id      text    primary key references recording (recording_id),
    lesson_id         text    not null references lesson (lesson_id),
    organisation_id   text    not null references organisation (organisation_id),
    teacher_id        text    not null references person (person_id),
    term_id           text    references term (term_id),
    subject           text    not null,
    grade             text    not null,
    started_at_ms     bigint  not null,
    title             text    not null,
    summary           text    not null default '',
    licence           text    not null default 'all_rights_reserved',
    consented_at_ms   bigint,                                -- null: its teacher has not agreed that others see it
    published_to      text    references organisation (organisation_id),   -- null: to nobody
    taken_down_at_ms  bigint,                                -- null: it is not
    taken_down_by     text,                                  -- author or keeper: the same side puts it back
    taken_down_reason text,
    searched          text    not null,                      -- everything that a search looks into, normalised
    version           bigint  not null default 1,
    constraint library_entry_licence_is_known check (licence in
        ('all_rights_reserved', 'teaching_only', 'cc_by', 'cc_by_nc', 'cc_by_nc_sa')),
    constraint library_entry_is_published_with_consent check (published_to is null or consented_at_ms is not null),
    constraint library_entry_taken_down_says_why check
        ((taken_down_at_ms is null) = (taken_down_reason is null) and (taken_down_at_ms is null) = (taken_down_by is null))
);
create index library_entry_by_start on library_entry (started_at_ms, recording_id);
create index library_entry_by_teacher on library_entry (teacher_id, started_at_ms);
create index library_entry_by_school on library_entry (organisation_id, started_at_ms);
create index library_entry_by_lesson on library_entry (lesson_id);

-- What was recorded before there was a library.
insert into library_entry (recording_id, lesson_id, organisation_id, teacher_id, term_id, subject, grade, started_at_ms,
                           title, searched)
select recording.recording_id, lesson.lesson_id, lesson.organisation_id, lesson.teacher_id, lesson.term_id,
       lesson.subject, lesson.grade, recording.started_at_ms, lesson.title,
       lower(lesson.title || ' ' || lesson.subject || ' ' || lesson.grade || ' ' || person.name)
from recording
join lesson on lesson.lesson_id = recording.lesson_id
join person on person.person_id = lesson.teacher_id
where lesson.mode <> 'recorded';

-- 知识点
create table recording_point (
    recording_id      text    not null references library_entry (recording_id),
    point             text    not null,
    constraint recording_point_is_there_once primary key (recording_id, point)
);
create index recording_point_by_point on recording_point (point, recording_id);

-- 标记, and titles of chapters.
create table recording_mark (
    recording_mark_id text    primary key,
    recording_id      text    not null references recording (recording_id),
    at_ms             bigint  not null,
    title             text    not null,                      -- empty: a mark that was made in passing
    person_id         text    not null references person (person_id),
    made_at_ms        bigint  not null,
    version           bigint  not null default 1,
    constraint recording_mark_is_in_the_recording check (at_ms >= 0)
);
create index recording_mark_by_recording on recording_mark (recording_id, at_ms);

-- A clip is two points of a recording; nothing of it is copied.
create table clip (
    clip_id           text    primary key,
    recording_id      text    not null references library_entry (recording_id),
    from_ms           bigint  not null,
    to_ms             bigint  not null,
    title             text    not null,
    author_id         text    not null references person (person_id),
    made_at_ms        bigint  not null,
    closed_at_ms      bigint,                                -- null: it is there
    version           bigint  not null default 1,
    constraint clip_runs_forward check (0 <= from_ms and from_ms < to_ms)
);
create index clip_by_recording on clip (recording_id, from_ms);

create table recording_comment (
    recording_comment_id text primary key,
    recording_id      text    not null references library_entry (recording_id),
    at_ms             bigint  not null,
    text              text    not null,
    author_id         text    not null references person (person_id),
    made_at_ms        bigint  not null,
    edited_at_ms      bigint,                                -- null: it stands as it was written
    version           bigint  not null default 1,
    constraint recording_comment_is_in_the_recording check (at_ms >= 0)
);
create index recording_comment_by_recording on recording_comment (recording_id, at_ms);

-- 量表: the criteria of each revision stay, for the reviews that were made by them.
create table rubric (
    rubric_id         text    not null,
    revision          bigint  not null,
    organisation_id   text    not null references organisation (organisation_id),
    name              text    not null,
    criteria          text    not null,                      -- JSON: name, weight, highest score
    made_at_ms        bigint  not null,
    constraint rubric_revision_is_its_own primary key (rubric_id, revision)
);
create index rubric_by_place on rubric (organisation_id);

create table review (
    review_id         text    primary key,
    recording_id      text    not null references library_entry (recording_id),
    rubric_id         text    not null,
    revision          bigint  not null,
    reviewer_id       text    not null references person (person_id),
    scores            text    not null,                      -- one whole number a criterion, in their order
    words             text    not null,
    made_at_ms        bigint  not null,
    version           bigint  not null default 1,
    constraint review_is_one_per_reviewer unique (recording_id, rubric_id, reviewer_id),
    constraint review_is_by_a_rubric foreign key (rubric_id, revision) references rubric (rubric_id, revision)
);

-- 分享: a link that somebody without an account may open for a while.
create table share (
    share_id          text    primary key,
    recording_id      text    not null references library_entry (recording_id),
    clip_id           text    references clip (clip_id),     -- null: the whole recording
    made_by           text    not null references person (person_id),
    made_at_ms        bigint  not null,
    expires_at_ms     bigint  not null,
    views_max         bigint,                                -- null: as many as like
    views             bigint  not null default 0,
    revoked_at_ms     bigint,                                -- null: it is not
    constraint share_is_opened_as_often_as_it_may check (views_max is null or views <= views_max)
);
create index share_by_recording on share (recording_id);

-- Somebody looks by such a link: the cookie itself is kept nowhere.
create table share_view (
    view_sha256       text    primary key,
    share_id          text    not null references share (share_id),
    expires_at_ms     bigint  not null
);
create index share_view_by_expiry on share_view (expires_at_ms);

-- What a lesson plays: a recording or a clip of it.
create table lesson_source (
    lesson_id         text    primary key references lesson (lesson_id),
    recording_id      text    not null references library_entry (recording_id),
    clip_id           text    references clip (clip_id),     -- null: the whole recording
    chosen_by         text    not null references person (person_id),
    chosen_at_ms      bigint  not null,
    played_from_ms    bigint                                 -- of a piece: since when it is played; null: it is not
);
create index lesson_source_by_recording on lesson_source (recording_id);
