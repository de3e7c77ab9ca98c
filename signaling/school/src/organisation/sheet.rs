//! Import tables filled in by schools: their columns, and the detection of values altered by spreadsheets.

pub mod fault;

use self::fault::{CellReason, Fault};
use crate::{
    base::{name::BadName, words::words},
    organisation::{OrganisationKind, Stage},
};

words!(
    /// What a table lists.
    Sheet {
        /// The tree, with its codes.
        Organisations = "organisations",
        /// Rooms of schools.
        Classrooms = "classrooms",
        /// Classes of schools.
        Classes = "classes",
        /// People of schools.
        People = "people",
    }
);

/// Maximum number of lines per file: a county's people take a few files.
pub const LINES_MAX: usize = 5_000;

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The heading in the first line. The English word is accepted as well.
    pub title: &'static str,
    /// The name in the API.
    pub word: &'static str,
    /// No line may leave it empty. In other columns an empty cell means no change.
    pub needed: bool,
    /// Full-width digits and letters are converted to half-width.
    pub narrow: bool,
}

const fn column(title: &'static str, word: &'static str, needed: bool, narrow: bool) -> Column {
    Column { title, word, needed, narrow }
}

/// Tells namesakes apart. Empty for new entries.
const ID: Column = column("编号", "id", false, true);

impl Sheet {
    /// Its columns in file order. The last one is the id.
    #[must_use]
    pub fn columns(self) -> &'static [Column] {
        match self {
            Self::Organisations => {
                const {
                    &[
                        column("代码", "code", false, true),
                        column("名称", "name", true, false),
                        column("类型", "kind", true, false),
                        column("上级", "parent", false, false),
                        ID,
                    ]
                }
            }
            Self::Classrooms => {
                const { &[column("学校", "organisation", true, false), column("名称", "name", true, false), ID] }
            }
            Self::Classes => {
                const {
                    &[
                        column("学校", "organisation", true, false),
                        column("学段", "stage", true, false),
                        column("年级", "grade", true, false),
                        column("名称", "name", true, false),
                        column("教室", "classroom", false, false),
                        ID,
                    ]
                }
            }
            Self::People => {
                const {
                    &[
                        column("机构", "organisation", true, false),
                        column("姓名", "name", true, false),
                        column("登录名", "sign_in_name", false, true),
                        ID,
                    ]
                }
            }
        }
    }
}

/// A cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Text as typed, trimmed. Empty: no value.
    pub text: String,
    /// Why the spreadsheet's value is unusable. `None`: it is as typed.
    pub spoiled: Option<CellReason>,
}

/// Maximum length of a cell, in characters; a name has at most 80.
const CELL_CHARACTERS_MAX: usize = 200;

const TOO_LONG: CellReason = CellReason::TooLong { max: CELL_CHARACTERS_MAX };

impl Cell {
    /// A text cell. Text that no column can hold is reported, and cut.
    #[must_use]
    pub fn text(typed: &str) -> Self {
        let typed = typed.trim();
        let cut = |limit: usize| typed.chars().filter(|c| !c.is_control()).take(limit).collect();
        if typed.chars().nth(CELL_CHARACTERS_MAX).is_some() {
            Self::spoiled(cut(CELL_CHARACTERS_MAX), TOO_LONG)
        } else if typed.chars().any(char::is_control) {
            Self::spoiled(cut(CELL_CHARACTERS_MAX), CellReason::ControlCharacters)
        } else {
            Self { text: typed.to_owned(), spoiled: None }
        }
    }

    /// A cell whose value the spreadsheet has altered.
    #[must_use]
    pub fn spoiled(shown: String, why: CellReason) -> Self {
        Self { text: shown, spoiled: Some(why) }
    }

    /// A number, as for a code: Excel stores `2161000917` as a float.
    #[must_use]
    pub fn number(number: f64) -> Self {
        // Above 2^53 a float does not represent every integer.
        if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
            Self::text(&format!("{number:.0}"))
        } else {
            Self::text(&number.to_string())
        }
    }

    /// As read by a half-width column.
    fn narrowed(mut self) -> Self {
        let narrow = |c: char| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
            '\u{3000}' => ' ',
            c => c,
        };
        self.text = self.text.chars().map(narrow).collect::<String>().trim().to_owned();
        if let Some(whole) = self.text.strip_suffix(".0")
            && whole.bytes().all(|byte| byte.is_ascii_digit())
        {
            self.text = whole.to_owned();
        }
        let scientific = self.text.split_once(['e', 'E']).is_some_and(|(before, after)| {
            before.contains('.') && before.parse::<f64>().is_ok() && after.starts_with('+')
        });
        if scientific {
            self.spoiled = Some(CellReason::Scientific);
        }
        self
    }
}

/// A line of a table, its cells in the order of [`Sheet::columns`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Line number in the file, from 1.
    pub row: u32,
    /// One per column.
    pub cells: Vec<Cell>,
}

/// Orders the cells of a file by its heading, and reports every unusable cell.
#[must_use]
pub fn lines(sheet: Sheet, file: Vec<Line>) -> (Vec<Line>, Vec<Fault>) {
    let columns = sheet.columns();
    let mut faults = Vec::new();
    let mut file = file.into_iter();
    let Some(heading) = file.next() else {
        return (vec![], vec![Fault::new(1, columns[0].word, "", CellReason::FileEmpty)]);
    };
    let mut places = vec![None; columns.len()];
    for (place, cell) in heading.cells.iter().enumerate().filter(|(_, cell)| !cell.text.is_empty()) {
        let known = columns.iter().position(|column| cell.text == column.title || cell.text == column.word);
        match known {
            None => faults.push(Fault::new(heading.row, &cell.text, &cell.text, CellReason::NoSuchColumn)),
            Some(known) if places[known].is_some() => {
                faults.push(Fault::new(heading.row, columns[known].word, &cell.text, CellReason::ColumnTwice));
            }
            Some(known) => places[known] = Some(place),
        }
    }
    for (column, place) in columns.iter().zip(&places) {
        if column.needed && place.is_none() {
            faults.push(Fault::new(heading.row, column.word, "", CellReason::ColumnMissing));
        }
    }
    if !faults.is_empty() {
        return (vec![], faults);
    }
    let mut good = Vec::new();
    for mut line in file {
        let narrow = |(cell, column): (Cell, &Column)| if column.narrow { cell.narrowed() } else { cell };
        let cells: Vec<Cell> = places
            .iter()
            .map(|place| take_cell(&mut line.cells, *place).unwrap_or_default())
            .zip(columns)
            .map(narrow)
            .collect();
        if cells.iter().all(|cell| cell.text.is_empty()) {
            continue;
        }
        for (column, cell) in columns.iter().zip(&cells) {
            if let Some(why) = cell.spoiled {
                faults.push(Fault::new(line.row, column.word, &cell.text, why));
            } else if column.needed && cell.text.is_empty() {
                faults.push(Fault::new(line.row, column.word, "", BadName::Empty));
            }
        }
        good.push(Line { row: line.row, cells });
    }
    let bad: std::collections::HashSet<u32> = faults.iter().map(|fault| fault.row).collect();
    good.retain(|line| !bad.contains(&line.row));
    (good, faults)
}

fn take_cell(cells: &mut [Cell], place: Option<usize>) -> Option<Cell> {
    cells.get_mut(place?).map(std::mem::take)
}

/// 省, 市, 县 …, as written in a table.
#[must_use]
pub fn kind_title(kind: OrganisationKind) -> &'static str {
    match kind {
        OrganisationKind::Province => "省",
        OrganisationKind::City => "市",
        OrganisationKind::County => "县",
        OrganisationKind::CentreSchool => "中心校",
        OrganisationKind::School => "学校",
        OrganisationKind::TeachingPoint => "教学点",
    }
}

/// 学前, 小学, 初中 …, as written in a table.
#[must_use]
pub fn stage_title(stage: Stage) -> &'static str {
    match stage {
        Stage::Kindergarten => "学前",
        Stage::Primary => "小学",
        Stage::Junior => "初中",
        Stage::Senior => "高中",
        Stage::Vocational => "中职",
        Stage::Special => "特教",
    }
}

/// Parses a kind, by title or word. `None`: unknown kind.
#[must_use]
pub fn kind(text: &str) -> Option<OrganisationKind> {
    OrganisationKind::ALL.iter().copied().find(|kind| kind_title(*kind) == text || kind.as_str() == text)
}

/// Parses a stage, by title or word. `None`: unknown stage.
#[must_use]
pub fn stage(text: &str) -> Option<Stage> {
    Stage::ALL.iter().copied().find(|stage| stage_title(*stage) == text || stage.as_str() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(row: u32, cells: &[&str]) -> Line {
        Line { row, cells: cells.iter().map(|text| Cell::text(text)).collect() }
    }

    #[test]
    fn what_spreadsheets_do_to_codes_is_undone_or_told() {
        let table = [
            (Cell::number(2_161_000_917.0), "2161000917", None),
            (Cell::number(610_902_000_000.0), "610902000000", None),
            (Cell::text(" ２１６１０００９１７－０１　"), "2161000917-01", None),
            (Cell::text("2161000917.0"), "2161000917", None),
            (Cell::text("6.10902E+11"), "6.10902E+11", Some(CellReason::Scientific)),
        ];
        for (cell, text, spoiled) in table {
            let cell = cell.narrowed();
            assert_eq!((cell.text.as_str(), cell.spoiled), (text, spoiled));
        }
    }

    #[test]
    fn a_cell_that_no_column_can_hold_is_cut_and_told() {
        let long = Cell::text(&"长".repeat(201));
        assert_eq!((long.text.chars().count(), long.spoiled), (200, Some(TOO_LONG)));
        assert_eq!(Cell::text("张\0老师"), Cell::spoiled("张老师".into(), CellReason::ControlCharacters));
    }

    #[test]
    fn columns_are_found_by_their_heading_and_every_bad_cell_is_told() {
        let file = vec![
            line(1, &["姓名", "机构", "sign_in_name"]),
            line(2, &["张老师", "2161000917", "ｚｈａｎｇ"]),
            line(4, &["", "2161000917"]),
            line(5, &["", "", ""]),
        ];
        let (good, faults) = lines(Sheet::People, file);
        assert_eq!(good, [line(2, &["2161000917", "张老师", "zhang", ""])]);
        assert_eq!(faults, [Fault::new(4, "name", "", BadName::Empty)]);
        let (good, faults) = lines(Sheet::People, vec![line(1, &["机构", "机构", "电话"])]);
        assert!(good.is_empty());
        let told = [
            Fault::new(1, "organisation", "机构", CellReason::ColumnTwice),
            Fault::new(1, "电话", "电话", CellReason::NoSuchColumn),
            Fault::new(1, "name", "", CellReason::ColumnMissing),
        ];
        assert_eq!(faults, told);
    }
}
