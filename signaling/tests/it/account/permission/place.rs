//! Places of a county, each with one of everything that has an id.

use std::{collections::BTreeMap, time::Duration};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use school::{
    account::system_scope,
    base::id::{
        ClassId, ClassroomId, ClipId, CommentId, LessonId, ListeningRightId, MarkId, OrganisationId, PairingId,
        PersonId, RecordingId, RubricId, ShareId, TermId,
    },
    lesson::{
        Lesson, ListedClassroom, Teacher,
        life::{LessonState, LessonTimes, RunsBy},
    },
    library::{chapter::Mark, clip::Window, rubric::Criterion},
    organisation::{Classroom, Holder, Organisation, OrganisationKind, Person, Role, Stage},
    timetable::{
        pairing::{Extent, ListeningRight, Pairing, Standing, Topology},
        rules::RuleSet,
        two_ends::Span,
    },
};
use serde_json::{Value, json};
use signaling::{
    sample,
    store::{
        AuditRow, Seed,
        library::{clip::Clip, comment::Comment, review::Rubric, share::NewShare},
        organisation::school_class::NewClass,
    },
};

use crate::fixtures::school::{Answer, School};

/// One place, with one of everything in it.
pub struct Place {
    pub organisation: OrganisationId,
    /// By the name of the path's parameter.
    pub ids: BTreeMap<&'static str, String>,
    /// The names of everything in it.
    pub mark: &'static str,
}

impl Place {
    pub fn id(&self, name: &str) -> &str {
        self.ids.get(name).unwrap_or_else(|| panic!("{} has no {name}", self.mark))
    }
}

pub struct County {
    pub school: School,
    pub own: Place,
    pub sibling: Place,
    pub parent: Place,
    pub foreign: Place,
}

impl County {
    pub async fn open() -> Self {
        let school = School::open().await;
        let parent = place(&school, None, OrganisationKind::County, "上级县").await;
        let own = place(&school, Some(&parent), OrganisationKind::School, "本校").await;
        let sibling = place(&school, Some(&parent), OrganisationKind::School, "邻校").await;
        let far = place(&school, None, OrganisationKind::County, "外县").await;
        let foreign = place(&school, Some(&far), OrganisationKind::School, "外校").await;
        // What was recorded is counted, so that it is found among what is kept.
        school.app.round().await.unwrap();
        Self { school, own, sibling, parent, foreign }
    }

    /// Somebody with this role at the own place.
    pub async fn somebody(&self, role: Role) -> String {
        somebody(&self.school, self.own.organisation, role).await
    }

    pub async fn ask(&self, method: &str, path: &str, cookie: &str, body: &str) -> Answer {
        ask(&self.school, method, path, cookie, body).await
    }
}

async fn ask(school: &School, method: &str, path: &str, cookie: &str, body: &str) -> Answer {
    let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
    let kind = if path.starts_with("/api/v1/imports/") { "text/csv" } else { "application/json" };
    request = request.header(header::COOKIE, cookie).header(header::CONTENT_TYPE, kind);
    request = request.header(header::IF_MATCH, "\"v1\"");
    school.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn enter(school: &School, person_id: PersonId) -> String {
    let (store, now) = (&school.app.store, school.clock.wall());
    let link = sample::sign_in_link(store, "http://school", Holder::Person(person_id), now).await.unwrap();
    school.sign_in(&link).await
}

async fn somebody(school: &School, organisation_id: OrganisationId, role: Role) -> String {
    let person_id = PersonId::fresh();
    let person = Person { person_id, organisation_id, name: "某人".to_owned(), sign_in_name: None };
    let seed = Seed { people: vec![(person, Some(role))], ..Seed::default() };
    school.app.store.seed(&system_scope::sample(), &seed, school.clock.wall()).await.unwrap();
    enter(school, person_id).await
}

async fn place(school: &School, parent: Option<&Place>, kind: OrganisationKind, mark: &'static str) -> Place {
    let (organisation_id, classroom_id, person_id) = (OrganisationId::fresh(), ClassroomId::fresh(), PersonId::fresh());
    let parent_id = parent.map(|parent| parent.organisation);
    let organisation = Organisation { organisation_id, parent_id, kind, name: format!("{mark}小学"), code: None };
    let classroom = Classroom { classroom_id, organisation_id, name: format!("{mark}教室") };
    let person = Person { person_id, organisation_id, name: format!("{mark}老师"), sign_in_name: None };
    let people = vec![(person, Some(Role::LeadTeacher))];
    let seed = Seed { organisations: vec![organisation], classrooms: vec![classroom], people };
    let (store, scope, now) = (&school.app.store, system_scope::sample(), school.clock.wall());
    store.seed(&scope, &seed, now).await.unwrap();
    let class_id = ClassId::fresh();
    let class = NewClass {
        class_id,
        organisation_id,
        classroom_id: Some(classroom_id),
        stage: Stage::Primary,
        grade: "三年级".into(),
        name: format!("{mark}班"),
    };
    let row = AuditRow::by_system(now, "add_class", format!("class:{class_id}"));
    let has_class = store.add_class(&scope, &class, row).await.is_ok_and(|kept| kept.is_some()); // A bureau has none.
    let grant = store.grants(&scope, person_id).await.unwrap().unwrap()[0].role_grant_id.to_string();
    let cookie = enter(school, person_id).await;
    let session = store.own_sessions(person_id, now).await.unwrap()[0].session_id.to_string();
    let mut ids = BTreeMap::from([
        ("organisation_id", organisation_id.to_string()),
        ("classroom_id", classroom_id.to_string()),
        ("class_id", class_id.to_string()),
        ("person_id", person_id.to_string()),
        ("role_grant_id", grant),
        ("session_id", session),
        ("device_id", device(school, organisation_id, classroom_id, mark).await),
    ]);
    let (lesson_id, recording_id) = lesson(school, person_id, classroom_id, mark, &cookie).await;
    ids.insert("lesson_id", lesson_id.to_string());
    ids.insert("recording_id", recording_id.to_string());
    ids.extend(said_of(school, (lesson_id, recording_id), (person_id, organisation_id), mark).await);
    let mut place = Place { organisation: organisation_id, ids, mark };
    timetable(school, &mut place, has_class).await;
    place
}

/// A lesson that goes on and is recorded.
async fn lesson(
    school: &School,
    teacher: PersonId,
    classroom_id: ClassroomId,
    mark: &str,
    cookie: &str,
) -> (LessonId, RecordingId) {
    let (store, scope, now) = (&school.app.store, system_scope::sample(), school.clock.wall());
    let ends_at = now.plus(Duration::from_secs(2_400));
    let lesson = Lesson {
        lesson_id: LessonId::fresh(),
        title: format!("{mark}的课"),
        subject: "英语".into(),
        grade: "三年级".into(),
        program: "delivery_class".into(),
        mode: "live".into(),
        teacher: Teacher { person_id: teacher, name: String::new() },
        state: LessonState::Open,
        times: LessonTimes::by_hand(&RuleSet::default(), Span { starts_at: now, ends_at }),
        runs_by: RunsBy::Teacher,
        live_at: None,
        ended_at: None,
        classrooms: vec![ListedClassroom { classroom_id, name: String::new(), school: String::new() }],
        places: Vec::new(),
        guests_max: 0,
        recording: None,
    };
    let lesson_id = lesson.lesson_id;
    let row = AuditRow::by_system(now, "schedule_lesson", format!("lesson:{lesson_id}"));
    assert!(store.insert_lesson(&scope, &lesson, &row).await.unwrap());
    school.app.registry.take_up(store.lesson(&scope, lesson_id).await.unwrap().unwrap());
    let begun = ask(school, "POST", &format!("/api/v1/lessons/{lesson_id}/start"), cookie, "{}").await;
    assert_eq!(begun.status, StatusCode::OK, "{}", begun.text);
    let kept = store.lesson(&scope, lesson_id).await.unwrap().unwrap();
    (lesson_id, kept.recording.unwrap().recording_id)
}

/// A mark, a clip, a comment, a link and a rubric; and the lesson that was recorded plays its own recording.
async fn said_of(
    school: &School,
    (lesson_id, recording_id): (LessonId, RecordingId),
    (person_id, organisation_id): (PersonId, OrganisationId),
    mark: &str,
) -> Vec<(&'static str, String)> {
    let (store, scope, now) = (&school.app.store, system_scope::sample(), school.clock.wall());
    let row = AuditRow::by_system(now, "plant", format!("recording:{recording_id}"));
    let title = format!("{mark}的片段");
    let kept = Mark { mark_id: MarkId::fresh(), at_ms: 0, title: title.clone(), version: 1 };
    let mark_id = kept.mark_id;
    store.add_mark(&scope, recording_id, person_id, kept, &row).await.unwrap();
    let clip = Clip {
        clip_id: ClipId::fresh(),
        recording_id,
        window: Window { from_ms: 0, to_ms: 2_000 },
        title,
        author: Teacher { person_id, name: String::new() },
        made_at: now,
        version: 1,
    };
    assert!(store.add_clip(&scope, &clip, &row).await.unwrap());
    let author = Teacher { person_id, name: String::new() };
    let comment = Comment {
        comment_id: CommentId::fresh(),
        at_ms: 0,
        text: format!("{mark}的评语"),
        author,
        made_at: now,
        edited_at: None,
        version: 1,
    };
    assert!(store.add_comment(&scope, recording_id, &comment, &row).await.unwrap());
    let share = NewShare {
        share_id: ShareId::fresh(),
        recording_id,
        clip_id: None,
        maker: person_id,
        expires_at: now.plus(Duration::from_secs(3_600)),
        views_max: None,
    };
    assert!(store.add_share(&scope, &share, &row).await.unwrap());
    let rubric = Rubric {
        rubric_id: RubricId::fresh(),
        revision: 1,
        organisation_id,
        keeper: String::new(),
        name: format!("{mark}的量表"),
        criteria: vec![Criterion { name: format!("{mark}的一项"), weight: 100, highest: 5 }],
    };
    store.save_rubric(&scope, &rubric, row.clone()).await.unwrap();
    let chosen = Some((recording_id, None, String::new()));
    assert!(store.choose_source(&scope, lesson_id, chosen, person_id, &row).await.unwrap());
    vec![
        ("mark_id", mark_id.to_string()),
        ("clip_id", clip.clip_id.to_string()),
        ("comment_id", comment.comment_id.to_string()),
        ("share_id", share.share_id.to_string()),
        ("rubric_id", rubric.rubric_id.to_string()),
    ]
}

/// A device that an operator has let in.
async fn device(school: &School, organisation: OrganisationId, classroom_id: ClassroomId, mark: &str) -> String {
    let key = Ed25519KeyPair::generate().unwrap();
    let key = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
    let body = json!({"algorithm": "ed25519", "public_key": key}).to_string();
    let code = ask(school, "POST", "/api/v1/enrolments", "", &body).await.json()["code"].clone();
    let operator = somebody(school, organisation, Role::Operator).await;
    let body = json!({"code": code, "classroom_id": classroom_id, "name": format!("{mark}电脑")}).to_string();
    let kept = ask(school, "POST", "/api/v1/devices", &operator, &body).await;
    assert_eq!(kept.status, StatusCode::CREATED, "{}", kept.text);
    kept.json()["device_id"].as_str().unwrap().to_owned()
}

/// A year, its term, its bells, a course, and an agreement, as its scheduler makes them.
async fn timetable(school: &School, place: &mut Place, has_class: bool) {
    let scheduler = somebody(school, place.organisation, Role::Scheduler).await;
    let (organisation_id, mark) = (place.organisation, place.mark);
    let make = async |path: &str, body: Value, id: &str| {
        let answer = ask(school, "POST", &format!("/api/v1/{path}"), &scheduler, &body.to_string()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{mark} {path}: {}", answer.text);
        answer.json()[id].as_str().unwrap().to_owned()
    };
    let year = json!({"organisation_id": organisation_id, "name": format!("{mark}学年"), "first_day": "2026-09-01",
        "last_day": "2027-08-31"});
    let year = make("school-years", year, "school_year_id").await;
    let term = json!({"school_year_id": year, "name": format!("{mark}学期"), "first_day": "2026-09-01",
        "last_day": "2027-01-20"});
    let term = make("terms", term, "term_id").await;
    let bells = json!({"organisation_id": organisation_id, "stage": null, "name": format!("{mark}作息"),
        "from_day": "01-01", "until_day": "12-31",
        "periods": [{"period": "lesson-1", "starts_min": 480, "ends_min": 520}]});
    let bells = make("bell-schedules", bells, "bell_schedule_id").await;
    let class_id = if has_class { json!(place.id("class_id")) } else { Value::Null };
    let course = json!({"term_id": term, "organisation_id": organisation_id, "title": format!("{mark}课程"),
        "subject": "英语", "stage": "primary", "grade": "三年级", "teacher_id": place.id("person_id"),
        "classroom_id": place.id("classroom_id"), "class_id": class_id, "program": "delivery_class", "mode": "live",
        "delivery": if has_class { "synchronous" } else { "dedicated" }, "listening": [],
        "weekly": [{"weekday": 1, "period": "lesson-1", "weeks": "every"}]});
    let course = make("courses", course, "course_id").await;
    if has_class {
        // Every Monday, from the next on: a day that can be moved.
        let body = json!({"organisation_id": organisation_id}).to_string();
        let planned = ask(school, "POST", &format!("/api/v1/terms/{term}/lessons"), &scheduler, &body).await;
        assert!(planned.json()["scheduled"].as_u64().unwrap() > 10, "{}", planned.text);
        let (pairing, right) = agreement(school, place, &term).await;
        place.ids.extend([("pairing_id", pairing), ("listening_right_id", right)]);
    }
    let made = [("school_year_id", year), ("term_id", term), ("bell_schedule_id", bells), ("course_id", course)];
    place.ids.extend(made);
}

/// The place listens to itself: whom it listens to is not what is asked about here.
async fn agreement(school: &School, place: &Place, term: &str) -> (String, String) {
    let (store, scope, now) = (&school.app.store, system_scope::sample(), school.clock.wall());
    let (pairing_id, listening_right_id) = (PairingId::fresh(), ListeningRightId::fresh());
    let class_id: ClassId = place.id("class_id").parse().unwrap();
    let term_id: TermId = term.parse().unwrap();
    let pairing = Pairing {
        pairing_id,
        term_id,
        topology: Topology::ALL[0],
        teaching_id: place.organisation,
        class_ids: vec![class_id],
        extent: Extent::Subjects(vec!["音乐".into()]),
        standing: Standing::Active,
    };
    let row = || AuditRow::by_system(now, "plant", format!("pairing:{pairing_id}"));
    store.insert_pairing(&scope, &pairing, row()).await.unwrap();
    let right = ListeningRight {
        listening_right_id,
        term_id,
        teaching_id: place.organisation,
        class_id,
        pairing_id: None,
        extent: Extent::Subjects(vec!["美术".into()]),
        standing: Standing::Active,
        ended_at: None,
    };
    store.insert_listening_right(&scope, &right, row()).await.unwrap();
    (pairing_id.to_string(), listening_right_id.to_string())
}
