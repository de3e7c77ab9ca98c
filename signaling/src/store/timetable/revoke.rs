//! Revokes listening rights: removes their classes from coming lessons.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row;

use super::pairing::rights_sql;
use crate::store::{Sql, StoreError, Writing, word};
use school::{
    base::{
        id::{ClassId, LessonId},
        time::UnixMs,
    },
    timetable::{
        pairing::{Hearing, ListeningRight, may_listen},
        rules::RuleSet,
    },
};

impl Writing {
    /// Removes the classes of these cancelled rights from lessons that have not opened yet, unless another right
    /// admits them. `rules` are those of the teaching school. Returns the number of lessons that lost a class.
    pub(crate) async fn revoke_lessons(
        &mut self,
        rules: &RuleSet,
        cancelled: &[ListeningRight],
        now: UnixMs,
    ) -> Result<usize, StoreError> {
        let mut lessons: BTreeMap<LessonId, BTreeSet<ClassId>> = BTreeMap::new();
        for right in cancelled {
            let rows = rights_sql(right.term_id, &[right.class_id]).query().fetch_all(self.on()).await?;
            let rights = rows.iter().map(super::pairing::right_from).collect::<Result<Vec<_>, _>>()?;
            let mut sql = Sql::new(
                "select lesson.lesson_id as lesson_id, subject, program, mode from lesson
                 join lesson_classroom on lesson_classroom.lesson_id = lesson.lesson_id
                 where lesson.state = 'scheduled' and lesson.term_id = ",
            );
            sql.bind(right.term_id.to_string()).push(" and organisation_id = ").bind(right.teaching_id.to_string());
            sql.push(" and lesson_classroom.class_id = ").bind(right.class_id.to_string());
            sql.push(" and starts_at_ms > ").bind(now.0);
            for row in sql.query().fetch_all(self.on()).await? {
                let subject: String = row.try_get("subject")?;
                let rule = rules.program(word(&row, "program")?, word(&row, "mode")?);
                let hearing = Hearing {
                    term_id: right.term_id,
                    teaching_id: right.teaching_id,
                    class_id: right.class_id,
                    subject: &subject,
                };
                let by_right = rule.is_some_and(|rule| rule.needs_listening_right) && right.extent.has(&subject);
                if by_right && !may_listen(&rights, &hearing) {
                    lessons.entry(word(&row, "lesson_id")?).or_default().insert(right.class_id);
                }
            }
        }
        for (lesson_id, class_ids) in &lessons {
            self.let_go(*lesson_id, class_ids).await?;
        }
        Ok(lessons.len())
    }

    async fn let_go(&mut self, lesson_id: LessonId, class_ids: &BTreeSet<ClassId>) -> Result<(), StoreError> {
        let (id, gone): (String, BTreeSet<String>) =
            (lesson_id.to_string(), class_ids.iter().map(ToString::to_string).collect());
        let mut sql = Sql::new("select classroom_id, class_id from lesson_classroom where lesson_id = ");
        sql.bind(id.as_str()).push(" and class_id in ").list(gone.iter().map(String::as_str));
        let mut resources = Vec::new();
        for row in sql.query().fetch_all(self.on()).await? {
            resources.push(format!("classroom:{}", row.try_get::<String, _>("classroom_id")?));
            resources.push(format!("class:{}", row.try_get::<String, _>("class_id")?));
        }
        let mut sql = Sql::new("delete from booking where lesson_id = ");
        sql.bind(id.as_str()).push(" and resource in ").list(resources.iter().map(String::as_str));
        sql.run(self.on()).await?;
        let mut sql = Sql::new("delete from lesson_classroom where lesson_id = ");
        sql.bind(id.as_str()).push(" and class_id in ").list(gone.iter().map(String::as_str));
        sql.run(self.on()).await?;
        // The grid reads the listeners from one column: one line per classroom and class.
        let mut sql = Sql::new("select listening from lesson where lesson_id = ");
        let row = sql.bind(id.as_str()).query().fetch_one(self.on()).await?;
        let listening: String = row.try_get("listening")?;
        let stays = |line: &&str| line.split_once(' ').is_none_or(|(_, class_id)| !gone.contains(class_id));
        let listening = listening.lines().filter(stays).collect::<Vec<_>>().join("\n");
        let mut sql = Sql::new("update lesson set version = version + 1, listening = ");
        sql.bind(listening).push(" where lesson_id = ").bind(id.as_str());
        sql.run(self.on()).await?;
        Ok(())
    }
}
