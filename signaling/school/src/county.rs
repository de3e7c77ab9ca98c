//! A county that exists nowhere: 12 schools with 30 teaching points, three terms, two seasons of bells and every swapped
//! day of two autumns and a spring. The timetable's tests go by it, and `--sample` shows it.

use jiff::civil::{Date, Weekday, date};

use crate::{
    base::{
        id::{
            BellScheduleId, ClassId, ClassroomId, CourseId, OrganisationId, PairingId, PersonId, SchoolYearId, TermId,
        },
        zone::{Minute, SHANGHAI, Zone},
    },
    organisation::{OrganisationKind, Stage},
    timetable::{
        SchoolTime,
        bell_schedule::{BellSchedule, Bells, MonthDay, Period, PeriodKind, PeriodName, Season},
        calendar::{Calendar, CalendarError, DayKind, SchoolYear, SpecialDay, Term},
        course::{Course, Listening, SchoolClass, WeeklyPeriod, Weeks},
        pairing::{Extent, Pairing, Standing, Topology},
        program::{Delivery, Mode, Program},
    },
};

/// One organisation of the county, with what stands in it.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name in the store.
    pub organisation_id: OrganisationId,
    /// What it belongs to. `None`: the bureau itself.
    pub parent_id: Option<OrganisationId>,
    /// What it is.
    pub kind: OrganisationKind,
    /// 茨沟镇中心小学
    pub name: String,
    /// Which pupils it has.
    pub stage: Stage,
    /// Its classrooms, each with the class that sits in it.
    pub classes: Vec<SchoolClass>,
    /// Who teaches there.
    pub teachers: Vec<(PersonId, String)>,
}

/// The county as a whole.
#[derive(Clone, Debug)]
pub struct County {
    /// The bureau, then schools, then teaching points: parents before children.
    pub nodes: Vec<Node>,
    /// Two school years.
    pub years: Vec<SchoolYear>,
    /// Three terms.
    pub terms: Vec<Term>,
    /// Holidays and swapped days; the bureau sets them for all.
    pub days: Vec<SpecialDay>,
    /// The bureau's bells, and those of the mountain township.
    pub bells: Vec<BellSchedule>,
}

const TOWNS: [&str; 6] = ["沈坝", "大河", "双龙", "流水", "恒口", "高山"];
const POINTS: [&str; 5] = ["景家", "石门", "柳坪", "桃园", "白杨"];
const SCHOOLS: [(&str, Stage); 6] = [
    ("城关第一小学", Stage::Primary),
    ("城关第二小学", Stage::Primary),
    ("江北小学", Stage::Primary),
    ("培新小学", Stage::Primary),
    ("城关初级中学", Stage::Junior),
    ("江北初级中学", Stage::Junior),
];

impl County {
    /// A new one, with ids of its own.
    #[must_use]
    pub fn fresh() -> Self {
        Self::below(OrganisationId::fresh())
    }

    /// A new one below a bureau that is there already, or will be.
    #[must_use]
    pub fn below(organisation_id: OrganisationId) -> Self {
        let bureau = node(None, OrganisationKind::County, "汉滨区教育体育局".into(), Stage::Primary, &[], &[]);
        let bureau = Node { organisation_id, ..bureau };
        let county = Some(organisation_id);
        let mut nodes = vec![bureau];
        for town in TOWNS {
            let name = format!("{town}镇中心小学");
            let teachers = [format!("{town}英语教师"), format!("{town}音乐教师")];
            let classes = [("三年级", "三年级1班"), ("四年级", "四年级1班")];
            nodes.push(node(county, OrganisationKind::CentreSchool, name, Stage::Primary, &classes, &teachers));
        }
        for (name, stage) in SCHOOLS {
            let classes: &[_] = match stage {
                Stage::Junior => &[("八年级", "八年级1班")],
                _ => &[("三年级", "三年级1班"), ("四年级", "四年级1班")],
            };
            let teachers = [format!("{name}教师")];
            nodes.push(node(county, OrganisationKind::School, name.into(), stage, classes, &teachers));
        }
        for town in 0..TOWNS.len() {
            let (parent, centre) = (nodes[1 + town].organisation_id, nodes[1 + town].name.clone());
            for point in POINTS {
                let name = format!("{centre}{point}教学点");
                let kind = OrganisationKind::TeachingPoint;
                nodes.push(node(Some(parent), kind, name, Stage::Primary, &[("三年级", "三年级复式班")], &[]));
            }
        }
        let (years, terms) = years_and_terms(nodes[0].organisation_id);
        let bells = [bells_of_the_county(nodes[0].organisation_id), bells_of_the_mountains(nodes[6].organisation_id)];
        Self { nodes, years, terms, days: special_days(), bells: bells.concat() }
    }

    /// The bureau.
    #[must_use]
    pub fn bureau(&self) -> &Node {
        &self.nodes[0]
    }

    /// The twelve schools; the first six are centre schools with five points each, the last of them in the mountains.
    #[must_use]
    pub fn schools(&self) -> &[Node] {
        &self.nodes[1..13]
    }

    /// The thirty teaching points, five after five in the order of their centre schools.
    #[must_use]
    pub fn points(&self) -> &[Node] {
        &self.nodes[13..]
    }

    /// An organisation and what it belongs to, the nearest first.
    #[must_use]
    pub fn lineage(&self, organisation_id: OrganisationId) -> Vec<OrganisationId> {
        let mut lineage = vec![organisation_id];
        let parent = |id| self.nodes.iter().find(|node| node.organisation_id == id).and_then(|node| node.parent_id);
        while let Some(above) = lineage.last().copied().and_then(parent) {
            lineage.push(above);
        }
        lineage
    }

    /// What a school's day goes by in a term.
    ///
    /// # Errors
    /// [`CalendarError`] where the special days contradict each other: they do not.
    pub fn time_of(&self, organisation_id: OrganisationId, term: &Term) -> Result<SchoolTime, CalendarError> {
        let bells = Bells::new(&self.lineage(organisation_id), self.bells.clone());
        let calendar = Calendar::new(term.clone(), self.days.clone())?;
        // The zone comes with the program.
        let zone = Zone::named(SHANGHAI).unwrap_or_else(|_| unreachable!("the zones are bundled"));
        Ok(SchoolTime { calendar, bells, zone })
    }

    /// The courses of a term: each centre school teaches English and music to its points, each of the other schools its
    /// neighbour.
    #[must_use]
    pub fn courses(&self, term: &Term) -> Vec<Course> {
        let mut courses = Vec::new();
        for (town, centre) in self.schools()[..TOWNS.len()].iter().enumerate() {
            let points = &self.points()[town * POINTS.len()..][..POINTS.len()];
            let english = [(Weekday::Wednesday, 3), (Weekday::Friday, 2)];
            let music = [(Weekday::Wednesday, 4), (Weekday::Monday, 2)];
            courses.push(course(term, centre, 0, "英语", &english, &points[..3]));
            courses.push(course(term, centre, 1, "音乐", &music, &points[3..]));
        }
        let others = &self.schools()[TOWNS.len()..];
        for (n, school) in others.iter().enumerate() {
            // The neighbour of the same stage: 0 and 1, 2 and 3, 4 and 5.
            let neighbour = &others[n ^ 1];
            let day = if n % 2 == 0 { Weekday::Tuesday } else { Weekday::Thursday };
            let subject = if school.stage == Stage::Junior { "物理" } else { "美术" };
            courses.push(course(term, school, 0, subject, &[(day, 2), (day, 5)], std::slice::from_ref(neighbour)));
        }
        courses
    }

    /// Who teaches whom in a term.
    #[must_use]
    pub fn pairings(&self, term: &Term) -> Vec<Pairing> {
        let pairing = |course: Course| Pairing {
            pairing_id: PairingId::fresh(),
            term_id: term.term_id,
            topology: match self.schools()[..TOWNS.len()].iter().any(|s| s.organisation_id == course.organisation_id) {
                true => Topology::CentreWithPoints,
                false => Topology::OneToManySchools,
            },
            teaching_id: course.organisation_id,
            class_ids: course.listening.iter().filter_map(|listening| listening.class_id).collect(),
            extent: Extent::Subjects(vec![course.subject]),
            standing: Standing::Active,
        };
        self.courses(term).into_iter().map(pairing).collect()
    }
}

fn node(
    parent_id: Option<OrganisationId>,
    kind: OrganisationKind,
    name: String,
    stage: Stage,
    classes: &[(&str, &str)],
    teachers: &[String],
) -> Node {
    let organisation_id = OrganisationId::fresh();
    let class = |(grade, name): &(&str, &str)| SchoolClass {
        class_id: ClassId::fresh(),
        organisation_id,
        name: (*name).into(),
        stage,
        grade: (*grade).into(),
        classroom_id: Some(ClassroomId::fresh()),
    };
    Node {
        organisation_id,
        parent_id,
        kind,
        name,
        stage,
        classes: classes.iter().map(class).collect(),
        teachers: teachers.iter().map(|name| (PersonId::fresh(), name.clone())).collect(),
    }
}

/// The teacher and class `n` of a school, with the last class of each listening school.
fn course(term: &Term, school: &Node, n: usize, subject: &str, weekly: &[(Weekday, u8)], listening: &[Node]) -> Course {
    let class = &school.classes[n];
    let period = |&(weekday, number): &(Weekday, u8)| WeeklyPeriod {
        weekday,
        period: PeriodName::lesson(number),
        weeks: Weeks::Every,
    };
    let listens = |node: &Node| {
        let class = node.classes.last()?;
        Some(Listening {
            classroom_id: class.classroom_id?,
            class_id: Some(class.class_id),
            organisation_id: node.organisation_id,
            interactive: true,
        })
    };
    Course {
        course_id: CourseId::fresh(),
        term_id: term.term_id,
        organisation_id: school.organisation_id,
        title: format!("{subject} {}", class.grade),
        subject: subject.into(),
        stage: school.stage,
        grade: class.grade.clone(),
        teacher_id: school.teachers[n].0,
        classroom_id: class.classroom_id,
        class_id: Some(class.class_id),
        program: Program::DeliveryClass,
        mode: Mode::Live,
        delivery: Delivery::Synchronous,
        weekly: weekly.iter().map(period).collect(),
        listening: listening.iter().filter_map(listens).collect(),
    }
}

fn years_and_terms(organisation_id: OrganisationId) -> (Vec<SchoolYear>, Vec<Term>) {
    let year = |from: i16| SchoolYear {
        school_year_id: SchoolYearId::fresh(),
        organisation_id,
        name: format!("{from}-{}学年", from + 1),
        first_day: date(from, 9, 1),
        last_day: date(from + 1, 8, 31),
    };
    let years = vec![year(2026), year(2027)];
    let term = |year: &SchoolYear, name: &str, first_day, last_day| Term {
        term_id: TermId::fresh(),
        school_year_id: year.school_year_id,
        name: format!("{} {name}", year.name),
        first_day,
        last_day,
    };
    let terms = vec![
        term(&years[0], "第一学期", date(2026, 9, 1), date(2027, 1, 22)),
        term(&years[0], "第二学期", date(2027, 3, 1), date(2027, 7, 2)),
        term(&years[1], "第一学期", date(2027, 9, 1), date(2028, 1, 21)),
    ];
    (years, terms)
}

fn special_days() -> Vec<SpecialDay> {
    let off = |name: &str, from: Date, days: i64| -> Vec<SpecialDay> {
        from.series(jiff::Span::new().days(1))
            .take(usize::try_from(days).unwrap_or_default())
            .map(|date| SpecialDay { date, kind: DayKind::Off, name: name.into() })
            .collect()
    };
    let makes_up =
        |date, taught_as| vec![SpecialDay { date, kind: DayKind::TaughtAs { date: taught_as }, name: "调休".into() }];
    [
        makes_up(date(2026, 9, 20), date(2026, 10, 6)),
        off("中秋节", date(2026, 9, 25), 1),
        off("国庆节", date(2026, 10, 1), 7),
        makes_up(date(2026, 10, 10), date(2026, 10, 7)),
        off("元旦", date(2027, 1, 1), 1),
        off("清明节", date(2027, 4, 5), 1),
        makes_up(date(2027, 4, 25), date(2027, 5, 4)),
        off("劳动节", date(2027, 5, 3), 3),
        makes_up(date(2027, 5, 8), date(2027, 5, 5)),
        off("端午节", date(2027, 6, 9), 1),
        off("中秋节", date(2027, 9, 15), 1),
        makes_up(date(2027, 9, 26), date(2027, 10, 6)),
        off("国庆节", date(2027, 10, 1), 7),
        makes_up(date(2027, 10, 9), date(2027, 10, 7)),
    ]
    .concat()
}

/// From minute to minute of the day, by name.
type Day = &'static [(PeriodKind, u8, (u16, u16), (u16, u16))];

const PRIMARY_SUMMER: Day = &[
    (PeriodKind::EarlyStudy, 1, (7, 40), (8, 0)),
    (PeriodKind::Lesson, 1, (8, 0), (8, 40)),
    (PeriodKind::Lesson, 2, (8, 50), (9, 30)),
    (PeriodKind::LongBreak, 1, (9, 30), (10, 0)),
    (PeriodKind::Lesson, 3, (10, 0), (10, 40)),
    (PeriodKind::EyeExercises, 1, (10, 40), (10, 45)),
    (PeriodKind::Lesson, 4, (10, 50), (11, 30)),
    (PeriodKind::Lesson, 5, (14, 30), (15, 10)),
    (PeriodKind::Lesson, 6, (15, 20), (16, 0)),
];

const PRIMARY_WINTER: Day = &[
    (PeriodKind::EarlyStudy, 1, (8, 0), (8, 20)),
    (PeriodKind::Lesson, 1, (8, 20), (9, 0)),
    (PeriodKind::Lesson, 2, (9, 10), (9, 50)),
    (PeriodKind::LongBreak, 1, (9, 50), (10, 20)),
    (PeriodKind::Lesson, 3, (10, 20), (11, 0)),
    (PeriodKind::EyeExercises, 1, (11, 0), (11, 5)),
    (PeriodKind::Lesson, 4, (11, 10), (11, 50)),
    (PeriodKind::Lesson, 5, (14, 0), (14, 40)),
    (PeriodKind::Lesson, 6, (14, 50), (15, 30)),
];

const JUNIOR: Day = &[
    (PeriodKind::EarlyStudy, 1, (7, 30), (7, 55)),
    (PeriodKind::Lesson, 1, (8, 0), (8, 45)),
    (PeriodKind::Lesson, 2, (8, 55), (9, 40)),
    (PeriodKind::LongBreak, 1, (9, 40), (10, 5)),
    (PeriodKind::Lesson, 3, (10, 5), (10, 50)),
    (PeriodKind::Lesson, 4, (11, 0), (11, 45)),
    (PeriodKind::Lesson, 5, (14, 30), (15, 15)),
    (PeriodKind::Lesson, 6, (15, 25), (16, 10)),
    (PeriodKind::EveningStudy, 1, (19, 0), (19, 45)),
    (PeriodKind::EveningStudy, 2, (19, 55), (20, 40)),
];

/// Pupils walk far, so the day begins twenty minutes later than below.
const MOUNTAIN_WINTER: Day = &[
    (PeriodKind::EarlyStudy, 1, (8, 20), (8, 40)),
    (PeriodKind::Lesson, 1, (8, 40), (9, 20)),
    (PeriodKind::Lesson, 2, (9, 30), (10, 10)),
    (PeriodKind::LongBreak, 1, (10, 10), (10, 40)),
    (PeriodKind::Lesson, 3, (10, 40), (11, 20)),
    (PeriodKind::Lesson, 4, (11, 30), (12, 10)),
    (PeriodKind::Lesson, 5, (13, 40), (14, 20)),
];

fn bells_of_the_county(organisation_id: OrganisationId) -> Vec<BellSchedule> {
    vec![
        schedule(organisation_id, Some(Stage::Primary), "小学夏季作息", ("05-01", "09-30"), PRIMARY_SUMMER),
        schedule(organisation_id, Some(Stage::Primary), "小学冬季作息", ("10-01", "04-30"), PRIMARY_WINTER),
        schedule(organisation_id, Some(Stage::Junior), "初中作息", ("01-01", "12-31"), JUNIOR),
    ]
}

/// Winter comes three days earlier up there.
fn bells_of_the_mountains(organisation_id: OrganisationId) -> Vec<BellSchedule> {
    vec![schedule(organisation_id, Some(Stage::Primary), "高山冬季作息", ("09-28", "04-30"), MOUNTAIN_WINTER)]
}

fn schedule(
    organisation_id: OrganisationId,
    stage: Option<Stage>,
    name: &str,
    season: (&str, &str),
    day: Day,
) -> BellSchedule {
    // What stands above is written as it must be; a slip would leave a period out, and the test that counts finds it.
    let period = |&(kind, number, starts, ends): &(PeriodKind, u8, (u16, u16), (u16, u16))| {
        let (starts, ends) = (Minute::at(starts.0, starts.1)?, Minute::at(ends.0, ends.1)?);
        Some(Period { name: PeriodName { kind, number }, starts, ends })
    };
    let whole_year = Season { from: MonthDay::FIRST, until: MonthDay::LAST };
    let season = season.0.parse().and_then(|from| Ok(Season { from, until: season.1.parse()? })).unwrap_or(whole_year);
    BellSchedule {
        bell_schedule_id: BellScheduleId::fresh(),
        organisation_id,
        stage,
        name: name.into(),
        season,
        periods: day.iter().filter_map(period).collect(),
    }
}
