-- The grid shows until when each listening end may come in: seconds after the start, as the third word of its line. A
-- lesson that is moved takes them with it.
update lesson set listening = coalesce((
    select string_agg(heard.classroom_id || ' ' || coalesce(heard.class_id, '') || ' '
                      || coalesce(cast((heard.join_until_ms - lesson.starts_at_ms) / 1000 as text), ''), '
')
    from lesson_classroom heard where heard.lesson_id = lesson.lesson_id), '')
where listening <> '';
