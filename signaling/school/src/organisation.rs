//! The tree of bureaus and schools, and who belongs to it.

pub mod code;
pub mod serve_scope;
pub mod sheet;

use serde::Serialize;
use utoipa::ToSchema;

use crate::base::{
    id::{ClassroomId, OrganisationId, PersonId},
    time::UnixMs,
    words::words,
};

words!(
    /// What a node of the tree is.
    OrganisationKind {
        /// 省
        Province = "province",
        /// 市
        City = "city",
        /// 县, 区
        County = "county",
        /// 乡镇中心校
        CentreSchool = "centre_school",
        /// 学校
        School = "school",
        /// 教学点
        TeachingPoint = "teaching_point",
    }
);

impl OrganisationKind {
    /// Whether a node of this kind may stand right below one of kind `parent`. `None`: at the top.
    #[must_use]
    pub fn may_stand_below(self, parent: Option<Self>) -> bool {
        use OrganisationKind::{CentreSchool, City, County, Province, School, TeachingPoint};
        matches!(
            (parent, self),
            (None, Province | City | County)
                | (Some(Province), City | County | School)
                | (Some(City), County | School)
                | (Some(County), CentreSchool | School)
                | (Some(CentreSchool), School | TeachingPoint)
                | (Some(School), TeachingPoint)
        )
    }

    /// A place where lessons are taught: it has classrooms and classes.
    #[must_use]
    pub fn teaches(self) -> bool {
        matches!(self, Self::CentreSchool | Self::School | Self::TeachingPoint)
    }
}

/// What is wrong with a place in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum BadPlace {
    /// A school below a teaching point, a county below a school, a classroom in a bureau.
    #[error("what is of this kind does not stand below that parent")]
    NotBelowThere,
    /// A node cannot be moved below itself.
    #[error("it cannot be moved below itself")]
    BelowItself,
    /// What is open stands below it.
    #[error("organisations, classrooms or classes below it are still open")]
    NotEmpty,
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

words!(
    /// 学段
    Stage {
        /// 学前
        Kindergarten = "kindergarten",
        /// 小学
        Primary = "primary",
        /// 初中
        Junior = "junior",
        /// 高中
        Senior = "senior",
        /// 中职
        Vocational = "vocational",
        /// 特教
        Special = "special",
    }
);

words!(
    /// What a person does here, at a place in the tree and below it.
    Role {
        /// 主讲教师
        LeadTeacher = "lead_teacher",
        /// 辅助教师
        Assistant = "assistant",
        /// 学校管理员
        SchoolAdministrator = "school_administrator",
        /// 调度员: keeps the timetable across schools
        Scheduler = "scheduler",
        /// 巡课员: looks into lessons and recordings
        Patrol = "patrol",
        /// 评课员: looks into recordings
        Reviewer = "reviewer",
        /// 系统管理员
        SystemAdministrator = "system_administrator",
        /// 安全管理员
        SecurityAdministrator = "security_administrator",
        /// 审计管理员
        AuditAdministrator = "audit_administrator",
        /// 运维员: keeps machines running and sees no content
        Operator = "operator",
    }
);

impl Role {
    /// One of the three that no person holds two of (三权分立).
    #[must_use]
    pub fn is_separated(self) -> bool {
        matches!(self, Self::SystemAdministrator | Self::SecurityAdministrator | Self::AuditAdministrator)
    }

    /// Whoever holds it signs in with a second factor: administrators, and those who look into classes of minors.
    #[must_use]
    pub fn needs_second_factor(self) -> bool {
        self.is_separated() || matches!(self, Self::SchoolAdministrator | Self::Patrol | Self::Reviewer)
    }

    /// Whoever holds it may teach for an hour without touching the page; others are signed out sooner.
    #[must_use]
    pub fn is_in_the_classroom(self) -> bool {
        matches!(self, Self::LeadTeacher | Self::Assistant)
    }
}

words!(
    /// How a page of lessons meets whoever is signed in: the first of these that they are.
    Part {
        /// 主讲教师
        LeadTeacher = "lead_teacher",
        /// A receiving classroom's enrolled device.
        Classroom = "classroom",
        /// Anyone who sees lessons of others.
        BureauOfficer = "bureau_officer",
    }
);

/// Someone who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their name in the store.
    pub person_id: PersonId,
    /// Where they belong.
    pub organisation_id: OrganisationId,
    /// 张老师
    pub name: String,
    /// What they type to sign in. `None`: they come by links alone.
    pub sign_in_name: Option<String>,
}

/// A role that somebody holds at a place and everywhere below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which.
    pub role: Role,
    /// Where.
    pub organisation_id: OrganisationId,
    /// The path of that place.
    pub path: String,
    /// From when on.
    pub from: UnixMs,
    /// Until when. `None`: until it is ended.
    pub until: Option<UnixMs>,
}

impl Grant {
    /// Whether it holds at `now`.
    #[must_use]
    pub fn holds(&self, now: UnixMs) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}

/// Who a session or a sign-in link speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A teacher or an officer.
    Person(PersonId),
    /// A classroom's device.
    Classroom(ClassroomId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_grows_downwards() {
        use OrganisationKind::{CentreSchool, City, County, Province, School, TeachingPoint};
        for parent in OrganisationKind::ALL {
            for child in OrganisationKind::ALL {
                assert!(!child.may_stand_below(Some(*parent)) || parent < child, "{child:?} below {parent:?}");
            }
        }
        assert!(County.may_stand_below(None) && Province.may_stand_below(None) && !School.may_stand_below(None));
        assert!(TeachingPoint.may_stand_below(Some(CentreSchool)) && !TeachingPoint.may_stand_below(Some(City)));
    }

    #[test]
    fn a_grant_holds_from_its_first_to_before_its_last_moment() {
        let grant = Grant {
            role: Role::LeadTeacher,
            organisation_id: OrganisationId::fresh(),
            path: "/a/".into(),
            from: UnixMs(10),
            until: Some(UnixMs(20)),
        };
        assert_eq!([9, 10, 19, 20].map(|at| grant.holds(UnixMs(at))), [false, true, true, false]);
    }
}
