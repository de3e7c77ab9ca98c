-- Schools whose classes may be recorded while they are on stage, and on what ground. A school without a row has said nothing:
-- its classes are seen and heard live, and kept by nobody.
create table stage_consent (
    organisation_id  text    primary key references organisation (organisation_id),
    record_on_stage  bigint  not null,                                     -- 0 or 1
    basis            text    not null,                                     -- 家长同意书; empty while it is off
    set_at_ms        bigint  not null,
    constraint stage_consent_has_a_basis check (record_on_stage = 0 or basis <> '')
);
