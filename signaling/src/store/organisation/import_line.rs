//! Import of one line of a table: finds the row that it means, and applies the changes.

use std::collections::HashMap;

use super::{
    classroom::{SELECT_CLASSROOM, StoredClassroom, classroom_from},
    place::{OrganisationEdit, PlaceError, SELECT_ORGANISATION, StoredOrganisation, organisation_from},
    school_class::{NewClass, SELECT_CLASS, StoredClass, class_from},
};
use crate::store::{
    RuleKind, Sql, StoreError, Writing,
    account::person::{SELECT_PERSON, StoredPerson, person_from},
};
use school::{
    account::permission::Scope,
    base::{
        id::{ClassId, ClassroomId, OrganisationId, PersonId},
        name,
        time::UnixMs,
    },
    organisation::{
        BadPlace, Classroom, Organisation, Person,
        sheet::{
            self, Line, Sheet,
            fault::{CellReason, FaultReason},
        },
    },
};

/// What one line did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    Added,
    Changed,
    Nothing,
}

/// Id and path of the line's object, and what was done.
pub(crate) struct Done {
    pub id: String,
    pub path: String,
    pub did: Did,
}

/// Why a line is refused.
pub(crate) enum Bad {
    /// Column and reason.
    Cell(&'static str, FaultReason),
    /// The parent organisation does not exist, or not yet.
    NoParent,
    Store(StoreError),
}

impl Bad {
    pub fn cell(column: &'static str, why: impl Into<FaultReason>) -> Self {
        Self::Cell(column, why.into())
    }
}

impl From<StoreError> for Bad {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Rule { kind: RuleKind::Unique, rule } => {
                let known = ["sign_in_name", "code"].into_iter().find(|column| rule.contains(column));
                Self::cell(known.unwrap_or("name"), CellReason::InUse)
            }
            _ => Self::Store(error),
        }
    }
}

impl From<PlaceError> for Bad {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Store(error) => error.into(),
            PlaceError::Code(why) => Self::cell("code", why),
            PlaceError::Place(why @ BadPlace::NotBelowThere) => Self::cell("kind", why),
            PlaceError::Place(why @ (BadPlace::BelowItself | BadPlace::NotEmpty)) => Self::cell("parent", why),
        }
    }
}

/// State shared by the lines of a table.
pub(crate) struct Taking<'a> {
    scope: &'a Scope,
    now: UnixMs,
    /// Cache of schools named by lines. Only a table of organisations changes them, and it does not use the cache.
    schools: HashMap<String, Option<StoredOrganisation>>,
}

impl<'a> Taking<'a> {
    pub fn new(scope: &'a Scope, now: UnixMs) -> Self {
        Self { scope, now, schools: HashMap::new() }
    }
}

impl Writing {
    pub(crate) async fn take_line(&mut self, taking: &mut Taking<'_>, sheet: Sheet, line: &Line) -> Result<Done, Bad> {
        let cell = |n: usize| line.cells[n].text.as_str();
        match sheet {
            Sheet::Organisations => self.take_organisation(taking, [cell(0), cell(1), cell(2), cell(3), cell(4)]).await,
            Sheet::Classrooms => self.take_classroom(taking, [cell(0), cell(1), cell(2)]).await,
            Sheet::Classes => self.take_class(taking, [cell(0), cell(1), cell(2), cell(3), cell(4), cell(5)]).await,
            Sheet::People => self.take_person(taking, [cell(0), cell(1), cell(2), cell(3)]).await,
        }
    }

    async fn take_organisation(
        &mut self,
        taking: &Taking<'_>,
        [code, typed, kind, parent, id]: [&str; 5],
    ) -> Result<Done, Bad> {
        let (scope, now) = (taking.scope, taking.now);
        let name = read_name("name", typed)?;
        let kind = sheet::kind(kind).ok_or_else(|| Bad::cell("kind", CellReason::NotAKind))?;
        let code = Some(code).filter(|code| !code.is_empty());
        let parent = match parent {
            "" => None,
            text => Some(self.place_named(scope, text, "parent").await?.ok_or(Bad::NoParent)?),
        };
        let before = if id.is_empty() {
            self.organisation_meant(scope, code, &name, parent.as_ref()).await?
        } else {
            let found = self.find_organisation(scope, &[("organisation.organisation_id", id)]).await?;
            Some(found.ok_or_else(|| Bad::cell("id", CellReason::NoSuchId))?)
        };
        let Some(before) = before else {
            let organisation = Organisation {
                organisation_id: OrganisationId::fresh(),
                parent_id: parent.map(|parent| parent.organisation_id),
                kind,
                name,
                code: code.map(str::to_owned),
            };
            let id = organisation.organisation_id.to_string();
            let path = self.add_organisation(scope, &organisation, now).await?;
            let path = path.ok_or_else(|| Bad::cell("parent", CellReason::ParentNeeded))?;
            return Ok(Done { id, path, did: Did::Added });
        };
        if before.kind != kind {
            return Err(Bad::cell("kind", CellReason::KindStays));
        }
        let edit = OrganisationEdit {
            name: (before.name != name).then_some(name),
            code: code.filter(|code| before.code.as_deref() != Some(code)).map(|code| Some(code.to_owned())),
            parent_id: parent.map(|parent| parent.organisation_id).filter(|id| before.parent_id != Some(*id)),
            close: false,
        };
        let (id, path) = (before.organisation_id.to_string(), before.path.clone());
        if edit.name.is_none() && edit.code.is_none() && edit.parent_id.is_none() {
            return Ok(Done { id, path, did: Did::Nothing });
        }
        self.take_version("organisation", "organisation_id", &id, before.version).await?;
        if !self.edit_organisation(scope, &before, &edit, now).await? {
            return Err(Bad::cell("parent", CellReason::NoSuchPlace));
        }
        Ok(Done { id, path, did: Did::Changed })
    }

    /// The organisation meant by a line without an id: by its code, else by its name and parent.
    async fn organisation_meant(
        &mut self,
        scope: &Scope,
        code: Option<&str>,
        name: &str,
        parent: Option<&StoredOrganisation>,
    ) -> Result<Option<StoredOrganisation>, Bad> {
        if let Some(code) = code
            && let Some(found) = self.find_organisation(scope, &[("code", code)]).await?
        {
            return Ok(Some(found));
        }
        let above = parent.map(|parent| parent.organisation_id.to_string());
        let mut asked = vec![("name", name)];
        asked.extend(above.as_deref().map(|id| ("parent_id", id)));
        let found = self.find_organisation(scope, &asked).await?;
        // A different code means a different organisation, unless the parent matches: then its code changes.
        Ok(found.filter(|found| above.is_some() || found.parent_id.is_none() || code.is_none()))
    }

    async fn take_classroom(&mut self, taking: &mut Taking<'_>, [school, typed, id]: [&str; 3]) -> Result<Done, Bad> {
        let name = read_name("name", typed)?;
        let school = self.school_named(taking, school).await?;
        let (scope, organisation_id) = (taking.scope, school.organisation_id);
        let asked = if id.is_empty() { ("classroom.name", name.as_str()) } else { ("classroom_id", id) };
        let Some(before) = self.find_classroom(scope, organisation_id, asked).await? else {
            if !id.is_empty() {
                return Err(Bad::cell("id", CellReason::NoSuchIdThere));
            }
            let classroom = Classroom { classroom_id: ClassroomId::fresh(), organisation_id, name };
            self.insert_classroom(scope, &classroom, taking.now).await?;
            return Ok(Done { id: classroom.classroom_id.to_string(), path: school.path, did: Did::Added });
        };
        let id = before.classroom_id.to_string();
        if before.name == name {
            return Ok(Done { id, path: school.path, did: Did::Nothing });
        }
        let mut sql = Sql::new("update classroom set version = version + 1, name = ");
        sql.bind(name).push(" where classroom_id = ").bind(id.as_str());
        sql.run(self.on()).await?;
        Ok(Done { id, path: school.path, did: Did::Changed })
    }

    async fn take_class(
        &mut self,
        taking: &mut Taking<'_>,
        [school, stage, grade, typed, room, id]: [&str; 6],
    ) -> Result<Done, Bad> {
        let (grade, name) = (read_name("grade", grade)?, read_name("name", typed)?);
        let stage = sheet::stage(stage).ok_or_else(|| Bad::cell("stage", CellReason::NotAStage))?;
        let school = self.school_named(taking, school).await?;
        let (scope, organisation_id) = (taking.scope, school.organisation_id);
        let classroom_id = match room {
            "" => None,
            room => {
                let found = self.find_classroom(scope, organisation_id, ("classroom.name", room)).await?;
                let found = found.ok_or_else(|| Bad::cell("classroom", CellReason::NoSuchClassroom))?;
                Some(found.classroom_id)
            }
        };
        let mut sql = Sql::new(SELECT_CLASS);
        sql.within(scope, "path").push(" and school_class.closed_at_ms is null and school_class.organisation_id = ");
        sql.bind(organisation_id.to_string());
        if id.is_empty() {
            sql.push(" and grade = ").bind(grade.as_str()).push(" and school_class.name = ").bind(name.as_str());
        } else {
            sql.push(" and class_id = ").bind(id);
        }
        let before: Option<StoredClass> = sql.optional_on(self.on()).await?.as_ref().map(class_from).transpose()?;
        let Some(before) = before else {
            if !id.is_empty() {
                return Err(Bad::cell("id", CellReason::NoSuchIdThere));
            }
            let class = NewClass { class_id: ClassId::fresh(), organisation_id, classroom_id, stage, grade, name };
            self.insert_class(scope, &class, taking.now).await?;
            return Ok(Done { id: class.class_id.to_string(), path: school.path, did: Did::Added });
        };
        if before.stage != stage {
            return Err(Bad::cell("stage", CellReason::StageStays));
        }
        let id = before.class_id.to_string();
        let classroom_id = classroom_id.or(before.classroom_id);
        if (&before.grade, &before.name, before.classroom_id) == (&grade, &name, classroom_id) {
            return Ok(Done { id, path: school.path, did: Did::Nothing });
        }
        let mut sql = Sql::new("update school_class set version = version + 1, grade = ");
        sql.bind(grade).push(", name = ").bind(name).push(", classroom_id = ");
        sql.bind(classroom_id.map(|id| id.to_string())).push(" where class_id = ").bind(id.as_str());
        sql.run(self.on()).await?;
        Ok(Done { id, path: school.path, did: Did::Changed })
    }

    async fn take_person(
        &mut self,
        taking: &mut Taking<'_>,
        [organisation, typed, sign_in_name, id]: [&str; 4],
    ) -> Result<Done, Bad> {
        let name = read_name("name", typed)?;
        let sign_in_name = match sign_in_name {
            "" => None,
            typed => Some(name::sign_in_name(typed).map_err(|why| Bad::cell("sign_in_name", why))?),
        };
        let place = self.place_known(taking, organisation).await?;
        let place = place.ok_or_else(|| Bad::cell("organisation", CellReason::NoSuchPlace))?;
        let before = if id.is_empty() {
            self.person_meant(taking.scope, &place, &name, sign_in_name.as_deref()).await?
        } else {
            let at = place.organisation_id.to_string();
            let asked = [("person.person_id", id), ("person.organisation_id", at.as_str())];
            let found = self.find_people(taking.scope, &asked).await?.pop();
            Some(found.ok_or_else(|| Bad::cell("id", CellReason::NoSuchIdThere))?)
        };
        let Some(before) = before else {
            let person_id = PersonId::fresh();
            let person = Person { person_id, organisation_id: place.organisation_id, name, sign_in_name };
            self.insert_person(taking.scope, &person, taking.now).await?;
            return Ok(Done { id: person_id.to_string(), path: place.path, did: Did::Added });
        };
        let id = before.person_id.to_string();
        let sign_in_name = sign_in_name.or_else(|| before.sign_in_name.clone());
        if before.name == name && before.sign_in_name == sign_in_name {
            return Ok(Done { id, path: place.path, did: Did::Nothing });
        }
        if self.has_power(taking.scope, &id).await? {
            return Err(Bad::cell("name", CellReason::OtherRoles));
        }
        let mut sql = Sql::new("update person set version = version + 1, name = ");
        sql.bind(name).push(", sign_in_name = ").bind(sign_in_name).push(" where person_id = ").bind(id.as_str());
        sql.run(self.on()).await?;
        Ok(Done { id, path: place.path, did: Did::Changed })
    }

    /// The person meant by a line without an id: by sign-in name, else by name.
    async fn person_meant(
        &mut self,
        scope: &Scope,
        place: &StoredOrganisation,
        name: &str,
        sign_in_name: Option<&str>,
    ) -> Result<Option<StoredPerson>, Bad> {
        if let Some(sign_in_name) = sign_in_name
            && let Some(found) = self.find_people(scope, &[("sign_in_name", sign_in_name)]).await?.pop()
        {
            let here = found.organisation_id == place.organisation_id;
            let elsewhere = || Bad::cell("sign_in_name", CellReason::InUseElsewhere);
            return if here { Ok(Some(found)) } else { Err(elsewhere()) };
        }
        let id = place.organisation_id.to_string();
        let asked = [("person.name", name), ("person.organisation_id", id.as_str())];
        let mut found = self.find_people(scope, &asked).await?;
        if sign_in_name.is_some() {
            // A person with another sign-in name is a namesake.
            found.retain(|person| person.sign_in_name.is_none());
        }
        if found.len() > 1 {
            return Err(Bad::cell("name", CellReason::Namesakes));
        }
        Ok(found.pop())
    }

    /// An open organisation in scope, by id, code or full name.
    async fn place_named(
        &mut self,
        scope: &Scope,
        text: &str,
        column: &'static str,
    ) -> Result<Option<StoredOrganisation>, Bad> {
        for by in ["organisation.organisation_id", "code", "name"] {
            let found = self.find_organisation(scope, &[(by, text)]).await.map_err(|bad| match bad {
                Bad::Cell(_, why) => Bad::Cell(column, why),
                other => other,
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The same, cached for all lines of a table.
    async fn place_known(&mut self, taking: &mut Taking<'_>, text: &str) -> Result<Option<StoredOrganisation>, Bad> {
        if let Some(known) = taking.schools.get(text) {
            return Ok(known.clone());
        }
        let found = self.place_named(taking.scope, text, "organisation").await?;
        taking.schools.insert(text.to_owned(), found.clone());
        Ok(found)
    }

    async fn school_named(&mut self, taking: &mut Taking<'_>, text: &str) -> Result<StoredOrganisation, Bad> {
        let school = self.place_known(taking, text).await?;
        let school = school.ok_or_else(|| Bad::cell("organisation", CellReason::NoSuchPlace))?;
        if school.kind.teaches() { Ok(school) } else { Err(Bad::cell("organisation", CellReason::NotASchool)) }
    }

    /// The single open organisation in scope that matches all of these columns.
    async fn find_organisation(
        &mut self,
        scope: &Scope,
        asked: &[(&str, &str)],
    ) -> Result<Option<StoredOrganisation>, Bad> {
        let mut sql = Sql::new(SELECT_ORGANISATION);
        sql.within(scope, "path").push(" and organisation.closed_at_ms is null");
        for (column, value) in asked {
            sql.push(" and ").push(column).push(" = ").bind(*value);
        }
        sql.push(" limit 2");
        let mut found = sql.query().fetch_all(self.on()).await.map_err(StoreError::from)?;
        if found.len() > 1 {
            return Err(Bad::cell("name", CellReason::Namesakes));
        }
        Ok(found.pop().as_ref().map(organisation_from).transpose()?)
    }

    async fn find_people(&mut self, scope: &Scope, asked: &[(&str, &str)]) -> Result<Vec<StoredPerson>, StoreError> {
        let mut sql = Sql::new(SELECT_PERSON);
        sql.within(scope, "path").push(" and person.closed_at_ms is null");
        for (column, value) in asked {
            sql.push(" and ").push(column).push(" = ").bind(*value);
        }
        sql.push(" limit 50");
        sql.query().fetch_all(self.on()).await?.iter().map(person_from).collect()
    }

    /// Whether the person holds a role above teacher, or one out of scope: no import changes their account, so that
    /// nobody gains a power through another's account.
    async fn has_power(&mut self, scope: &Scope, person_id: &str) -> Result<bool, StoreError> {
        let mut sql = Sql::new(
            "select 1 from role_grant
             join organisation on organisation.organisation_id = role_grant.organisation_id
             where (role not in ('lead_teacher', 'assistant') or not ",
        );
        sql.within(scope, "path").push(") and person_id = ").bind(person_id).push(" limit 1");
        Ok(sql.optional_on(self.on()).await?.is_some())
    }

    async fn find_classroom(
        &mut self,
        scope: &Scope,
        id: OrganisationId,
        (column, value): (&str, &str),
    ) -> Result<Option<StoredClassroom>, StoreError> {
        let mut sql = Sql::new(SELECT_CLASSROOM);
        sql.within(scope, "path").push(" and classroom.closed_at_ms is null and classroom.organisation_id = ");
        sql.bind(id.to_string()).push(" and ").push(column).push(" = ").bind(value);
        sql.optional_on(self.on()).await?.as_ref().map(classroom_from).transpose()
    }
}

fn read_name(column: &'static str, typed: &str) -> Result<String, Bad> {
    name::name(typed).map_err(|why| Bad::cell(column, why))
}
