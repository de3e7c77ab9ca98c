//! Seeds a whole county into an empty store, for the sample and for tests.

use crate::store::{AuditRow, Seed, Sql, Store, StoreError, word};
use school::{
    account::permission::Scope,
    base::{
        id::{ClassroomId, OrganisationId},
        time::UnixMs,
    },
    fixtures::county::County,
    organisation::{Classroom, Organisation, Person, Role},
    timetable::course::SchoolClass,
};

impl Store {
    /// Seeds the county with years, terms, days and bell schedules, and the courses and pairings of each term. Lessons
    /// are planned separately.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn seed_county(&self, scope: &Scope, county: &County, now: UnixMs) -> Result<(), StoreError> {
        self.seed_grounds(scope, county, now).await?;
        let row = || AuditRow::by_system(now, "plant", "county".into());
        for term in &county.terms {
            for course in county.courses(term) {
                self.insert_course(scope, &course, row()).await?;
            }
            for pairing in county.pairings(term) {
                // The county has no duplicate pairing; its test checks that.
                if let Err(crate::store::AgreementError::Store(error)) =
                    self.insert_pairing(scope, &pairing, row()).await
                {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// The first organisation without a parent. `None`: none yet.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn top(&self, scope: &Scope) -> Result<Option<OrganisationId>, StoreError> {
        let mut sql = Sql::new("select organisation_id from organisation where parent_id is null and ");
        sql.within(scope, "path").push(" order by organisation_id limit 1");
        sql.optional(&self.pool).await?.map(|row| word(&row, "organisation_id")).transpose()
    }

    /// Seeds places, people, classes, and their calendars.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn seed_grounds(&self, scope: &Scope, county: &County, now: UnixMs) -> Result<(), StoreError> {
        let row = || AuditRow::by_system(now, "plant", "county".into());
        let mut seed = Seed::default();
        let there = self.paths(scope, [county.bureau().organisation_id]).await?;
        for node in county.nodes.iter().filter(|node| !there.contains_key(&node.organisation_id)) {
            seed.organisations.push(Organisation {
                organisation_id: node.organisation_id,
                parent_id: node.parent_id,
                kind: node.kind,
                name: node.name.clone(),
                code: None,
            });
            seed.classrooms.extend(node.classes.iter().filter_map(room_of));
            seed.people.extend(node.teachers.iter().map(|(person_id, name)| {
                let (organisation_id, name) = (node.organisation_id, name.clone());
                (Person { person_id: *person_id, organisation_id, name, sign_in_name: None }, Some(Role::LeadTeacher))
            }));
        }
        let mut writing = self.write().await?;
        writing.seed(scope, &seed, now).await?;
        for class in county.nodes.iter().flat_map(|node| &node.classes) {
            let mut sql = Sql::new(
                "insert into school_class (class_id, organisation_id, classroom_id, stage, grade, name, created_at_ms,
                                           version) values (",
            );
            sql.bind(class.class_id.to_string()).push(", ").bind(class.organisation_id.to_string()).push(", ");
            sql.bind(class.classroom_id.map(|id: ClassroomId| id.to_string())).push(", ").bind(class.stage.as_str());
            sql.push(", ").bind(class.grade.as_str()).push(", ").bind(class.name.as_str()).push(", ").bind(now.0);
            sql.push(", 1)");
            sql.run(writing.on()).await?;
        }
        writing.commit(&row()).await?;
        for year in &county.years {
            self.insert_school_year(scope, year, row()).await?;
        }
        for term in &county.terms {
            self.insert_term(scope, term, row()).await?;
        }
        for day in &county.days {
            self.set_special_day(scope, county.bureau().organisation_id, day, row()).await?;
        }
        for schedule in &county.bells {
            self.insert_bell_schedule(scope, schedule, row()).await?;
        }
        Ok(())
    }
}

fn room_of(class: &SchoolClass) -> Option<Classroom> {
    let (organisation_id, name) = (class.organisation_id, format!("{}教室", class.name));
    Some(Classroom { classroom_id: class.classroom_id?, organisation_id, name })
}
