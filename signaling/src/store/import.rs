//! Tables that are taken in: all of a file or nothing of it, line by line in one transaction.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    AuditRow, RuleKind, Sql, Store, StoreError, Writing,
    person::{KeptPerson, SELECT_PERSON, person_from},
    place::{
        KeptClass, KeptClassroom, KeptOrganisation, NewClass, OrganisationEdit, PlaceError, SELECT_CLASS,
        SELECT_CLASSROOM, SELECT_ORGANISATION, class_from, classroom_from, organisation_from,
    },
};
use crate::domain::{
    id::{ClassId, ClassroomId, OrganisationId, PersonId},
    name,
    organisation::{Classroom, Organisation, Person},
    permission::Scope,
    sheet::{self, Fault, Line, Sheet},
    time::UnixMs,
};

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Imported {
    /// Lines that say something, without the heading.
    pub rows: usize,
    /// Things that are new.
    pub added: usize,
    /// Things that are now otherwise.
    pub changed: usize,
    /// Things that were so already.
    pub unchanged: usize,
    /// Every bad line. With one of them, nothing of the file is kept.
    pub faults: Vec<Fault>,
    /// It is kept. `false`: it was a dry run, or there are faults.
    pub kept: bool,
}

/// What one line did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Did {
    Added,
    Changed,
    Nothing,
}

/// The thing that a line is about, its place, and what was done.
struct Done {
    id: String,
    path: String,
    did: Did,
}

/// Why a line is not taken.
enum Bad {
    /// The word of its column, and why.
    Cell(&'static str, String),
    /// The organisation above is not there, or not there yet.
    NoParent,
    Store(StoreError),
}

impl From<StoreError> for Bad {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Rule { kind: RuleKind::Unique, rule } => {
                let known = ["sign_in_name", "code"].into_iter().find(|column| rule.contains(column));
                Self::Cell(known.unwrap_or("name"), "已经在用，或者曾经用过".into())
            }
            _ => Self::Store(error),
        }
    }
}

impl From<PlaceError> for Bad {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Store(error) => error.into(),
            PlaceError::Code(why) => Self::Cell("code", why.to_string()),
            PlaceError::Kind => Self::Cell("kind", error.to_string()),
            PlaceError::BelowItself | PlaceError::NotEmpty => Self::Cell("parent", error.to_string()),
        }
    }
}

const NO_SUCH_PLACE: &str = "没有这个机构，或者不归您管理（请写代码或全称）";
const NAMESAKES: &str = "有几个同名的，请改用代码或登录名";

impl Store {
    /// Takes a table in. `faults` are those that the reading of the file has found.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn import(
        &self,
        scope: &Scope,
        sheet: Sheet,
        (lines, faults): (Vec<Line>, Vec<Fault>),
        dry_run: bool,
        row: AuditRow,
    ) -> Result<Imported, StoreError> {
        let bad_before = faults.iter().map(|fault| fault.row).collect::<std::collections::HashSet<_>>().len();
        let mut told = Imported { rows: lines.len() + bad_before, faults, ..Imported::default() };
        let mut seen: HashMap<String, u32> = HashMap::new();
        let mut place: Option<String> = None;
        let mut writing = self.write().await?;
        let mut left = lines;
        loop {
            let before = left.len();
            let mut again = Vec::new();
            for line in left {
                match writing.line_by_itself(scope, sheet, &line, row.at, &mut seen).await? {
                    Ok(done) => {
                        match done.did {
                            Did::Added => told.added += 1,
                            Did::Changed => told.changed += 1,
                            Did::Nothing => told.unchanged += 1,
                        }
                        place = Some(place.map_or_else(|| done.path.clone(), |place| above_both(&place, &done.path)));
                    }
                    Err(None) => again.push(line),
                    Err(Some(fault)) => told.faults.push(fault),
                }
            }
            // A school may stand in the file before its bureau; the tree is six deep at most.
            if again.len() == before || again.is_empty() {
                let fault = |line: &Line| Fault::new(line.row, "上级", &line.cells[3].text, NO_SUCH_PLACE);
                told.faults.extend(again.iter().map(fault));
                break;
            }
            left = again;
        }
        told.faults.sort_by_key(|fault| fault.row);
        told.kept = !dry_run && told.faults.is_empty();
        if told.kept {
            let said =
                format!("{} added={} changed={} unchanged={}", row.detail, told.added, told.changed, told.unchanged);
            writing.commit(&row.saying(said).at_place(place.unwrap_or_default())).await?;
        }
        Ok(told)
    }
}

/// The path of the nearest node above both.
fn above_both(one: &str, other: &str) -> String {
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    one[..same].rfind('/').map_or_else(String::new, |end| if end == 0 { String::new() } else { one[..=end].to_owned() })
}

impl Writing {
    /// A line that fails leaves no trace in the transaction. `Err(None)`: its parent is not there yet.
    async fn line_by_itself(
        &mut self,
        scope: &Scope,
        sheet: Sheet,
        line: &Line,
        now: UnixMs,
        seen: &mut HashMap<String, u32>,
    ) -> Result<Result<Done, Option<Fault>>, StoreError> {
        sqlx::query("savepoint line").execute(self.on()).await?;
        let cell = |n: usize| line.cells[n].text.as_str();
        let done = match sheet {
            Sheet::Organisations => self.take_organisation(scope, [cell(0), cell(1), cell(2), cell(3)], now).await,
            Sheet::Classrooms => self.take_classroom(scope, [cell(0), cell(1)], now).await,
            Sheet::Classes => self.take_class(scope, [cell(0), cell(1), cell(2), cell(3), cell(4)], now).await,
            Sheet::People => self.take_person(scope, [cell(0), cell(1), cell(2)], now).await,
        };
        let twice = done.as_ref().ok().and_then(|done| seen.insert(done.id.clone(), line.row));
        let done = match twice {
            Some(row) => Err(Bad::Cell("name", format!("与第 {row} 行重复"))),
            None => done,
        };
        if done.is_err() {
            sqlx::query("rollback to savepoint line").execute(self.on()).await?;
        }
        sqlx::query("release savepoint line").execute(self.on()).await?;
        match done {
            Ok(done) => Ok(Ok(done)),
            Err(Bad::NoParent) => Ok(Err(None)),
            Err(Bad::Store(error)) => Err(error),
            Err(Bad::Cell(word, reason)) => {
                let column = sheet.columns().iter().position(|column| column.word == word).unwrap_or_default();
                Ok(Err(Some(Fault::new(line.row, sheet.columns()[column].title, cell(column), reason))))
            }
        }
    }

    async fn take_organisation(
        &mut self,
        scope: &Scope,
        [code, typed, kind, parent]: [&str; 4],
        now: UnixMs,
    ) -> Result<Done, Bad> {
        let name = read_name("name", typed)?;
        let kind =
            sheet::kind(kind).ok_or_else(|| Bad::Cell("kind", "应为 省、市、县、中心校、学校 或 教学点".into()))?;
        let code = Some(code).filter(|code| !code.is_empty());
        let parent = match parent {
            "" => None,
            text => Some(self.place_named(scope, text, "parent").await?.ok_or(Bad::NoParent)?),
        };
        let before = match code {
            Some(code) => self.find_organisation(scope, &[("code", code)]).await?,
            None => None,
        };
        let before = match before {
            Some(before) => Some(before),
            None => {
                let above = parent.as_ref().map(|parent| parent.organisation_id.to_string());
                let mut asked = vec![("name", name.as_str())];
                asked.extend(above.as_deref().map(|id| ("parent_id", id)));
                let found = self.find_organisation(scope, &asked).await?;
                // One that has another code is another one, but for a new code of the same place.
                found.filter(|found| above.is_some() || found.parent_id.is_none() || code.is_none())
            }
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
            let path = path.ok_or_else(|| Bad::Cell("parent", "请填写上级：最上级的机构不能由您添加".into()))?;
            return Ok(Done { id, path, did: Did::Added });
        };
        if before.kind != kind {
            return Err(Bad::Cell("kind", "已有机构的类型不能改".into()));
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
            return Err(Bad::Cell("parent", NO_SUCH_PLACE.into()));
        }
        Ok(Done { id, path, did: Did::Changed })
    }

    async fn take_classroom(&mut self, scope: &Scope, [school, typed]: [&str; 2], now: UnixMs) -> Result<Done, Bad> {
        let name = read_name("name", typed)?;
        let school = self.school_named(scope, school).await?;
        if let Some(kept) = self.room_named(scope, school.organisation_id, &name).await? {
            return Ok(Done { id: kept.classroom_id.to_string(), path: school.path, did: Did::Nothing });
        }
        let classroom = Classroom { classroom_id: ClassroomId::fresh(), organisation_id: school.organisation_id, name };
        self.insert_classroom(scope, &classroom, now).await?;
        Ok(Done { id: classroom.classroom_id.to_string(), path: school.path, did: Did::Added })
    }

    async fn take_class(
        &mut self,
        scope: &Scope,
        [school, stage, grade, typed, room]: [&str; 5],
        now: UnixMs,
    ) -> Result<Done, Bad> {
        let (grade, name) = (read_name("grade", grade)?, read_name("name", typed)?);
        let stage = sheet::stage(stage)
            .ok_or_else(|| Bad::Cell("stage", "应为 学前、小学、初中、高中、中职 或 特教".into()))?;
        let school = self.school_named(scope, school).await?;
        let organisation_id = school.organisation_id;
        let classroom_id = match room {
            "" => None,
            room => {
                let found = self.room_named(scope, organisation_id, room).await?;
                Some(found.ok_or_else(|| Bad::Cell("classroom", "这所学校没有这间教室".into()))?.classroom_id)
            }
        };
        let mut sql = Sql::new(SELECT_CLASS);
        sql.within(scope, "path").push(" and school_class.closed_at_ms is null and school_class.organisation_id = ");
        sql.bind(organisation_id.to_string()).push(" and grade = ").bind(grade.as_str());
        sql.push(" and school_class.name = ").bind(name.as_str());
        let kept: Option<KeptClass> = sql.optional_on(self.on()).await?.as_ref().map(class_from).transpose()?;
        let Some(kept) = kept else {
            let class = NewClass { class_id: ClassId::fresh(), organisation_id, classroom_id, stage, grade, name };
            self.insert_class(scope, &class, now).await?;
            return Ok(Done { id: class.class_id.to_string(), path: school.path, did: Did::Added });
        };
        if kept.stage != stage {
            return Err(Bad::Cell("stage", "已有班级的学段不能改".into()));
        }
        let id = kept.class_id.to_string();
        let Some(room) = classroom_id.filter(|room| kept.classroom_id != Some(*room)) else {
            return Ok(Done { id, path: school.path, did: Did::Nothing });
        };
        let mut sql = Sql::new("update school_class set version = version + 1, classroom_id = ");
        sql.bind(room.to_string()).push(" where class_id = ").bind(id.as_str());
        sql.run(self.on()).await?;
        Ok(Done { id, path: school.path, did: Did::Changed })
    }

    async fn take_person(
        &mut self,
        scope: &Scope,
        [organisation, typed, sign_in_name]: [&str; 3],
        now: UnixMs,
    ) -> Result<Done, Bad> {
        let name = read_name("name", typed)?;
        let sign_in_name = match sign_in_name {
            "" => None,
            typed => Some(name::sign_in_name(typed).map_err(|why| Bad::Cell("sign_in_name", why.to_string()))?),
        };
        let place = self.place_named(scope, organisation, "organisation").await?;
        let place = place.ok_or_else(|| Bad::Cell("organisation", NO_SUCH_PLACE.into()))?;
        let mut by_sign_in = None;
        if let Some(sign_in_name) = &sign_in_name {
            by_sign_in = self.find_people(scope, &[("sign_in_name", sign_in_name)]).await?.pop();
        }
        let before = match by_sign_in {
            Some(found) if found.organisation_id != place.organisation_id => {
                return Err(Bad::Cell("sign_in_name", "已经是另一个机构的人的登录名".into()));
            }
            Some(found) => Some(found),
            None => {
                let id = place.organisation_id.to_string();
                let mut found = self
                    .find_people(scope, &[("person.name", name.as_str()), ("person.organisation_id", id.as_str())])
                    .await?;
                if sign_in_name.is_some() {
                    // Who has another name to sign in by is a namesake.
                    found.retain(|person| person.sign_in_name.is_none());
                }
                if found.len() > 1 {
                    return Err(Bad::Cell("name", NAMESAKES.into()));
                }
                found.pop()
            }
        };
        let Some(before) = before else {
            let person_id = PersonId::fresh();
            let person = Person { person_id, organisation_id: place.organisation_id, name, sign_in_name };
            self.insert_person(scope, &person, now).await?;
            return Ok(Done { id: person_id.to_string(), path: place.path, did: Did::Added });
        };
        let id = before.person_id.to_string();
        let sign_in_name = sign_in_name.or_else(|| before.sign_in_name.clone());
        if before.name == name && before.sign_in_name == sign_in_name {
            return Ok(Done { id, path: place.path, did: Did::Nothing });
        }
        if self.has_power(scope, &id).await? {
            return Err(Bad::Cell("name", "此人还有课堂以外或别处的角色，请在人员页面单独修改".into()));
        }
        let mut sql = Sql::new("update person set version = version + 1, name = ");
        sql.bind(name).push(", sign_in_name = ").bind(sign_in_name).push(" where person_id = ").bind(id.as_str());
        sql.run(self.on()).await?;
        Ok(Done { id, path: place.path, did: Did::Changed })
    }

    /// An open organisation in scope, by id, code or full name.
    async fn place_named(
        &mut self,
        scope: &Scope,
        text: &str,
        column: &'static str,
    ) -> Result<Option<KeptOrganisation>, Bad> {
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

    async fn school_named(&mut self, scope: &Scope, text: &str) -> Result<KeptOrganisation, Bad> {
        let school = self.place_named(scope, text, "organisation").await?;
        let school = school.ok_or_else(|| Bad::Cell("organisation", NO_SUCH_PLACE.into()))?;
        if school.kind.teaches() {
            Ok(school)
        } else {
            Err(Bad::Cell("organisation", "教育局没有教室和班级".into()))
        }
    }

    /// The one open organisation in scope of which all of this is true.
    async fn find_organisation(
        &mut self,
        scope: &Scope,
        asked: &[(&str, &str)],
    ) -> Result<Option<KeptOrganisation>, Bad> {
        let mut sql = Sql::new(SELECT_ORGANISATION);
        sql.within(scope, "path").push(" and organisation.closed_at_ms is null");
        for (column, value) in asked {
            sql.push(" and ").push(column).push(" = ").bind(*value);
        }
        sql.push(" limit 2");
        let mut found = sql.query().fetch_all(self.on()).await.map_err(StoreError::from)?;
        if found.len() > 1 {
            return Err(Bad::Cell("name", NAMESAKES.into()));
        }
        Ok(found.pop().as_ref().map(organisation_from).transpose()?)
    }

    async fn find_people(&mut self, scope: &Scope, asked: &[(&str, &str)]) -> Result<Vec<KeptPerson>, StoreError> {
        let mut sql = Sql::new(SELECT_PERSON);
        sql.within(scope, "path").push(" and person.closed_at_ms is null");
        for (column, value) in asked {
            sql.push(" and ").push(column).push(" = ").bind(*value);
        }
        sql.push(" limit 50");
        sql.query().fetch_all(self.on()).await?.iter().map(person_from).collect()
    }

    /// Somebody who is more than a teacher in scope: no table changes their account, as nobody reaches a power through
    /// the account of somebody who has it.
    async fn has_power(&mut self, scope: &Scope, person_id: &str) -> Result<bool, StoreError> {
        let mut sql = Sql::new(
            "select 1 from role_grant
             join organisation on organisation.organisation_id = role_grant.organisation_id
             where (role not in ('lead_teacher', 'assistant') or not ",
        );
        sql.within(scope, "path").push(") and person_id = ").bind(person_id).push(" limit 1");
        Ok(sql.optional_on(self.on()).await?.is_some())
    }

    async fn room_named(
        &mut self,
        scope: &Scope,
        id: OrganisationId,
        name: &str,
    ) -> Result<Option<KeptClassroom>, StoreError> {
        let mut sql = Sql::new(SELECT_CLASSROOM);
        sql.within(scope, "path").push(" and classroom.closed_at_ms is null and classroom.organisation_id = ");
        sql.bind(id.to_string()).push(" and classroom.name = ").bind(name);
        sql.optional_on(self.on()).await?.as_ref().map(classroom_from).transpose()
    }
}

fn read_name(column: &'static str, typed: &str) -> Result<String, Bad> {
    name::name(typed).map_err(|why| Bad::Cell(column, why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::sheet::Cell,
        store::{
            Database,
            place::ListAsk,
            stores::{fresh_postgres_url, on_both},
        },
        system_scope,
    };

    fn table(sheet: Sheet, rows: &[&[&str]]) -> (Vec<Line>, Vec<Fault>) {
        let heading = sheet.columns().iter().map(|column| Cell::text(column.title)).collect();
        let mut file = vec![Line { row: 1, cells: heading }];
        for (row, cells) in (2..).zip(rows) {
            file.push(Line { row, cells: cells.iter().map(|text| Cell::text(text)).collect() });
        }
        sheet::lines(sheet, file)
    }

    async fn take(store: &Store, sheet: Sheet, rows: &[&[&str]], dry_run: bool) -> Imported {
        let row = AuditRow::by_system(UnixMs(1), "import", sheet.as_str().into());
        store.import(&system_scope::sample(), sheet, table(sheet, rows), dry_run, row).await.unwrap()
    }

    fn counts(told: &Imported) -> (usize, usize, usize, usize) {
        assert!(told.faults.is_empty(), "{:?}", told.faults);
        (told.rows, told.added, told.changed, told.unchanged)
    }

    const TREE: [&[&str]; 4] = [
        &["", "石梯教学点", "教学点", "汉滨小学"],
        &["2161000917", "汉滨小学", "学校", "610902"],
        &["610902", "汉滨区", "县", ""],
        &["2161000918", "江北小学", "学校", "汉滨区"],
    ];

    on_both! {
        async fn a_county_comes_in_any_order_and_a_second_time_changes_nothing(database) {
            let store = Store::open(&database).await.unwrap();
            let dry = take(&store, Sheet::Organisations, &TREE, true).await;
            assert_eq!((counts(&dry), dry.kept, store.is_empty().await.unwrap()), ((4, 4, 0, 0), false, true));
            assert_eq!(store.verify_audit().await.unwrap().unwrap().rows, 0);
            let done = take(&store, Sheet::Organisations, &TREE, false).await;
            assert_eq!((counts(&done), done.kept), ((4, 4, 0, 0), true));
            assert_eq!(counts(&take(&store, Sheet::Organisations, &TREE, false).await), (4, 0, 0, 4));
            let tables: [(Sheet, &[&[&str]]); 3] = [
                (Sheet::Classrooms, &[&["汉滨小学", "一年级教室"], &["石梯教学点", "大教室"]]),
                (Sheet::Classes, &[&["2161000917", "小学", "一年级", "（1）班", "一年级教室"]]),
                (Sheet::People, &[&["汉滨小学", "张老师", "zhang"], &["610902", "李老师", ""]]),
            ];
            for (sheet, rows) in tables {
                let n = rows.len();
                assert_eq!(counts(&take(&store, sheet, rows, false).await), (n, n, 0, 0), "{sheet:?}");
                assert_eq!(counts(&take(&store, sheet, rows, false).await), (n, 0, 0, n), "{sheet:?}");
            }
            // Renamed and moved by its code; a person by the name they sign in by.
            let moved = take(&store, Sheet::Organisations, &[&["2161000918", "江北实验小学", "学校", ""]], false).await;
            assert_eq!(counts(&moved), (1, 0, 1, 0));
            let renamed = take(&store, Sheet::People, &[&["汉滨小学", "张卫", "ZHANG"]], false).await;
            assert_eq!(counts(&renamed), (1, 0, 1, 0));
            assert_eq!(store.verify_audit().await.unwrap().unwrap().rows, 10);
        }

        async fn one_bad_line_keeps_the_whole_file_out_and_each_is_told(database) {
            let store = Store::open(&database).await.unwrap();
            take(&store, Sheet::Organisations, &TREE, false).await;
            take(&store, Sheet::People, &[&["汉滨小学", "张老师", "zhang"]], false).await;
            let bad: [&[&str]; 6] = [
                &["汉滨小学", "好老师", "good"],
                &["没有的学校", "甲", ""],
                &["江北小学", "乙", "zhang"],
                &["汉滨小学", "丙", "坏"],
                &["汉滨小学", "好老师", "good"],
                &["汉滨小学", "", ""],
            ];
            for dry_run in [true, false] {
                let told = take(&store, Sheet::People, &bad, dry_run).await;
                let faults: Vec<_> = told.faults.iter().map(|fault| (fault.row, fault.column.as_str())).collect();
                assert_eq!(faults, [(3, "机构"), (4, "登录名"), (5, "登录名"), (6, "姓名"), (7, "姓名")]);
                assert_eq!((told.rows, told.kept), (6, false));
            }
            let ask = ListAsk { limit: 10, ..ListAsk::default() };
            assert_eq!(store.people(&system_scope::sample(), &ask).await.unwrap().len(), 1);
            let codes: [&[&str]; 3] = [
                &["123", "代码错小学", "学校", "610902"],
                &["", "孤儿小学", "学校", "没有的县"],
                &["", "县下教学点", "教学点", "610902"],
            ];
            let told = take(&store, Sheet::Organisations, &codes, true).await;
            let faults: Vec<_> = told.faults.iter().map(|fault| (fault.row, fault.column.as_str())).collect();
            assert_eq!(faults, [(2, "代码"), (3, "上级"), (4, "类型")]);
        }
    }
}
