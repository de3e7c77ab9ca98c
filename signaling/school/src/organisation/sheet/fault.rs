//! Faults of table cells, as shown on a page: position, value and reason.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    base::name::{BadName, BadSignInName},
    organisation::{BadPlace, code::BadCode},
};

/// Reasons that arise in tables only. `row`, `column` and `value` stand beside it in a [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum CellReason {
    /// Converted to a date: Excel reads `1-2` as a day.
    #[error("the spreadsheet has made a date of it")]
    ADate,
    /// A formula error such as `#REF!`.
    #[error("it is an error of a formula")]
    AnError,
    /// Contains control characters.
    #[error("it has control characters")]
    ControlCharacters,
    /// Longer than a cell may be.
    #[error("it has more than {max} characters")]
    TooLong {
        /// Maximum number of characters.
        max: usize,
    },
    /// Converted to a rounded number, such as 6.10902E+11.
    #[error("the spreadsheet has made a rounded number of it")]
    Scientific,
    /// No heading and no lines.
    #[error("the file is empty")]
    FileEmpty,
    /// The table has no such column.
    #[error("there is no such column")]
    NoSuchColumn,
    /// Two headings name the same column.
    #[error("the column is there twice")]
    ColumnTwice,
    /// A required column is missing.
    #[error("the column is missing")]
    ColumnMissing,
    /// There is no such organisation in scope.
    #[error("there is no such organisation in reach, by code, full name or id")]
    NoSuchPlace,
    /// The name is ambiguous.
    #[error("several have this name: a code, a sign-in name or an id tells them apart")]
    Namesakes,
    /// Nothing in scope has this id. New entries leave it empty.
    #[error("nothing has this id")]
    NoSuchId,
    /// Nothing in the organisation named by the line has this id.
    #[error("nothing in this organisation has this id")]
    NoSuchIdThere,
    /// An earlier line is about the same entry.
    #[error("line {other_row} is about the same")]
    RepeatsRow {
        /// The earlier line.
        other_row: u32,
    },
    /// The value is or was in use by another entry.
    #[error("it is in use, or was")]
    InUse,
    /// A person of another organisation has this sign-in name.
    #[error("somebody of another organisation signs in by this name")]
    InUseElsewhere,
    /// Unknown kind of organisation.
    #[error("it is no kind of organisation")]
    NotAKind,
    /// Unknown stage.
    #[error("it is no stage")]
    NotAStage,
    /// The kind of an organisation cannot be changed.
    #[error("the organisation is of another kind, and keeps it")]
    KindStays,
    /// The stage of a class cannot be changed.
    #[error("the class is of another stage, and keeps it")]
    StageStays,
    /// The caller may not add a root: a parent is required.
    #[error("a parent is needed: what stands at the top is not theirs to add")]
    ParentNeeded,
    /// The school has no such classroom.
    #[error("the school has no such classroom")]
    NoSuchClassroom,
    /// Bureaus have no classrooms and no classes.
    #[error("a bureau has no classrooms and no classes")]
    NotASchool,
    /// A table does not change people with further roles here or roles elsewhere.
    #[error("the person has other roles, or roles elsewhere")]
    OtherRoles,
}

/// Why a cell is refused: a [`CellReason`], or the reason for refusing its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum FaultReason {
    /// The table or the cell.
    Cell(CellReason),
    /// A name.
    Name(BadName),
    /// A sign-in name.
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

/// A fault of a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// Line number in the file, from 1; the first is the heading.
    pub row: u32,
    /// Name of the column, such as `sign_in_name`; for an unknown column the heading as typed.
    pub column: String,
    /// The cell's value, cut after 80 characters.
    pub value: String,
    /// `reason` and its fields.
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
