//! Lessons, the classrooms they list, and the seats of those who sat in them.

use std::collections::HashMap;

use sqlx::{QueryBuilder, Row, Sqlite, sqlite::SqliteRow};

use super::{AuditRow, Store, StoreError, audit, word, word_or_null};
use crate::domain::{
    id::{LessonId, PersonId, RecordingId, SeatId},
    lesson::{Lesson, LessonState, ListedClassroom, RecordingNote, RecordingState, Teacher},
    organisation::{Holder, Role},
    permission::Asker,
    time::UnixMs,
};

/// Which lessons a query may see at all. There is no query without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those that this asker teaches, attends or oversees.
    Of(Asker),
    /// Every lesson: for the hub itself, never for a request.
    System,
}

/// Where a page of lessons ended: the next one begins below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LessonCursor {
    /// Start of the last lesson shown.
    pub starts_at: UnixMs,
    /// The last lesson shown.
    pub lesson_id: LessonId,
}

const SELECT_LESSON: &str = "
    select lesson.lesson_id as lesson_id, teacher_id, person.name as teacher_name, title, subject, grade, program, mode,
           lesson.state as state, starts_at_ms, ends_at_ms, live_at_ms, ended_at_ms, guests_max,
           recording_id, recording.state as recording_state
    from lesson
    join person on person.person_id = lesson.teacher_id
    left join recording on recording.lesson_id = lesson.lesson_id
    where ";

impl Store {
    /// Keeps a new lesson and the classrooms it lists.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn insert_lesson(&self, lesson: &Lesson) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query(
            "insert into lesson (lesson_id, teacher_id, title, subject, grade, program, mode, state,
                                 starts_at_ms, ends_at_ms, live_at_ms, ended_at_ms, guests_max)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind(lesson.lesson_id.to_string())
        .bind(lesson.teacher.person_id.to_string())
        .bind(&lesson.title)
        .bind(&lesson.subject)
        .bind(&lesson.grade)
        .bind(&lesson.program)
        .bind(&lesson.mode)
        .bind(lesson.state.as_str())
        .bind(lesson.starts_at.0)
        .bind(lesson.ends_at.0)
        .bind(lesson.live_at.map(|at| at.0))
        .bind(lesson.ended_at.map(|at| at.0))
        .bind(lesson.guests_max)
        .execute(&mut *transaction)
        .await?;
        for classroom in &lesson.classrooms {
            sqlx::query("insert into lesson_classroom (lesson_id, classroom_id) values ($1, $2)")
                .bind(lesson.lesson_id.to_string())
                .bind(classroom.classroom_id.to_string())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// One lesson. `None`: there is none, or it lies outside `scope`.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn lesson(&self, scope: Scope, lesson_id: LessonId) -> Result<Option<Lesson>, StoreError> {
        let mut query = scoped(scope);
        query.push(" and lesson.lesson_id = ").push_bind(lesson_id.to_string());
        Ok(self.fetch_lessons(query).await?.pop())
    }

    /// Lessons with the latest start first, at most `limit`, from `below` on.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn lessons(
        &self,
        scope: Scope,
        below: Option<LessonCursor>,
        limit: u32,
    ) -> Result<Vec<Lesson>, StoreError> {
        let mut query = scoped(scope);
        if let Some(below) = below {
            query.push(" and (starts_at_ms < ").push_bind(below.starts_at.0);
            query.push(" or (starts_at_ms = ").push_bind(below.starts_at.0);
            query.push(" and lesson.lesson_id < ").push_bind(below.lesson_id.to_string()).push("))");
        }
        query.push(" order by starts_at_ms desc, lesson.lesson_id desc limit ").push_bind(limit);
        self.fetch_lessons(query).await
    }

    /// Lessons that are open or live, and scheduled ones that start before `horizon`.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn lessons_at_hand(&self, horizon: UnixMs) -> Result<Vec<Lesson>, StoreError> {
        let mut query = scoped(Scope::System);
        query.push(" and (lesson.state in ('open', 'live') or (lesson.state = 'scheduled' and starts_at_ms <= ");
        query.push_bind(horizon.0).push("))");
        self.fetch_lessons(query).await
    }

    /// Moves a lesson on, with its recording where one begins and its line in the audit.
    ///
    /// False: the lesson was not in state `from` any more, and nothing was changed.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn move_lesson(
        &self,
        lesson: &Lesson,
        from: LessonState,
        begins: Option<RecordingId>,
        row: &AuditRow,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let moved = sqlx::query(
            "update lesson set state = $3, live_at_ms = $4, ended_at_ms = $5 where lesson_id = $1 and state = $2",
        )
        .bind(lesson.lesson_id.to_string())
        .bind(from.as_str())
        .bind(lesson.state.as_str())
        .bind(lesson.live_at.map(|at| at.0))
        .bind(lesson.ended_at.map(|at| at.0))
        .execute(&mut *transaction)
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
            .execute(&mut *transaction)
            .await?;
        }
        audit::insert(&mut *transaction, row).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The seat of this holder in this lesson; `fresh` becomes theirs where they had none.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn seat_of(
        &self,
        lesson_id: LessonId,
        holder: Holder,
        role: &str,
        fresh: SeatId,
    ) -> Result<SeatId, StoreError> {
        let holder = match holder {
            Holder::Person(id) => id.to_string(),
            Holder::Classroom(id) => id.to_string(),
        };
        let row = sqlx::query(
            "insert into seat (seat_id, lesson_id, holder_id, role) values ($1, $2, $3, $4)
             on conflict (lesson_id, holder_id) do update set role = excluded.role
             returning seat_id",
        )
        .bind(fresh.to_string())
        .bind(lesson_id.to_string())
        .bind(holder)
        .bind(role)
        .fetch_one(&self.pool)
        .await?;
        word(&row, "seat_id")
    }

    async fn fetch_lessons(&self, mut query: QueryBuilder<'_, Sqlite>) -> Result<Vec<Lesson>, StoreError> {
        let rows = query.build().fetch_all(&self.pool).await?;
        let mut lessons = rows.iter().map(lesson_from).collect::<Result<Vec<_>, _>>()?;
        if lessons.is_empty() {
            return Ok(lessons);
        }
        let mut query = QueryBuilder::new(
            "select lesson_id, classroom_id, classroom.name as name, organisation.name as school
             from lesson_classroom
             join classroom using (classroom_id)
             join organisation using (organisation_id)
             where lesson_id in (",
        );
        let mut ids = query.separated(", ");
        for lesson in &lessons {
            ids.push_bind(lesson.lesson_id.to_string());
        }
        query.push(") order by classroom_id");
        let mut listed: HashMap<LessonId, Vec<ListedClassroom>> = HashMap::new();
        for row in query.build().fetch_all(&self.pool).await? {
            listed.entry(word(&row, "lesson_id")?).or_default().push(ListedClassroom {
                classroom_id: word(&row, "classroom_id")?,
                name: row.try_get("name")?,
                school: row.try_get("school")?,
            });
        }
        for lesson in &mut lessons {
            lesson.classrooms = listed.remove(&lesson.lesson_id).unwrap_or_default();
        }
        Ok(lessons)
    }
}

fn scoped(scope: Scope) -> QueryBuilder<'static, Sqlite> {
    let mut query = QueryBuilder::new(SELECT_LESSON);
    match scope {
        Scope::System => {
            query.push("1 = 1");
        }
        Scope::Of(asker) => match (asker.role, asker.holder) {
            (Role::BureauOfficer, Holder::Person(_)) => {
                query.push("1 = 1");
            }
            (Role::LeadTeacher, Holder::Person(person_id)) => {
                query.push("teacher_id = ").push_bind(person_id.to_string());
            }
            (Role::Classroom, Holder::Classroom(classroom_id)) => {
                query.push("lesson.lesson_id in (select lesson_id from lesson_classroom where classroom_id = ");
                query.push_bind(classroom_id.to_string()).push(")");
            }
            // A device with a person's role, or the other way round: sees nothing.
            _ => {
                query.push("1 = 0");
            }
        },
    }
    query
}

fn lesson_from(row: &SqliteRow) -> Result<Lesson, StoreError> {
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
        starts_at: UnixMs(row.try_get("starts_at_ms")?),
        ends_at: UnixMs(row.try_get("ends_at_ms")?),
        live_at: row.try_get::<Option<i64>, _>("live_at_ms")?.map(UnixMs),
        ended_at: row.try_get::<Option<i64>, _>("ended_at_ms")?.map(UnixMs),
        classrooms: Vec::new(),
        guests_max: row.try_get("guests_max")?,
        recording: recording_id.map(|recording_id| RecordingNote {
            recording_id,
            state: match recording_state.as_deref() {
                Some("sealed") => RecordingState::Sealed,
                _ => RecordingState::Recording,
            },
        }),
    })
}
