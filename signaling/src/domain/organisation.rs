//! The tree of bureaus and schools, and who belongs to it.

use serde::{Deserialize, Serialize};

use super::id::{ClassroomId, OrganisationId, PersonId};

/// What a node of the tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrganisationKind {
    /// 省
    Province,
    /// 市
    City,
    /// 县, 区
    County,
    /// 乡镇中心校
    CentreSchool,
    /// 学校
    School,
    /// 教学点
    TeachingPoint,
}

impl OrganisationKind {
    /// The word in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Province => "province",
            Self::City => "city",
            Self::County => "county",
            Self::CentreSchool => "centre_school",
            Self::School => "school",
            Self::TeachingPoint => "teaching_point",
        }
    }
}

/// A bureau, a school or a teaching point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// Its name in the store.
    pub organisation_id: OrganisationId,
    /// What it belongs to. `None`: the top.
    pub parent_id: Option<OrganisationId>,
    /// What it is.
    pub kind: OrganisationKind,
    /// Its full official name.
    pub name: String,
    /// Region or school code. `None`: it has none, as many teaching points.
    pub code: Option<String>,
}

/// A room with a PC and a big screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classroom {
    /// Its name in the store.
    pub classroom_id: ClassroomId,
    /// Whose it is.
    pub organisation_id: OrganisationId,
    /// What the school calls it.
    pub name: String,
}

/// What a person does here. A classroom's device has a role of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// 主讲教师
    LeadTeacher,
    /// A receiving classroom's enrolled device.
    Classroom,
    /// Someone of the bureau, who looks into lessons and recordings.
    BureauOfficer,
}

impl Role {
    /// The word on the wire and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LeadTeacher => "lead_teacher",
            Self::Classroom => "classroom",
            Self::BureauOfficer => "bureau_officer",
        }
    }

    /// Reads the store's word. `None`: no such role.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::LeadTeacher, Self::Classroom, Self::BureauOfficer].into_iter().find(|role| role.as_str() == word)
    }
}

/// Someone who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their name in the store.
    pub person_id: PersonId,
    /// Where they belong.
    pub organisation_id: OrganisationId,
    /// 张老师
    pub name: String,
    /// What they do.
    pub role: Role,
}

/// Who a session or a sign-in link speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A teacher or an officer.
    Person(PersonId),
    /// A classroom's device.
    Classroom(ClassroomId),
}
