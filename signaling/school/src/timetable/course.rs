//! Classes and their courses: a subject for a class in a term, with its weekly periods.

use std::{fmt, str::FromStr};

use super::{
    bell_schedule::PeriodName,
    calendar::WEEKS_MAX,
    program::{Delivery, Mode, Program},
};
use crate::{
    base::id::{ClassId, ClassroomId, CourseId, OrganisationId, PersonId, TermId},
    organisation::Stage,
};
use jiff::civil::Weekday;
use serde::Serialize;
use utoipa::ToSchema;

/// The text is not a known word.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not known here")]
pub struct UnknownWord(pub String);

/// The subjects of the 2022 curriculum (课程方案), in its order.
pub const SUBJECTS: [&str; 19] = [
    "道德与法治",
    "语文",
    "数学",
    "英语",
    "历史",
    "地理",
    "科学",
    "物理",
    "化学",
    "生物学",
    "信息科技",
    "体育与健康",
    "音乐",
    "美术",
    "艺术",
    "劳动",
    "综合实践活动",
    "地方课程",
    "校本课程",
];

/// The grades of the stages that have fixed grades.
pub const GRADES: [(Stage, &[&str]); 3] = [
    (Stage::Primary, &["一年级", "二年级", "三年级", "四年级", "五年级", "六年级"]),
    (Stage::Junior, &["七年级", "八年级", "九年级"]),
    (Stage::Senior, &["高一", "高二", "高三"]),
];

/// Maximum length of a grade's name, in characters.
const GRADE_CHARS_MAX: usize = 20;

/// Whether a stage has this grade. Stages without fixed grades accept any name.
#[must_use]
pub fn grade_fits(stage: Stage, grade: &str) -> bool {
    match GRADES.iter().find(|(listed, _)| *listed == stage) {
        Some((_, grades)) => grades.contains(&grade),
        None => (1..=GRADE_CHARS_MAX).contains(&grade.chars().count()) && !grade.contains(char::is_control),
    }
}

/// The stage of a grade. Grades of stages without fixed grades use the primary school's bells.
#[must_use]
pub fn stage_of(grade: &str) -> Stage {
    GRADES.iter().find(|(_, grades)| grades.contains(&grade)).map_or(Stage::Primary, |(stage, _)| *stage)
}

/// A class of pupils. Individual pupils are not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchoolClass {
    /// Its id in the store.
    pub class_id: ClassId,
    /// Its school or teaching point.
    pub organisation_id: OrganisationId,
    /// 三年级1班
    pub name: String,
    /// 小学
    pub stage: Stage,
    /// 三年级
    pub grade: String,
    /// Its classroom. `None`: it has none of its own.
    pub classroom_id: Option<ClassroomId>,
}

/// Weeks of the term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Weeks {
    /// 每周
    Every,
    /// 单周
    Odd,
    /// 双周
    Even,
    /// A range of weeks, both ends included.
    Between(u8, u8),
}

impl Weeks {
    /// Whether it includes the week.
    #[must_use]
    pub fn has(self, week_no: u8) -> bool {
        match self {
            Self::Every => true,
            Self::Odd => week_no % 2 == 1,
            Self::Even => week_no.is_multiple_of(2),
            Self::Between(from, until) => (from..=until).contains(&week_no),
        }
    }

    fn meets(self, other: Self) -> bool {
        (1..=WEEKS_MAX).any(|week| self.has(week) && other.has(week))
    }
}

impl fmt::Display for Weeks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("every"),
            Self::Odd => f.write_str("odd"),
            Self::Even => f.write_str("even"),
            Self::Between(from, until) => write!(f, "{from}-{until}"),
        }
    }
}

impl FromStr for Weeks {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let between = || {
            let (from, until) = word.split_once('-')?;
            let (from, until) = (from.parse().ok()?, until.parse().ok()?);
            (1 <= from && from <= until && until <= WEEKS_MAX).then_some(Self::Between(from, until))
        };
        match word {
            "every" => Ok(Self::Every),
            "odd" => Ok(Self::Odd),
            "even" => Ok(Self::Even),
            _ => between().ok_or_else(|| UnknownWord(word.into())),
        }
    }
}

/// One weekly period of a course.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WeeklyPeriod {
    /// 星期几
    pub weekday: Weekday,
    /// 第几节
    pub period: PeriodName,
    /// 单双周
    pub weeks: Weeks,
}

/// A class that listens remotely, and its classroom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Listening {
    /// The receiving classroom. It may seat several small classes.
    pub classroom_id: ClassroomId,
    /// The class. `None`: teachers listen, as in a master class.
    pub class_id: Option<ClassId>,
    /// The school or teaching point.
    pub organisation_id: OrganisationId,
    /// True: can be called on stage; false: watches only.
    pub interactive: bool,
}

/// 课程: a subject for a class in a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// Its id in the store.
    pub course_id: CourseId,
    /// The term.
    pub term_id: TermId,
    /// The broadcasting school.
    pub organisation_id: OrganisationId,
    /// 英语 三年级
    pub title: String,
    /// 英语
    pub subject: String,
    /// 小学: selects the bell schedule.
    pub stage: Stage,
    /// 三年级
    pub grade: String,
    /// The lead teacher.
    pub teacher_id: PersonId,
    /// The broadcasting classroom. `None`: the teacher's own laptop.
    pub classroom_id: Option<ClassroomId>,
    /// The class in that room. `None`: a dedicated course, taught to remote classes only.
    pub class_id: Option<ClassId>,
    /// 三个课堂: which of the three.
    pub program: Program,
    /// 直播式, 录播式, 植入式, 观摩式
    pub mode: Mode,
    /// 同步课堂 or 专门开课
    pub delivery: Delivery,
    /// Its weekly periods.
    pub weekly: Vec<WeeklyPeriod>,
    /// The listening classes.
    pub listening: Vec<Listening>,
}

/// Maximum weekly periods of a course: five on each of seven days; more is a typing error.
pub const WEEKLY_MAX: usize = 35;

/// Why a course is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum CourseError {
    /// The curriculum has no such subject.
    #[error("{subject} is no subject")]
    UnknownSubject {
        /// The requested subject.
        subject: String,
    },
    /// The stage has no such grade.
    #[error("{grade} is no grade of this stage")]
    UnknownGrade {
        /// The requested grade.
        grade: String,
    },
    /// No weekly period, or too many.
    #[error("a course has 1 to {max} periods a week")]
    WeeklyCount {
        /// Maximum number of weekly periods.
        max: usize,
    },
    /// The period is a break.
    #[error("{period} takes no lessons")]
    NoLessonsIn {
        /// The period.
        #[schema(value_type = String)]
        period: PeriodName,
    },
    /// The same period twice on one day.
    #[error("{period} is there twice on the same day")]
    #[serde(rename = "planned-twice")]
    Twice {
        /// The period.
        #[schema(value_type = String)]
        period: PeriodName,
    },
    /// A classroom is listed twice.
    #[error("a classroom is listed twice")]
    ListensTwice,
    /// The broadcasting classroom is listed as a receiving one.
    #[error("the broadcasting classroom cannot listen")]
    ListensToItself,
    /// Synchronous without a local class, or dedicated with one.
    #[error("a synchronous course has a class of its own, a dedicated one has none")]
    DeliveryDoesNotFit,
}

impl Course {
    /// Validates the course.
    ///
    /// # Errors
    /// See [`CourseError`].
    pub fn check(&self) -> Result<(), CourseError> {
        if !SUBJECTS.contains(&self.subject.as_str()) {
            return Err(CourseError::UnknownSubject { subject: self.subject.clone() });
        }
        if !grade_fits(self.stage, &self.grade) {
            return Err(CourseError::UnknownGrade { grade: self.grade.clone() });
        }
        if self.weekly.is_empty() || self.weekly.len() > WEEKLY_MAX {
            return Err(CourseError::WeeklyCount { max: WEEKLY_MAX });
        }
        for (n, one) in self.weekly.iter().enumerate() {
            if !one.period.kind.takes_lessons() {
                return Err(CourseError::NoLessonsIn { period: one.period });
            }
            let same = |other: &WeeklyPeriod| {
                other.weekday == one.weekday && other.period == one.period && other.weeks.meets(one.weeks)
            };
            if self.weekly[..n].iter().any(same) {
                return Err(CourseError::Twice { period: one.period });
            }
        }
        for (n, one) in self.listening.iter().enumerate() {
            if self.listening[..n].iter().any(|other| other.classroom_id == one.classroom_id) {
                return Err(CourseError::ListensTwice);
            }
            if self.classroom_id == Some(one.classroom_id) {
                return Err(CourseError::ListensToItself);
            }
        }
        let fits = match self.delivery {
            Delivery::Synchronous => self.class_id.is_some(),
            Delivery::Dedicated => self.class_id.is_none(),
            Delivery::Pushed => true,
        };
        if fits { Ok(()) } else { Err(CourseError::DeliveryDoesNotFit) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// 英语 三年级, Wednesday period 3, synchronous, one class listening.
    pub(crate) fn english() -> Course {
        Course {
            course_id: CourseId::fresh(),
            term_id: TermId::fresh(),
            organisation_id: OrganisationId::fresh(),
            title: "英语 三年级".into(),
            subject: "英语".into(),
            stage: Stage::Primary,
            grade: "三年级".into(),
            teacher_id: PersonId::fresh(),
            classroom_id: Some(ClassroomId::fresh()),
            class_id: Some(ClassId::fresh()),
            program: Program::DeliveryClass,
            mode: Mode::Live,
            delivery: Delivery::Synchronous,
            weekly: vec![WeeklyPeriod {
                weekday: Weekday::Wednesday,
                period: PeriodName::lesson(3),
                weeks: Weeks::Every,
            }],
            listening: vec![Listening {
                classroom_id: ClassroomId::fresh(),
                class_id: Some(ClassId::fresh()),
                organisation_id: OrganisationId::fresh(),
                interactive: true,
            }],
        }
    }

    #[test]
    fn a_course_that_cannot_be_is_told_why() {
        assert_eq!(english().check(), Ok(()));
        type Change = fn(&mut Course);
        let table: [(Change, CourseError); 9] = [
            (|c| c.subject = "炼金术".into(), CourseError::UnknownSubject { subject: "炼金术".into() }),
            (|c| c.grade = "七年级".into(), CourseError::UnknownGrade { grade: "七年级".into() }),
            (|c| c.weekly.clear(), CourseError::WeeklyCount { max: WEEKLY_MAX }),
            (
                |c| c.weekly[0].period = "long_break-1".parse().unwrap(),
                CourseError::NoLessonsIn { period: "long_break-1".parse().unwrap() },
            ),
            (|c| c.weekly.push(c.weekly[0]), CourseError::Twice { period: PeriodName::lesson(3) }),
            (|c| c.listening.push(c.listening[0]), CourseError::ListensTwice),
            (|c| c.classroom_id = Some(c.listening[0].classroom_id), CourseError::ListensToItself),
            (|c| c.class_id = None, CourseError::DeliveryDoesNotFit),
            (|c| c.delivery = Delivery::Dedicated, CourseError::DeliveryDoesNotFit),
        ];
        for (change, why) in table {
            let mut course = english();
            change(&mut course);
            assert_eq!(course.check(), Err(why));
        }
        // Odd weeks here, even weeks there: no conflict.
        let mut course = english();
        course.weekly[0].weeks = Weeks::Odd;
        course.weekly.push(WeeklyPeriod { weeks: Weeks::Even, ..course.weekly[0] });
        assert_eq!(course.check(), Ok(()));
    }

    #[test]
    fn weeks_are_written_in_one_way() {
        for (text, weeks) in [("every", Weeks::Every), ("odd", Weeks::Odd), ("3-8", Weeks::Between(3, 8))] {
            assert_eq!((text.parse(), weeks.to_string()), (Ok(weeks), text.to_owned()));
        }
        for text in ["", "8-3", "0-2", "1-99", "weekly"] {
            assert!(text.parse::<Weeks>().is_err(), "{text}");
        }
        assert!(Weeks::Even.has(2) && !Weeks::Even.has(3) && Weeks::Between(3, 8).has(8));
    }
}
