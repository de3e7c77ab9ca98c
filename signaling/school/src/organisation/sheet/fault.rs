//! What is wrong with a cell of a table, as the line of it that a page shows: where, what stands there, and why.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    base::name::{BadName, BadSignInName},
    organisation::{BadPlace, code::BadCode},
};

/// What a table alone has wrong with it. `row`, `column` and `value` stand beside it in a [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum CellReason {
    /// Excel takes `1-2` for a day.
    #[error("the spreadsheet has made a date of it")]
    ADate,
    /// `#REF!` and the like.
    #[error("it is an error of a formula")]
    AnError,
    /// Nobody sees them.
    #[error("it has control characters")]
    ControlCharacters,
    /// Longer than any cell of ours.
    #[error("it has more than {max} characters")]
    TooLong {
        /// Characters that a cell may have.
        max: usize,
    },
    /// 6.10902E+11
    #[error("the spreadsheet has made a rounded number of it")]
    Scientific,
    /// There is not even a heading.
    #[error("the file is empty")]
    FileEmpty,
    /// The table has no such column.
    #[error("there is no such column")]
    NoSuchColumn,
    /// Two headings mean the same column.
    #[error("the column is there twice")]
    ColumnTwice,
    /// A column that no line may leave empty is not there.
    #[error("the column is missing")]
    ColumnMissing,
    /// There is no such organisation in scope.
    #[error("there is no such organisation in reach, by code, full name or id")]
    NoSuchPlace,
    /// Several have this name.
    #[error("several have this name: a code, a sign-in name or an id tells them apart")]
    Namesakes,
    /// Nothing in scope has this id. Whoever adds something leaves it empty.
    #[error("nothing has this id")]
    NoSuchId,
    /// Nothing in the organisation that the line names has this id.
    #[error("nothing in this organisation has this id")]
    NoSuchIdThere,
    /// A line before is about the same.
    #[error("line {other_row} is about the same")]
    RepeatsRow {
        /// Which line.
        other_row: u32,
    },
    /// Another has it, or has had it.
    #[error("it is in use, or was")]
    InUse,
    /// Somebody of another organisation signs in by this name.
    #[error("somebody of another organisation signs in by this name")]
    InUseElsewhere,
    /// It is no kind of organisation.
    #[error("it is no kind of organisation")]
    NotAKind,
    /// It is no stage.
    #[error("it is no stage")]
    NotAStage,
    /// An organisation keeps its kind.
    #[error("the organisation is of another kind, and keeps it")]
    KindStays,
    /// A class keeps its stage.
    #[error("the class is of another stage, and keeps it")]
    StageStays,
    /// What stands at the top is not the asker's to add.
    #[error("a parent is needed: what stands at the top is not theirs to add")]
    ParentNeeded,
    /// The school has no such classroom.
    #[error("the school has no such classroom")]
    NoSuchClassroom,
    /// Bureaus have no classrooms and no classes.
    #[error("a bureau has no classrooms and no classes")]
    NotASchool,
    /// Whoever is more than a teacher here is not changed by a table.
    #[error("the person has other roles, or roles elsewhere")]
    OtherRoles,
}

/// Why a cell is bad: what [`CellReason`] knows, or whatever else is wrong with what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum FaultReason {
    /// The table or the cell.
    Cell(CellReason),
    /// A name.
    Name(BadName),
    /// A name to sign in by.
    SignInName(BadSignInName),
    /// A code.
    Code(BadCode),
    /// A place in the tree.
    Place(BadPlace),
}

impl From<CellReason> for FaultReason {
    fn from(why: CellReason) -> Self {
        Self::Cell(why)
    }
}

impl From<BadName> for FaultReason {
    fn from(why: BadName) -> Self {
        Self::Name(why)
    }
}

impl From<BadSignInName> for FaultReason {
    fn from(why: BadSignInName) -> Self {
        Self::SignInName(why)
    }
}

impl From<BadCode> for FaultReason {
    fn from(why: BadCode) -> Self {
        Self::Code(why)
    }
}

impl From<BadPlace> for FaultReason {
    fn from(why: BadPlace) -> Self {
        Self::Place(why)
    }
}

/// What is wrong with a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// The line in the file, from 1: the first is the heading.
    pub row: u32,
    /// Its column, as `sign_in_name`. There is none of this heading: the heading, as it was typed.
    pub column: String,
    /// What stands there, cut after 80 characters.
    pub value: String,
    /// Why: `reason` and what belongs to it.
    #[serde(flatten)]
    pub reason: FaultReason,
}

impl Fault {
    /// A fault of this cell.
    #[must_use]
    pub fn new(row: u32, column: &str, value: &str, reason: impl Into<FaultReason>) -> Self {
        let cut = |text: &str| text.chars().take(80).collect();
        Self { row, column: cut(column), value: cut(value), reason: reason.into() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reason_stands_beside_its_cell_whatever_knows_it() {
        let table: [(FaultReason, _); 6] = [
            (CellReason::ADate.into(), json!({ "reason": "a-date" })),
            (CellReason::RepeatsRow { other_row: 2 }.into(), json!({ "reason": "repeats-row", "other_row": 2 })),
            (BadName::TooLong { max: 80 }.into(), json!({ "reason": "too-long", "max": 80 })),
            (BadName::Empty.into(), json!({ "reason": "empty" })),
            (BadCode::OtherRegion.into(), json!({ "reason": "other-region" })),
            (BadPlace::NotBelowThere.into(), json!({ "reason": "not-below-there" })),
        ];
        for (reason, mut whole) in table {
            for (name, value) in [("row", json!(3)), ("column", json!("name")), ("value", json!("x"))] {
                whole[name] = value;
            }
            assert_eq!(serde_json::to_value(Fault::new(3, "name", "x", reason)).unwrap(), whole);
        }
    }
}
