-- SQLite's way of saying that audit rows are neither changed nor deleted.

create trigger audit_is_never_changed before update on audit
begin
    select raise(abort, 'audit rows are never changed');
end;

create trigger audit_is_never_deleted before delete on audit
begin
    select raise(abort, 'audit rows are never deleted');
end;
