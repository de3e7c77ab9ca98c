-- What goes by its age alone, beside recordings: clips, samples, attendance. Each leaves a line in the audit.

-- Of a report whose samples are gone its figures stay, and the audit holds its new hash.
alter table lesson_report add column samples_deleted_at_ms bigint;        -- null: they are there
create index lesson_report_with_samples on lesson_report (lesson_id) where samples_deleted_at_ms is null;

-- Report, attendance and head counts go together.
alter table lesson add column attendance_deleted_at_ms bigint;            -- null: it is there, or is still to be worked out

create index lesson_source_by_clip on lesson_source (clip_id);
create index share_by_clip on share (clip_id);
create index share_view_by_share on share_view (share_id);

-- What the last daily run deleted beside recordings: clips, and lessons of which samples or attendance went.
alter table retention_run add column clips bigint not null default 0;
alter table retention_run add column samples bigint not null default 0;
alter table retention_run add column attendance bigint not null default 0;

-- Before something of a lesson goes, it is held against what the audit says of it.
create index audit_by_object on audit (object, seq);
