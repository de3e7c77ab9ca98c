//! Lessons, their listed classrooms, and seats.

pub(crate) mod recording;
pub mod source;

use std::{collections::HashMap, ops::Range};

use sqlx::{Row, any::AnyRow};

use super::{AuditRow, Sql, Store, StoreError, Writing, word, word_or_null};
use school::{
    account::permission::{Reach, Scope},
    base::{
        id::{LessonId, PersonId, RecordingId, SeatId},
        time::UnixMs,
    },
    lesson::{
        Lesson, ListedClassroom, RecordingNote, RecordingState, Teacher,
        life::{LessonState, LessonTimes},
    },
    organisation::Holder,
};

/// Paging cursor of lessons: the next page begins below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LessonCursor {
    /// Start of the last lesson on the page.
    pub starts_at: UnixMs,
    /// The last lesson on the page.
    pub lesson_id: LessonId,
}

const SELECT_LESSON: &str = "
    select lesson.lesson_id as lesson_id, teacher_id, person.name as teacher_name, title, subject, grade, program, mode,
           lesson.state as state, starts_at_ms, ends_at_ms, live_at_ms, ended_at_ms, guests_max,
           opens_at_ms, missed_at_ms, closes_at_ms, runs_by,
           recording_id, recording.state as recording_state, school.path as path
    from lesson
    join organisation school on school.organisation_id = lesson.organisation_id
    join person on person.person_id = lesson.teacher_id
    left join recording on recording.lesson_id = lesson.lesson_id
    where ";

impl Store {
    /// Stores a new lesson with its classrooms. It belongs to its teacher's school. False: that school is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn insert_lesson(&self, scope: &Scope, lesson: &Lesson, row: &AuditRow) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new(
            "select 1 from person join organisation on organisation.organisation_id = person.organisation_id where person_id = ",
        );
        sql.bind(lesson.teacher.person_id.to_string()).push(" and ").within(scope, "path");
        if sql.optional_on(writing.on()).await?.is_none() {
            return Ok(false);
        }
        sqlx::query(
            "insert into lesson (lesson_id, teacher_id, title, subject, grade, program, mode, state,
                                 starts_at_ms, ends_at_ms, live_at_ms, ended_at_ms, guests_max, opens_at_ms,
                                 missed_at_ms, closes_at_ms, runs_by, organisation_id)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                     (select organisation_id from person where person_id = $2))",
        )
        .bind(lesson.lesson_id.to_string())
        .bind(lesson.teacher.person_id.to_string())
        .bind(&lesson.title)
        .bind(&lesson.subject)
        .bind(&lesson.grade)
        .bind(&lesson.program)
        .bind(&lesson.mode)
        .bind(lesson.state.as_str())
        .bind(lesson.times.starts_at.0)
        .bind(lesson.times.ends_at.0)
        .bind(lesson.live_at.map(|at| at.0))
        .bind(lesson.ended_at.map(|at| at.0))
        .bind(i64::from(lesson.guests_max))
        .bind(lesson.times.opens_at.0)
        .bind(lesson.times.missed_at.0)
        .bind(lesson.times.closes_at.0)
        .bind(lesson.runs_by.as_str())
        .execute(writing.on())
        .await?;
        for classroom in &lesson.classrooms {
            sqlx::query("insert into lesson_classroom (lesson_id, classroom_id) values ($1, $2)")
                .bind(lesson.lesson_id.to_string())
                .bind(classroom.classroom_id.to_string())
                .execute(writing.on())
                .await?;
        }
        writing.commit(row).await?;
        Ok(true)
    }

    /// One lesson. `None`: not found in `scope`.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn lesson(&self, scope: &Scope, lesson_id: LessonId) -> Result<Option<Lesson>, StoreError> {
        let mut query = scoped(scope);
        query.push(" and lesson.lesson_id = ").bind(lesson_id.to_string());
        Ok(self.fetch_lessons(query).await?.pop())
    }

    /// Lessons that start in `starts`, latest first, at most `limit`, from `below` on. `recorded`: only recorded ones.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn lessons(
        &self,
        scope: &Scope,
        starts: Range<UnixMs>,
        recorded: bool,
        below: Option<LessonCursor>,
        limit: u32,
    ) -> Result<Vec<Lesson>, StoreError> {
        let mut query = scoped(scope);
        query.push(" and starts_at_ms >= ").bind(starts.start.0).push(" and starts_at_ms < ").bind(starts.end.0);
        if recorded {
            query.push(" and recording_id is not null");
        }
        if let Some(below) = below {
            query.push(" and (starts_at_ms < ").bind(below.starts_at.0);
            query.push(" or (starts_at_ms = ").bind(below.starts_at.0);
            query.push(" and lesson.lesson_id < ").bind(below.lesson_id.to_string()).push("))");
        }
        query.push(" order by starts_at_ms desc, lesson.lesson_id desc limit ").bind(i64::from(limit));
        self.fetch_lessons(query).await
    }

    /// Lessons in state open or live.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn lessons_in_progress(&self, scope: &Scope) -> Result<Vec<Lesson>, StoreError> {
        let mut query = scoped(scope);
        query.push(" and lesson.state in ('open', 'live')");
        self.fetch_lessons(query).await
    }

    /// Lessons that should have opened by `now`, and those that ended since `archives`, earliest first, at most
    /// `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn lessons_due(
        &self,
        scope: &Scope,
        now: UnixMs,
        archives: UnixMs,
        limit: i64,
    ) -> Result<Vec<Lesson>, StoreError> {
        let mut query = scoped(scope);
        query.push(" and ((lesson.state = 'scheduled' and opens_at_ms <= ").bind(now.0);
        query.push(") or (lesson.state in ('ended', 'cancelled', 'missed') and closes_at_ms <= ").bind(archives.0);
        query.push(")) order by starts_at_ms, lesson.lesson_id limit ").bind(limit);
        self.fetch_lessons(query).await
    }

    /// Changes a lesson's state, together with a recording that begins, the transition row and the audit row.
    /// A cancelled or missed lesson releases its bookings.
    ///
    /// False: the lesson was no longer in state `from`, or not in scope; nothing was changed.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn move_lesson(
        &self,
        scope: &Scope,
        lesson: &Lesson,
        from: LessonState,
        begins: Option<RecordingId>,
        row: &AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        if !writing.sees_lesson(scope, lesson.lesson_id).await? {
            return Ok(false);
        }
        let moved = sqlx::query(
            "update lesson set state = $3, live_at_ms = $4, ended_at_ms = $5 where lesson_id = $1 and state = $2",
        )
        .bind(lesson.lesson_id.to_string())
        .bind(from.as_str())
        .bind(lesson.state.as_str())
        .bind(lesson.live_at.map(|at| at.0))
        .bind(lesson.ended_at.map(|at| at.0))
        .execute(writing.on())
        .await?;
        if moved.rows_affected() == 0 {
            return Ok(false);
        }
        if let Some(recording_id) = begins {
            sqlx::query(
                "insert into recording (recording_id, lesson_id, state, started_at_ms)
                 values ($1, $2, 'recording', $3)",
            )
            .bind(recording_id.to_string())
            .bind(lesson.lesson_id.to_string())
            .bind(row.at.0)
            .execute(writing.on())
            .await?;
            writing.enter_library(lesson, recording_id, row.at).await?;
        }
        writing.insert_transition(lesson.lesson_id, from, lesson.state, &row.detail, row).await?;
        if matches!(lesson.state, LessonState::Cancelled | LessonState::Missed) {
            writing.unbook(lesson.lesson_id).await?;
        }
        writing.commit(row).await?;
        Ok(true)
    }

    /// The seat of this holder in this lesson; `fresh` is stored if they have none. `None`: the lesson is not in
    /// scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn seat_of(
        &self,
        scope: &Scope,
        lesson_id: LessonId,
        holder: Holder,
        role: &str,
        fresh: SeatId,
    ) -> Result<Option<SeatId>, StoreError> {
        let holder = match holder {
            Holder::Person(id) => id.to_string(),
            Holder::Classroom(id) => id.to_string(),
        };
        let mut writing = self.write().await?;
        if !writing.sees_lesson(scope, lesson_id).await? {
            return Ok(None);
        }
        let row = sqlx::query(
            "insert into seat (seat_id, lesson_id, holder_id, role) values ($1, $2, $3, $4)
             on conflict (lesson_id, holder_id) do update set role = excluded.role
             returning seat_id",
        )
        .bind(fresh.to_string())
        .bind(lesson_id.to_string())
        .bind(holder)
        .bind(role)
        .fetch_one(writing.on())
        .await?;
        writing.commit_unseen().await?;
        word(&row, "seat_id").map(Some)
    }

    pub(super) async fn fetch_lessons(&self, query: Sql) -> Result<Vec<Lesson>, StoreError> {
        let rows = query.all(&self.pool).await?;
        let mut lessons = rows.iter().map(lesson_from).collect::<Result<Vec<_>, _>>()?;
        if lessons.is_empty() {
            return Ok(lessons);
        }
        let mut query = Sql::new(
            "select lesson_id, lesson_classroom.classroom_id as classroom_id, classroom.name as name,
                    organisation.name as school, organisation.path as path
             from lesson_classroom
             join classroom on classroom.classroom_id = lesson_classroom.classroom_id
             join organisation on organisation.organisation_id = classroom.organisation_id
             where lesson_id in ",
        );
        query.list(lessons.iter().map(|lesson| lesson.lesson_id.to_string()));
        query.push(" order by lesson_classroom.classroom_id");
        let mut listed: HashMap<LessonId, (Vec<ListedClassroom>, Vec<String>)> = HashMap::new();
        for row in query.all(&self.pool).await? {
            let (classrooms, places) = listed.entry(word(&row, "lesson_id")?).or_default();
            classrooms.push(ListedClassroom {
                classroom_id: word(&row, "classroom_id")?,
                name: row.try_get("name")?,
                school: row.try_get("school")?,
            });
            places.push(row.try_get("path")?);
        }
        for lesson in &mut lessons {
            let (classrooms, places) = listed.remove(&lesson.lesson_id).unwrap_or_default();
            lesson.classrooms = classrooms;
            lesson.places.extend(places);
        }
        Ok(lessons)
    }
}

impl Writing {
    /// Whether a lesson is in scope.
    pub(crate) async fn sees_lesson(&mut self, scope: &Scope, lesson_id: LessonId) -> Result<bool, StoreError> {
        let mut query = scoped(scope);
        query.push(" and lesson.lesson_id = ").bind(lesson_id.to_string());
        Ok(query.optional_on(self.on()).await?.is_some())
    }
}

/// Lessons in scope: taught or listened to below its places, or the caller's own.
pub(super) fn scoped(scope: &Scope) -> Sql {
    let mut query = Sql::new(SELECT_LESSON);
    let Reach::Some { below, teacher, classroom } = scope.reach() else {
        query.push("1 = 1");
        return query;
    };
    query.push("(1 = 0");
    if let Some(teacher) = teacher {
        query.push(" or teacher_id = ").bind(teacher.to_string());
    }
    if let Some(classroom) = classroom {
        query.push(" or lesson.lesson_id in (select lesson_id from lesson_classroom where classroom_id = ");
        query.bind(classroom.to_string()).push(")");
    }
    if !below.is_empty() {
        query.push(" or ").within(scope, "school.path");
        query.push(
            " or exists (select 1 from lesson_classroom
                         join classroom on classroom.classroom_id = lesson_classroom.classroom_id
                         join organisation listener on listener.organisation_id = classroom.organisation_id
                         where lesson_classroom.lesson_id = lesson.lesson_id and ",
        );
        query.within(scope, "listener.path").push(")");
    }
    query.push(")");
    query
}

fn lesson_from(row: &AnyRow) -> Result<Lesson, StoreError> {
    let state: String = row.try_get("state")?;
    let recording_state: Option<String> = row.try_get("recording_state")?;
    let recording_id: Option<RecordingId> = word_or_null(row, "recording_id")?;
    Ok(Lesson {
        lesson_id: word(row, "lesson_id")?,
        title: row.try_get("title")?,
        subject: row.try_get("subject")?,
        grade: row.try_get("grade")?,
        program: row.try_get("program")?,
        mode: row.try_get("mode")?,
        teacher: Teacher { person_id: word::<PersonId>(row, "teacher_id")?, name: row.try_get("teacher_name")? },
        state: LessonState::from_word(&state).ok_or(StoreError::UnknownWord { column: "state", value: state })?,
        times: LessonTimes {
            opens_at: UnixMs(row.try_get("opens_at_ms")?),
            starts_at: UnixMs(row.try_get("starts_at_ms")?),
            ends_at: UnixMs(row.try_get("ends_at_ms")?),
            missed_at: UnixMs(row.try_get("missed_at_ms")?),
            closes_at: UnixMs(row.try_get("closes_at_ms")?),
        },
        runs_by: word(row, "runs_by")?,
        live_at: row.try_get::<Option<i64>, _>("live_at_ms")?.map(UnixMs),
        ended_at: row.try_get::<Option<i64>, _>("ended_at_ms")?.map(UnixMs),
        classrooms: Vec::new(),
        places: vec![row.try_get("path")?],
        guests_max: u32::try_from(row.try_get::<i64, _>("guests_max")?).unwrap_or_default(),
        recording: recording_id.map(|recording_id| RecordingNote {
            recording_id,
            state: match recording_state.as_deref() {
                Some("sealed") => RecordingState::Sealed,
                _ => RecordingState::Recording,
            },
        }),
    })
}
