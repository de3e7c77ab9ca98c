//! The tree of bureaus and schools, and its people and roles.

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
    /// Kind of a tree node.
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
    /// Whether a node of this kind may be a direct child of one of kind `parent`. `None`: at the root.
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

    /// Whether lessons are taught here: it has classrooms and classes.
    #[must_use]
    pub fn teaches(self) -> bool {
        matches!(self, Self::CentreSchool | Self::School | Self::TeachingPoint)
    }
}

/// Why a place in the tree is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum BadPlace {
    /// Kind and parent do not fit: a school below a teaching point, a county below a school, a classroom in a bureau.
    #[error("what is of this kind does not stand below that parent")]
    NotBelowThere,
    /// A node cannot be moved below itself.
    #[error("it cannot be moved below itself")]
    BelowItself,
    /// Open organisations, classrooms or classes are below it.
    #[error("organisations, classrooms or classes below it are still open")]
    NotEmpty,
}

/// A bureau, a school or a teaching point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// Its id in the store.
    pub organisation_id: OrganisationId,
    /// Its parent. `None`: it is a root.
    pub parent_id: Option<OrganisationId>,
    /// Its kind.
    pub kind: OrganisationKind,
    /// Its full official name.
    pub name: String,
    /// Region or school code. `None`: no code, as for many teaching points.
    pub code: Option<String>,
}

/// A room with a PC and a big screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classroom {
    /// Its id in the store.
    pub classroom_id: ClassroomId,
    /// Its school.
    pub organisation_id: OrganisationId,
    /// Its name in the school.
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
    /// A person's role at a place in the tree and below it.
    Role {
        /// 主讲教师
        LeadTeacher = "lead_teacher",
        /// 辅助教师
        Assistant = "assistant",
        /// 学校管理员
        SchoolAdministrator = "school_administrator",
        /// 调度员: edits the timetable across schools
        Scheduler = "scheduler",
        /// 巡课员: observes lessons and replays recordings
        Patrol = "patrol",
        /// 评课员: replays and reviews recordings
        Reviewer = "reviewer",
        /// 系统管理员
        SystemAdministrator = "system_administrator",
        /// 安全管理员
        SecurityAdministrator = "security_administrator",
        /// 审计管理员
        AuditAdministrator = "audit_administrator",
        /// 运维员: maintains machines and has no access to content
        Operator = "operator",
    }
);

impl Role {
    /// One of the three roles of which a person holds at most one (三权分立).
    #[must_use]
    pub fn is_separated(self) -> bool {
        matches!(self, Self::SystemAdministrator | Self::SecurityAdministrator | Self::AuditAdministrator)
    }

    /// Requires a second factor: administrators, and observers of classes of minors.
    #[must_use]
    pub fn needs_second_factor(self) -> bool {
        self.is_separated() || matches!(self, Self::SchoolAdministrator | Self::Patrol | Self::Reviewer)
    }

    /// A classroom role: an hour of teaching without page input is normal, so its idle timeout is longer.
    #[must_use]
    pub fn is_in_the_classroom(self) -> bool {
        matches!(self, Self::LeadTeacher | Self::Assistant)
    }
}

words!(
    /// The caller's part in a list of lessons: the first that applies.
    Part {
        /// 主讲教师
        LeadTeacher = "lead_teacher",
        /// A receiving classroom's enrolled device.
        Classroom = "classroom",
        /// Anyone who sees lessons of others.
        BureauOfficer = "bureau_officer",
    }
);

/// A person who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their id in the store.
    pub person_id: PersonId,
    /// Their organisation.
    pub organisation_id: OrganisationId,
    /// 张老师
    pub name: String,
    /// Name to sign in by. `None`: they sign in by links only.
    pub sign_in_name: Option<String>,
}

/// A role that a person holds at a place and below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// The place.
    pub organisation_id: OrganisationId,
    /// The path of that place.
    pub path: String,
    /// Start.
    pub from: UnixMs,
    /// End. `None`: until revoked.
    pub until: Option<UnixMs>,
}

impl Grant {
    /// Whether it is in force at `now`.
    #[must_use]
    pub fn holds(&self, now: UnixMs) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}

/// The holder of a session or a sign-in link.
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
