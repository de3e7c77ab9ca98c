//! A small sample county: a centre school, two teaching points, and a lesson that is open now.

use std::{path::Path, time::Duration};

use serde::{Deserialize, Serialize};
use tracing::{info, warn};
use uuid::Uuid;

use crate::{
    app::App,
    data_dir::{self, DataDirError},
    error_chain::chain,
    http::account::identity::actor,
    live::{
        table::role_of,
        token::{Claims, TokenKind},
    },
    scheduling::planner::plan_term,
    secret::{sha256_hex, unguessable},
    store::{AuditRow, ScheduleError, Seed, Store, StoreError},
};
use school::{
    account::system_scope,
    base::{
        id::{ClassroomId, LessonId, OrganisationId, PersonId, SeatId},
        time::UnixMs,
    },
    fixtures::county::County,
    lesson::{
        Lesson, ListedClassroom, Teacher,
        life::{LessonState, LessonTimes, RunsBy},
    },
    organisation::{Classroom, Holder, Organisation, OrganisationKind, Person, Role},
    timetable::{rules::RuleSet, two_ends::Span},
};

/// The sample's links and tokens expire after a day: it is not for production.
pub const SAMPLE_VALID: Duration = Duration::from_secs(24 * 3600);

/// Long enough that a newcomer who reads first and tries later still finds the lesson open.
const SAMPLE_LESSON: Duration = Duration::from_secs(4 * 3600);

const SAMPLE_GUESTS: u32 = 3_000;

/// The file in the data folder, for scripts and tests.
const SAMPLE_FILE: &str = "sample.json";

/// The contents of `sample.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the file")]
pub struct Sample {
    pub base_url: String,
    pub lesson_id: LessonId,
    pub whip_url: String,
    pub whep_url: String,
    /// Publishing with it starts the lesson: an encoder has no start button.
    pub publish_token: String,
    /// One per classroom, in the lesson's order.
    pub receive_tokens: Vec<String>,
    /// Takes one guest seat per use.
    pub viewer_token: String,
    pub sign_in_links: SignInLinks,
    pub guest_watch_url: String,
}

/// One-time links, one per role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the file")]
pub struct SignInLinks {
    pub teacher: String,
    pub classrooms: Vec<String>,
    pub bureau_officer: String,
    /// For the timetable administrator of the county. `None`: the sample is older than the timetable.
    #[serde(default)]
    pub scheduler: Option<String>,
}

/// What `--sample` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// The data folder was empty: the county is new.
    County,
    /// The county existed and its lesson is in progress: tokens and links are new.
    Links,
    /// The county existed and its lesson had ended: the lesson is new.
    Lesson,
}

/// The sample cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be read or written.
    #[error(transparent)]
    Keep(#[from] DataDirError),
    /// The folder has another county.
    #[error("the data folder is not empty and holds no sample: --sample leaves it alone")]
    NotASample,
}

/// Creates the county in an empty folder, or renews the links of an existing one. Writes `sample.json`.
///
/// # Errors
/// See [`SampleError`].
pub async fn prepare(app: &App, data: &Path, base_url: &str) -> Result<(Sample, Prepared), SampleError> {
    let now = app.clock.wall();
    let path = data.join(SAMPLE_FILE);
    let before: Option<Sample> = data_dir::read(&path)?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let (lesson, prepared) = if app.store.is_empty().await? {
        make_county(&app.store, now).await?;
        (make_lesson(app, None, now).await?, Prepared::County)
    } else {
        let before = before.ok_or(SampleError::NotASample)?;
        match app.store.lesson(&system_scope::sample(), before.lesson_id).await? {
            Some(lesson) if !lesson.state.is_over() => (lesson, Prepared::Links),
            ended => (make_lesson(app, ended, now).await?, Prepared::Lesson),
        }
    };
    let sample = describe(app, base_url, &lesson, now).await?;
    let text = serde_json::to_vec_pretty(&sample).unwrap_or_default();
    data_dir::write(&path, &text, 0o600)?;
    info!(lesson.id = %lesson.lesson_id, ?prepared, "The sample's links are in {}", path.display());
    Ok((sample, prepared))
}

/// Creates the sample county's schools, terms, bells and future lessons, if it has none. Returns the number of
/// lessons.
///
/// # Errors
/// See [`SampleError`].
pub async fn timetable(app: &App) -> Result<usize, SampleError> {
    let (scope, store, now) = (system_scope::sample(), &app.store, app.clock.wall());
    let bureau = store.top(&scope).await?.ok_or(SampleError::NotASample)?;
    if !store.terms(&scope).await?.is_empty() {
        return Ok(0);
    }
    let county = County::below(bureau);
    store.seed_county(&scope, &county, now).await?;
    let mut lessons = 0;
    for term in &county.terms {
        let mut plan = plan_term(store, &scope, term, &format!("/{bureau}/"), now).await?;
        // Excludes lessons that should be open by now.
        plan.lessons.retain(|new| new.times.opens_at > now);
        let row = AuditRow::by_system(now, "plan_term", format!("term:{}", term.term_id));
        lessons += match store.schedule(&scope, &plan.lessons, row).await {
            Ok(kept) => kept,
            Err(ScheduleError::Store(error)) => return Err(error.into()),
            Err(error) => {
                warn!(error = chain(&error), "The sample's term {} is not planned", term.name);
                0
            }
        };
    }
    info!(lessons, "The sample county has {lessons} lessons to come");
    Ok(lessons)
}

/// Makes a one-time link that signs `holder` in.
///
/// # Errors
/// [`StoreError`] if it cannot be stored.
pub async fn sign_in_link(store: &Store, base_url: &str, holder: Holder, now: UnixMs) -> Result<String, StoreError> {
    let secret = unguessable();
    let row = AuditRow::by_system(now, "make_sign_in_link", actor(holder));
    store.insert_sign_in_link(&sha256_hex(&secret), holder, now.plus(SAMPLE_VALID), &row).await?;
    Ok(format!("{base_url}/enter#{secret}"))
}

async fn make_county(store: &Store, now: UnixMs) -> Result<(), StoreError> {
    let node = |parent_id, kind, name: &str, code: Option<&str>| Organisation {
        organisation_id: OrganisationId::fresh(),
        parent_id,
        kind,
        name: name.into(),
        code: code.map(str::to_owned),
    };
    let bureau = node(None, OrganisationKind::County, "汉滨区教育体育局", Some("610902"));
    let county = Some(bureau.organisation_id);
    let centre = node(county, OrganisationKind::CentreSchool, "汉滨区茨沟镇中心小学", Some("2161000917"));
    let school = Some(centre.organisation_id);
    let points = [
        node(school, OrganisationKind::TeachingPoint, "汉滨区茨沟镇中心小学景家教学点", None),
        node(school, OrganisationKind::TeachingPoint, "汉滨区茨沟镇中心小学大河教学点", None),
    ];
    let mut seed = Seed::default();
    let rooms = [(&centre, "三年级（2）班"), (&points[0], "景家三年级复式班"), (&points[1], "大河三年级班")];
    for (organisation, name) in rooms {
        let organisation_id = organisation.organisation_id;
        seed.classrooms.push(Classroom { classroom_id: ClassroomId::fresh(), organisation_id, name: name.into() });
    }
    let people = [
        (&centre, "张老师", Role::LeadTeacher),
        (&bureau, "李巡课", Role::Patrol),
        (&bureau, "赵排课", Role::Scheduler),
    ];
    for (organisation, name, role) in people {
        let organisation_id = organisation.organisation_id;
        let person = Person { person_id: PersonId::fresh(), organisation_id, name: name.into(), sign_in_name: None };
        seed.people.push((person, Some(role)));
    }
    let [first, second] = points;
    seed.organisations.extend([bureau, centre, first, second]);
    store.seed(&system_scope::sample(), &seed, now).await
}

/// A lesson with the teacher and classrooms of the previous one, or with all there are.
async fn make_lesson(app: &App, before: Option<Lesson>, now: UnixMs) -> Result<Lesson, SampleError> {
    let scope = system_scope::sample();
    let (teacher, classrooms) = match before {
        Some(before) => (before.teacher, before.classrooms),
        None => {
            let mut teachers = app.store.people_who_are(&scope, Role::LeadTeacher).await?.into_iter();
            let (person_id, name) = teachers.next().ok_or(SampleError::NotASample)?;
            let listed = |(classroom_id, name)| ListedClassroom { classroom_id, name, school: String::new() };
            let classrooms = app.store.classrooms_with_school(&scope).await?.into_iter().map(listed).collect();
            (Teacher { person_id, name }, classrooms)
        }
    };
    let lesson = Lesson {
        lesson_id: LessonId::fresh(),
        title: "英语 三年级 第3课".into(),
        subject: "英语".into(),
        grade: "三年级".into(),
        program: "delivery_class".into(),
        mode: "live".into(),
        teacher,
        state: LessonState::Open,
        times: LessonTimes::by_hand(&RuleSet::default(), Span { starts_at: now, ends_at: now.plus(SAMPLE_LESSON) }),
        // Started by hand: there is no bell at two in the morning.
        runs_by: RunsBy::Teacher,
        live_at: None,
        ended_at: None,
        classrooms,
        places: Vec::new(),
        guests_max: SAMPLE_GUESTS,
        recording: None,
    };
    let row = AuditRow::by_system(now, "schedule_lesson", format!("lesson:{}", lesson.lesson_id));
    app.store.insert_lesson(&system_scope::sample(), &lesson, &row).await?;
    // Includes the schools' names, as the store lists them.
    let lesson = app.store.lesson(&system_scope::sample(), lesson.lesson_id).await?.ok_or(SampleError::NotASample)?;
    app.registry.take_up(lesson.clone());
    Ok(lesson)
}

async fn describe(app: &App, base_url: &str, lesson: &Lesson, now: UnixMs) -> Result<Sample, SampleError> {
    let lesson_id = lesson.lesson_id;
    let officers = app.store.people_who_are(&system_scope::sample(), Role::Patrol).await?;
    let (officer, _) = officers.first().ok_or(SampleError::NotASample)?;
    let schedulers = app.store.people_who_are(&system_scope::sample(), Role::Scheduler).await?;
    let publish_token =
        token(app, lesson, TokenKind::Publish, Some(Holder::Person(lesson.teacher.person_id)), now).await?;
    let viewer_token = token(app, lesson, TokenKind::Guest, None, now).await?;
    let (mut receive_tokens, mut classrooms) = (Vec::new(), Vec::new());
    for classroom in &lesson.classrooms {
        let holder = Holder::Classroom(classroom.classroom_id);
        receive_tokens.push(token(app, lesson, TokenKind::Receive, Some(holder), now).await?);
        classrooms.push(sign_in_link(&app.store, base_url, holder, now).await?);
    }
    let teacher = Holder::Person(lesson.teacher.person_id);
    Ok(Sample {
        base_url: base_url.into(),
        lesson_id,
        whip_url: format!("{base_url}/whip/{lesson_id}"),
        whep_url: format!("{base_url}/whep/{lesson_id}"),
        publish_token,
        receive_tokens,
        guest_watch_url: format!("{base_url}/watch/{lesson_id}#{viewer_token}"),
        viewer_token,
        sign_in_links: SignInLinks {
            teacher: sign_in_link(&app.store, base_url, teacher, now).await?,
            classrooms,
            bureau_officer: sign_in_link(&app.store, base_url, Holder::Person(*officer), now).await?,
            scheduler: match schedulers.first() {
                Some((id, _)) => Some(sign_in_link(&app.store, base_url, Holder::Person(*id), now).await?),
                None => None,
            },
        },
    })
}

async fn token(
    app: &App,
    lesson: &Lesson,
    kind: TokenKind,
    holder: Option<Holder>,
    now: UnixMs,
) -> Result<String, StoreError> {
    let seat_id = match holder {
        Some(holder) => {
            let role = role_of(kind).as_str();
            app.store.seat_of(&system_scope::sample(), lesson.lesson_id, holder, role, SeatId::fresh()).await?
        }
        None => None,
    };
    let classroom_id = match holder {
        Some(Holder::Classroom(classroom_id)) => Some(classroom_id),
        _ => None,
    };
    Ok(app.tokens.sign(&Claims {
        kind,
        lesson_id: lesson.lesson_id,
        seat_id,
        classroom_id,
        session: None,
        device_id: None,
        auto_start: kind == TokenKind::Publish,
        exp: now.plus(SAMPLE_VALID),
        jti: Uuid::now_v7(),
    }))
}
