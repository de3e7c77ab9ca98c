-- How far a recording's journal had come, once a minute, signed with the recordings' key. Whoever writes a whole journal
-- anew later finds these still here: some forty rows for a lesson.
create table recording_checkpoint (
    recording_id     text    not null references recording (recording_id) on delete cascade,
    records          bigint  not null,                      -- how many records of the journal it speaks of
    head             text    not null,                      -- SHA-256 of the last of them, in hex
    at_ms            bigint  not null,                      -- after the lesson's beginning
    algorithm        text    not null,                      -- sha256+ed25519, or sha256 where there is no key
    public_key       text,                                  -- in hex; null: not signed
    signature        text,
    kept_at_ms       bigint  not null,
    primary key (recording_id, records)
);
