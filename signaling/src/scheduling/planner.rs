//! Plans a term's dated lessons from courses, calendars, bells and rules in the store.

use std::collections::{HashMap, HashSet};

use crate::store::{NewLesson, Store, StoreError};
use school::{
    account::permission::Scope,
    base::{
        id::{ClassId, CourseId, OrganisationId},
        time::UnixMs,
    },
    lesson::life::LessonTimes,
    timetable::{
        LeftOut,
        calendar::Term,
        course::Course,
        pairing::{Hearing, ListeningRight, may_be_planned},
        plan,
        rules::RuleSet,
    },
};

/// The plan of a term.
#[derive(Clone, Debug, Default)]
pub struct TermPlan {
    /// Its lessons. Those planned before are included; the store skips them.
    pub lessons: Vec<NewLesson>,
    /// What became no lesson, and why; resolved by hand.
    pub left_out: Vec<(CourseId, LeftOut)>,
    /// Number of lessons that would have begun already. They are not planned: each would be stored only to be missed.
    pub past: usize,
}

/// Courses read at once.
const COURSES_A_READ: i64 = 500;

/// Plans the courses that schools below `path` teach in a term, from `now` on.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub async fn plan_term(
    store: &Store,
    scope: &Scope,
    term: &Term,
    path: &str,
    now: UnixMs,
) -> Result<TermPlan, StoreError> {
    let mut courses: Vec<Course> = Vec::new();
    loop {
        let after = courses.last().map(|course| course.course_id);
        let page = store.courses(scope, term.term_id, Some(path), after, COURSES_A_READ).await?;
        let is_last = page.len() < usize::try_from(COURSES_A_READ).unwrap_or_default();
        courses.extend(page.into_iter().map(|stored| stored.value));
        if is_last {
            break;
        }
    }
    plan_courses(store, scope, term, &courses, now).await
}

/// Plans these courses of a term from `now` on. Lessons are numbered from the first of the term.
///
/// # Errors
/// [`StoreError`] if the database fails.
pub async fn plan_courses(
    store: &Store,
    scope: &Scope,
    term: &Term,
    courses: &[Course],
    now: UnixMs,
) -> Result<TermPlan, StoreError> {
    let schools: HashSet<OrganisationId> = courses
        .iter()
        .flat_map(|course| course.listening.iter().map(|end| end.organisation_id).chain([course.organisation_id]))
        .collect();
    let schools: Vec<OrganisationId> = schools.into_iter().collect();
    let mut paths = HashMap::new();
    for schools in schools.chunks(500) {
        paths.extend(store.paths(scope, schools.iter().copied()).await?);
    }
    let times = store.school_times(scope, term, &paths).await?;
    let rules = store.rules_of(scope, paths.values().map(String::as_str)).await?;
    let rights = rights(store, scope, term, courses).await?;
    let (usual, mut all) = (RuleSet::default(), TermPlan::default());
    for course in courses {
        let rules = paths.get(&course.organisation_id).and_then(|path| rules.get(path)).unwrap_or(&usual);
        let rule = rules.program(course.program, course.mode);
        let (guests_max, alone) = rule.map_or((0, false), |rule| (rule.guests_max, rule.starts_without_teacher));
        let barred = match rule {
            Some(rule) if rule.needs_listening_right => barred(course, &rights),
            _ => HashSet::new(),
        };
        let planned = plan(course, &times, rules, &barred);
        all.left_out.extend(planned.left_out.into_iter().map(|left_out| (course.course_id, left_out)));
        let (past, to_come): (Vec<_>, Vec<_>) = planned.lessons.iter().partition(|lesson| lesson.span.starts_at <= now);
        all.past += past.len();
        all.lessons.extend(to_come.into_iter().map(|lesson| {
            NewLesson::of_course(course, lesson, LessonTimes::by(rules, lesson.span), guests_max, alone)
        }));
    }
    Ok(all)
}

/// Classes per query.
const CLASSES_A_READ: usize = 500;

/// Listening rights of the classes in these courses.
async fn rights(
    store: &Store,
    scope: &Scope,
    term: &Term,
    courses: &[Course],
) -> Result<HashMap<ClassId, Vec<ListeningRight>>, StoreError> {
    let classes: HashSet<ClassId> =
        courses.iter().flat_map(|course| course.listening.iter().filter_map(|end| end.class_id)).collect();
    let mut rights: HashMap<ClassId, Vec<ListeningRight>> = HashMap::new();
    for classes in classes.into_iter().collect::<Vec<_>>().chunks(CLASSES_A_READ) {
        for right in store.rights_of_classes(scope, term.term_id, classes).await? {
            rights.entry(right.class_id).or_default().push(right);
        }
    }
    Ok(rights)
}

/// The classes of a course without a listening right, or whose right has ended.
fn barred(course: &Course, rights: &HashMap<ClassId, Vec<ListeningRight>>) -> HashSet<ClassId> {
    let (term_id, teaching_id, subject) = (course.term_id, course.organisation_id, course.subject.as_str());
    let may = |class_id: &ClassId| {
        let rights = rights.get(class_id).map_or(&[][..], Vec::as_slice);
        may_be_planned(rights, &Hearing { term_id, teaching_id, class_id: *class_id, subject })
    };
    course.listening.iter().filter_map(|end| end.class_id).filter(|class_id| !may(class_id)).collect()
}
