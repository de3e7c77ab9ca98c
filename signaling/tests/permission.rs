//! Every route of the OpenAPI document × every role × own, sibling, parent and foreign place: nothing leaks.

mod school;

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use school::{Answer, School};
use serde_json::Value;
use signaling::{
    document,
    domain::{
        id::{ClassId, ClassroomId, DeviceId, GrantId, LessonId, OrganisationId, PersonId, RecordingId, SessionId},
        organisation::{Classroom, Holder, Organisation, OrganisationKind, Person, Role, Stage},
    },
    sample,
    store::{AuditRow, Seed, place::NewClass},
    system_scope,
};

/// One place, with one of everything in it.
struct Place {
    organisation: OrganisationId,
    classroom: ClassroomId,
    class: ClassId,
    person: PersonId,
    grant: String,
    session: String,
    /// The names of everything in it.
    mark: &'static str,
}

struct County {
    school: School,
    own: Place,
    sibling: Place,
    parent: Place,
    foreign: Place,
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
    store.plant(&scope, &seed, now).await.unwrap();
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
    let _ = store.add_class(&scope, &class, row).await; // A bureau has none.
    let grant = store.grants(&scope, person_id).await.unwrap().unwrap()[0].role_grant_id.to_string();
    let link = sample::sign_in_link(store, "http://school", Holder::Person(person_id), now).await.unwrap();
    school.sign_in(&link).await;
    let session = store.own_sessions(person_id, now).await.unwrap()[0].session_id.to_string();
    Place {
        organisation: organisation_id,
        classroom: classroom_id,
        class: class_id,
        person: person_id,
        grant,
        session,
        mark,
    }
}

impl County {
    async fn open() -> Self {
        let school = School::open().await;
        let parent = place(&school, None, OrganisationKind::County, "上级县").await;
        let own = place(&school, Some(&parent), OrganisationKind::School, "本校").await;
        let sibling = place(&school, Some(&parent), OrganisationKind::School, "邻校").await;
        let foreign = place(&school, None, OrganisationKind::County, "外县").await;
        Self { school, own, sibling, parent, foreign }
    }

    /// Somebody with this role at the own place.
    async fn somebody(&self, role: Role) -> String {
        let person_id = PersonId::fresh();
        let (organisation_id, name) = (self.own.organisation, "某人".to_owned());
        let person = Person { person_id, organisation_id, name, sign_in_name: None };
        let seed = Seed { people: vec![(person, Some(role))], ..Seed::default() };
        let (store, now) = (&self.school.app.store, self.school.clock.wall());
        store.plant(&system_scope::sample(), &seed, now).await.unwrap();
        let link = sample::sign_in_link(store, "http://school", Holder::Person(person_id), now).await.unwrap();
        self.school.sign_in(&link).await
    }

    async fn ask(&self, method: &str, path: &str, cookie: &str, body: &str) -> Answer {
        let mut request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
        request = request.header(header::COOKIE, cookie).header(header::CONTENT_TYPE, "application/json");
        request = request.header(header::IF_MATCH, "\"v1\"");
        self.school.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }
}

/// The path with this place's ids. `None`: it names something that a place does not have.
fn at(path: &str, place: Option<&Place>) -> Option<String> {
    let mut filled = path.to_owned();
    let fresh = || {
        [
            ("organisation_id", OrganisationId::fresh().to_string()),
            ("classroom_id", ClassroomId::fresh().to_string()),
            ("class_id", ClassId::fresh().to_string()),
            ("person_id", PersonId::fresh().to_string()),
            ("role_grant_id", GrantId::fresh().to_string()),
            ("session_id", SessionId::fresh().to_string()),
        ]
    };
    let ids = match place {
        None => fresh(),
        Some(place) => [
            ("organisation_id", place.organisation.to_string()),
            ("classroom_id", place.classroom.to_string()),
            ("class_id", place.class.to_string()),
            ("person_id", place.person.to_string()),
            ("role_grant_id", place.grant.clone()),
            ("session_id", place.session.clone()),
        ],
    };
    for (name, id) in ids {
        filled = filled.replace(&format!("{{{name}}}"), &id);
    }
    for name in ["school_year_id", "term_id", "bell_schedule_id", "course_id", "pairing_id", "listening_right_id"] {
        filled = filled.replace(&format!("{{{name}}}"), &LessonId::fresh().to_string());
    }
    if path == "/holidays" {
        let organisation_id = place.map_or_else(OrganisationId::fresh, |place| place.organisation);
        filled = format!("{filled}?organisation_id={organisation_id}&date=2026-10-01");
    }
    filled = filled.replace("{device_id}", &DeviceId::fresh().to_string());
    filled = filled.replace("{lesson_id}", &LessonId::fresh().to_string());
    filled = filled.replace("{recording_id}", &RecordingId::fresh().to_string());
    (!filled.contains('{')).then_some(filled)
}

fn body_for(method: &str, path: &str, place: &Place) -> String {
    let organisation_id = place.organisation;
    match (method, path) {
        ("POST", "/classrooms") => format!(r#"{{"organisation_id":"{organisation_id}","name":"新教室"}}"#),
        ("POST", "/organisations") => {
            format!(r#"{{"parent_id":"{organisation_id}","kind":"teaching_point","name":"新教学点"}}"#)
        }
        ("POST", "/people") => format!(r#"{{"organisation_id":"{organisation_id}","name":"新老师"}}"#),
        ("POST", "/classes") => format!(
            r#"{{"organisation_id":"{organisation_id}","classroom_id":null,"stage":"primary","grade":"一年级","name":"新班"}}"#
        ),
        ("POST", "/devices") => format!(r#"{{"code":"AAAA-AAAA","classroom_id":"{}","name":"电脑"}}"#, place.classroom),
        ("POST", "/people/{person_id}/roles") => {
            format!(r#"{{"role":"assistant","organisation_id":"{organisation_id}"}}"#)
        }
        (method, path) => timetable_body(method, path, place),
    }
}

/// What is named beside the place itself is not there: it is the place that is asked about.
fn timetable_body(method: &str, path: &str, place: &Place) -> String {
    use serde_json::json;
    let (organisation_id, fresh) = (place.organisation, LessonId::fresh());
    let days = |first: &str, last: &str| json!({ "name": "新的", "first_day": first, "last_day": last });
    let lesson = json!({ "term_id": fresh, "organisation_id": organisation_id, "title": "新课", "subject": "英语",
        "stage": "primary", "grade": "三年级", "teacher_id": fresh, "classroom_id": null, "class_id": null,
        "program": "delivery_class", "mode": "live", "delivery": "dedicated", "listening": [] });
    let with = |mut body: Value, more: Value| {
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let body = match (method, path) {
        ("POST", "/school-years") => {
            with(days("2026-09-01", "2027-08-31"), json!({ "organisation_id": organisation_id }))
        }
        ("POST", "/terms") => with(days("2026-09-01", "2027-01-20"), json!({ "school_year_id": fresh })),
        ("POST", "/terms/{term_id}/lessons") => json!({ "organisation_id": organisation_id }),
        ("PUT", "/holidays") => json!({ "organisation_id": organisation_id, "date": "2026-10-01", "name": "国庆节",
            "taught_as": null }),
        ("POST", "/bell-schedules") => json!({ "organisation_id": organisation_id, "stage": null, "name": "新作息",
            "from_day": "01-01", "until_day": "12-31",
            "periods": [{ "period": "lesson-1", "starts_min": 480, "ends_min": 520 }] }),
        ("PUT", "/rules/{organisation_id}") => json!(signaling::domain::rules::RuleSet::default()),
        ("POST", "/courses") => {
            with(lesson, json!({ "weekly": [{ "weekday": 1, "period": "lesson-1", "weeks": "every" }] }))
        }
        ("POST", "/pairings") => json!({ "term_id": fresh, "topology": "centre_with_points",
            "teaching_id": organisation_id, "class_ids": [place.class], "subjects": null }),
        ("POST", "/listening-rights") => json!({ "term_id": fresh, "teaching_id": organisation_id,
            "class_id": place.class, "subjects": null }),
        ("POST", path) if path.ends_with("/standing") => json!({ "act": "freeze" }),
        ("POST", "/lessons/{lesson_id}/waivers") => json!({ "item": "assistants", "reason": "今天没有" }),
        ("POST", "/dispatch/lessons") => with(lesson, json!({ "date": "2026-09-22", "period": "lesson-1" })),
        ("POST", "/dispatch/acts") => json!({ "act": { "kind": "move_day", "organisation_id": organisation_id,
            "from": "2026-09-22", "to": "2026-09-23" } }),
        _ => json!({}),
    };
    body.to_string()
}

/// Method, path, and whether the path names a thing.
fn operations() -> Vec<(String, String, Value)> {
    let document: Value = serde_json::to_value(document::document()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if matches!(method.as_str(), "get" | "post" | "put" | "patch" | "delete") {
                found.push((method.to_uppercase(), path.clone(), operation.clone()));
            }
        }
    }
    found
}

#[tokio::test]
async fn no_role_at_any_route_learns_of_a_sibling_a_parent_or_a_foreign_place() {
    let county = County::open().await;
    let operations = operations();
    assert!(operations.len() >= 40, "{}", operations.len());
    let mut asked = 0;
    for role in Role::ALL {
        for (method, path, operation) in &operations {
            if operation["x-act"].is_null() {
                continue; // One's own account, or open to everybody: see below.
            }
            if path == "/devices" {
                county.school.clock.turn(std::time::Duration::from_secs(60)); // Wrong codes are counted.
            }
            let cookie = county.somebody(*role).await;
            let full = |path: &str| format!("/api/v1{path}");
            let names_a_thing = path.contains('{');
            let (uri, body) = (full(&at(path, None).unwrap()), body_for(method, path, &county.own));
            let nowhere = county.ask(method, &uri, &cookie, &body).await;
            if names_a_thing {
                assert_eq!(nowhere.status, StatusCode::NOT_FOUND, "{role:?} {method} {path}: {}", nowhere.text);
            }
            for place in [&county.sibling, &county.parent, &county.foreign] {
                let uri = full(&at(path, Some(place)).unwrap());
                let answer = county.ask(method, &uri, &cookie, &body_for(method, path, place)).await;
                asked += 1;
                let told = format!("{role:?} {method} {path} {}: {} {}", place.mark, answer.status, answer.text);
                if names_a_thing {
                    assert_eq!((answer.status, &answer.text), (nowhere.status, &nowhere.text), "{told}");
                } else if method != "GET" {
                    assert!(matches!(answer.status.as_u16(), 403 | 404), "{told}");
                }
                assert!(!answer.text.contains(place.mark), "{told}");
            }
        }
    }
    println!("{asked} requests, {} operations, {} roles", operations.len(), Role::ALL.len());
}

#[tokio::test]
async fn each_role_may_at_its_own_place_what_its_line_says() {
    let county = County::open().await;
    let may = |act: &str, role: Role| {
        use Role as R;
        match act {
            "see_organisations" => true,
            "edit_organisations" => role == R::SystemAdministrator,
            "edit_classrooms" => matches!(role, R::SystemAdministrator | R::SchoolAdministrator),
            "see_devices" => {
                matches!(role, R::SystemAdministrator | R::SchoolAdministrator | R::Scheduler | R::Operator)
            }
            "edit_devices" => matches!(role, R::SystemAdministrator | R::SchoolAdministrator | R::Operator),
            "see_people" => matches!(
                role,
                R::SystemAdministrator | R::SecurityAdministrator | R::SchoolAdministrator | R::Scheduler
            ),
            "edit_people" => matches!(role, R::SystemAdministrator | R::SchoolAdministrator),
            "grant_roles" => matches!(role, R::SecurityAdministrator | R::SchoolAdministrator),
            "edit_sessions" => role == R::SecurityAdministrator,
            "see_audit" => role == R::AuditAdministrator,
            other => panic!("{other} is not in this table"),
        }
    };
    let mut seen = BTreeSet::new();
    for role in Role::ALL {
        for (method, path, operation) in &operations() {
            let Some(act) = operation["x-act"].as_str() else { continue };
            if path.starts_with("/devices/") || method == "DELETE" || path.starts_with("/imports") {
                continue; // There is none at the place, or it would be gone for the next role.
            }
            if matches!(act, "see_timetable" | "edit_timetable" | "dispatch" | "see_lessons") {
                continue; // They need a term, courses and lessons: `timetable.rs` asks with its own.
            }
            seen.insert(act.to_owned());
            let cookie = county.somebody(*role).await;
            let uri = format!("/api/v1{}", at(path, Some(&county.own)).unwrap());
            let answer = county.ask(method, &uri, &cookie, &body_for(method, path, &county.own)).await;
            let told = format!("{role:?} {method} {path}: {} {}", answer.status, answer.text);
            assert!(!answer.status.is_server_error(), "{told}");
            // A device that nobody enrolled is not found either; a version that has moved on shows that one may.
            let wrong_code = path == "/devices" && method == "POST";
            let let_in = !matches!(answer.status.as_u16(), 401 | 403 | 404);
            assert_eq!(
                let_in || (wrong_code && answer.status == 404),
                may(act, *role) || wrong_code && answer.status == 404,
                "{told}"
            );
        }
    }
    assert!(seen.len() >= 8, "{seen:?}");
}

#[tokio::test]
async fn whoever_is_not_signed_in_gets_nothing_but_the_door() {
    let county = County::open().await;
    for (method, path, operation) in operations() {
        let uri = format!("/api/v1{}", at(&path, Some(&county.own)).unwrap_or_else(|| path.replace(['{', '}'], "x")));
        let answer = county.ask(&method, &uri, "", &body_for(&method, &path, &county.own)).await;
        let is_a_door = operation["security"] == serde_json::json!([{}]);
        if !is_a_door {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}: {}", answer.text);
        }
        assert!(!answer.text.contains("本校"), "{method} {path}");
    }
}
