-- An account that its administrators have locked, and where the audit begins since its oldest rows were taken out.

alter table person add column locked_at_ms bigint;           -- null: they may sign in
-- Rows up to this one are gone; a row of the chain says so and holds the hash of the last of them.
alter table audit_head add column retired_seq bigint not null default 0;
