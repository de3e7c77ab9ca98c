//! Import of tables: a whole file or nothing, in one transaction.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use utoipa::ToSchema;

use super::import_line::{Bad, Did, Done, Taking};
use crate::store::{AuditRow, Store, StoreError, Writing};
use school::{
    account::permission::Scope,
    organisation::sheet::{
        Line, Sheet,
        fault::{CellReason, Fault},
    },
};

/// Result of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Imported {
    /// Non-empty lines, without the heading.
    pub rows: usize,
    /// Added rows.
    pub added: usize,
    /// Changed rows.
    pub changed: usize,
    /// Unchanged rows.
    pub unchanged: usize,
    /// Every faulty line. With any fault, nothing of the file is stored.
    pub faults: Vec<Fault>,
    /// Stored. `false`: a dry run, or there are faults.
    pub kept: bool,
}

impl Store {
    /// Imports a table. `faults` are those found while parsing the file. Writes an audit row for stored, refused
    /// and dry-run imports.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn import(
        &self,
        scope: &Scope,
        sheet: Sheet,
        (lines, faults): (Vec<Line>, Vec<Fault>),
        dry_run: bool,
        row: AuditRow,
    ) -> Result<Imported, StoreError> {
        let bad_before = faults.iter().map(|fault| fault.row).collect::<HashSet<_>>().len();
        let mut told = Imported { rows: lines.len() + bad_before, faults, ..Imported::default() };
        let mut taking = Taking::new(scope, row.at);
        let mut seen: HashMap<String, u32> = HashMap::new();
        let mut place: Option<String> = None;
        let mut writing = self.write().await?;
        let mut left = lines;
        loop {
            let before = left.len();
            let mut again = Vec::new();
            for line in left {
                match writing.line_by_itself(&mut taking, sheet, &line, &mut seen).await? {
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
            // A school may precede its bureau in the file; the tree is at most six levels deep.
            if again.len() == before || again.is_empty() {
                let fault = |line: &Line| Fault::new(line.row, "parent", &line.cells[3].text, CellReason::NoSuchPlace);
                told.faults.extend(again.iter().map(fault));
                break;
            }
            left = again;
        }
        told.faults.sort_by_key(|fault| fault.row);
        told.kept = !dry_run && told.faults.is_empty();
        let Imported { added, changed, unchanged, .. } = told;
        let counts = format!("{} added={added} changed={changed} unchanged={unchanged}", row.detail);
        let row = row.saying(format!("{counts} faults={}", told.faults.len())).at_place(place.unwrap_or_default());
        if told.kept {
            writing.commit(&row).await?;
        } else {
            drop(writing);
            self.audit(&if dry_run { AuditRow { act: "try_import", ..row } } else { row.refused() }).await?;
        }
        Ok(told)
    }
}

/// Path of the lowest common ancestor.
fn above_both(one: &str, other: &str) -> String {
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    one[..same].rfind('/').map_or_else(String::new, |end| if end == 0 { String::new() } else { one[..=end].to_owned() })
}

impl Writing {
    /// A failing line leaves no trace in the transaction. `Err(None)`: its parent does not exist yet.
    async fn line_by_itself(
        &mut self,
        taking: &mut Taking<'_>,
        sheet: Sheet,
        line: &Line,
        seen: &mut HashMap<String, u32>,
    ) -> Result<Result<Done, Option<Fault>>, StoreError> {
        sqlx::query("savepoint line").execute(self.on()).await?;
        let done = self.take_line(taking, sheet, line).await;
        let twice = done.as_ref().ok().and_then(|done| seen.insert(done.id.clone(), line.row));
        let done = match twice {
            Some(other_row) => Err(Bad::cell("name", CellReason::RepeatsRow { other_row })),
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
                let typed = line.cells[column].text.as_str();
                Ok(Err(Some(Fault::new(line.row, sheet.columns()[column].word, typed, reason))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        Database,
        audit::AuditSearch,
        db::list::ListQuery,
        stores::{fresh_postgres_url, on_both},
    };
    use school::{
        account::system_scope,
        base::{
            name::{BadName, BadSignInName},
            time::UnixMs,
        },
        organisation::{
            BadPlace,
            code::BadCode,
            sheet::{self, Cell},
        },
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
            let acts = store.audit_lines(&system_scope::console(), &AuditSearch::default(), None, 9).await.unwrap();
            assert_eq!((acts.len(), acts[0].act.as_str()), (1, "try_import"));
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
            // Renamed and moved by code; a person by sign-in name.
            let moved = take(&store, Sheet::Organisations, &[&["2161000918", "江北实验小学", "学校", ""]], false).await;
            assert_eq!(counts(&moved), (1, 0, 1, 0));
            let renamed = take(&store, Sheet::People, &[&["汉滨小学", "张卫", "ZHANG"]], false).await;
            assert_eq!(counts(&renamed), (1, 0, 1, 0));
            assert_eq!(store.verify_audit().await.unwrap().unwrap().rows, 11);
        }

        async fn namesakes_are_told_apart_by_their_ids_and_whoever_has_an_id_may_get_another_name(database) {
            let store = Store::open(&database).await.unwrap();
            take(&store, Sheet::Organisations, &TREE, false).await;
            take(&store, Sheet::Classes, &[&["汉滨小学", "小学", "三年级", "1班"]], false).await;
            take(&store, Sheet::Classrooms, &[&["汉滨小学", "音乐教室"]], false).await;
            take(&store, Sheet::People, &[&["汉滨小学", "张伟", ""]], false).await;
            let (scope, ask) = (system_scope::sample(), ListQuery { limit: 10, ..ListQuery::default() });
            let person = store.people(&scope, &ask).await.unwrap()[0].clone();
            // A namesake is added by hand; then the line must say which one is meant.
            let other = school::organisation::Person {
                person_id: school::base::id::PersonId::fresh(),
                organisation_id: person.organisation_id,
                name: "张伟".into(),
                sign_in_name: None,
            };
            store.add_person(&scope, &other, AuditRow::by_system(UnixMs(1), "add_person", "person".into())).await.unwrap();
            let told = take(&store, Sheet::People, &[&["汉滨小学", "张伟", ""]], true).await;
            assert_eq!(told.faults, [Fault::new(2, "name", "张伟", CellReason::Namesakes)]);
            let (one, two) = (person.person_id.to_string(), other.person_id.to_string());
            let both: [&[&str]; 2] = [&["汉滨小学", "张伟", "", &one], &["汉滨小学", "张伟", "", &two]];
            assert_eq!(counts(&take(&store, Sheet::People, &both, false).await), (2, 0, 0, 2));
            let class = store.classes(&scope, &ask).await.unwrap()[0].class_id.to_string();
            let promoted: [&[&str]; 1] = [&["汉滨小学", "小学", "四年级", "1班", "", &class]];
            assert_eq!(counts(&take(&store, Sheet::Classes, &promoted, false).await), (1, 0, 1, 0));
            let room = store.classrooms(&scope, &ask).await.unwrap()[0].classroom_id.to_string();
            assert_eq!(counts(&take(&store, Sheet::Classrooms, &[&["汉滨小学", "美术教室", &room]], false).await), (1, 0, 1, 0));
            for (sheet, row, why) in [
                (Sheet::Classrooms, ["江北小学", "美术教室", room.as_str()].as_slice(), CellReason::NoSuchIdThere),
                (Sheet::Classes, &["江北小学", "小学", "四年级", "1班", "", &class], CellReason::NoSuchIdThere),
                (Sheet::People, &["江北小学", "张伟", "", &one], CellReason::NoSuchIdThere),
                (Sheet::Organisations, &["", "汉滨小学", "学校", "610902", &room], CellReason::NoSuchId),
            ] {
                let told = take(&store, sheet, &[row], true).await;
                let id = row[row.len() - 1];
                assert_eq!(told.faults, [Fault::new(2, "id", id, why)], "{sheet:?}");
            }
        }

        async fn whoever_has_power_is_not_renamed_by_a_table(database) {
            let store = Store::open(&database).await.unwrap();
            let (_, person_id) = crate::store::account::session::tests::with_a(school::organisation::Role::SchoolAdministrator, &store).await;
            let id = person_id.to_string();
            let told = take(&store, Sheet::People, &[&["汉滨区教育体育局", "别人", "", &id]], false).await;
            assert_eq!((told.kept, told.faults), (false, vec![Fault::new(2, "name", "别人", CellReason::OtherRoles)]));
            assert_eq!(counts(&take(&store, Sheet::People, &[&["汉滨区教育体育局", "张老师", "", &id]], false).await), (1, 0, 0, 1));
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
                let faults = [
                    Fault::new(3, "organisation", "没有的学校", CellReason::NoSuchPlace),
                    Fault::new(4, "sign_in_name", "zhang", CellReason::InUseElsewhere),
                    Fault::new(5, "sign_in_name", "坏", BadSignInName::NotASignInName { min: 3, max: 32 }),
                    Fault::new(6, "name", "好老师", CellReason::RepeatsRow { other_row: 2 }),
                    Fault::new(7, "name", "", BadName::Empty),
                ];
                assert_eq!(told.faults, faults);
                assert_eq!((told.rows, told.kept), (6, false));
            }
            let ask = ListQuery { limit: 10, ..ListQuery::default() };
            assert_eq!(store.people(&system_scope::sample(), &ask).await.unwrap().len(), 1);
            let codes: [&[&str]; 3] = [
                &["123", "代码错小学", "学校", "610902"],
                &["", "孤儿小学", "学校", "没有的县"],
                &["", "县下教学点", "教学点", "610902"],
            ];
            let told = take(&store, Sheet::Organisations, &codes, true).await;
            let faults = [
                Fault::new(2, "code", "123", BadCode::NotASchoolCode),
                Fault::new(3, "parent", "没有的县", CellReason::NoSuchPlace),
                Fault::new(4, "kind", "教学点", BadPlace::NotBelowThere),
            ];
            assert_eq!(told.faults, faults);
        }
    }
}
