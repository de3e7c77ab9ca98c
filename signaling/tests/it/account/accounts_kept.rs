//! Whoever keeps accounts: locks, sessions of one person, the second factor, plain HTTP, names in the audit.

use crate::fixtures::school::{Answer, School};
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use school::{
    account::system_scope,
    base::id::PersonId,
    organisation::{Person, Role},
};
use signaling::{http::web::extract::Caller, store::Seed};

async fn ask(school: &School, method: Method, path: &str, cookie: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header(header::COOKIE, cookie);
    school.send(request.header(header::CONTENT_TYPE, "application/json").body(Body::from("{}")).unwrap()).await
}

/// Uses a link up from another machine, in the clear.
async fn sign_in_in_the_clear(school: &School, link: &str) -> Answer {
    let (_, secret) = link.split_once('#').unwrap();
    let mut request = Request::post("/api/v1/sign-in")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(format!(r#"{{"link":"{secret}"}}"#)))
        .unwrap();
    let address = ([10, 0, 0, 9], 1).into();
    request.extensions_mut().insert(Caller { address, tls: false, plain_before: false });
    school.send(request).await
}

#[tokio::test]
async fn whoever_is_locked_out_is_out_at_once_and_comes_back_when_let_in() {
    let school = School::open().await;
    let security = school.at_the_top(Role::SecurityAdministrator).await;
    let reviewer = school.person_at_the_top(Role::Reviewer).await;
    let cookie = school.sign_in(&school.link(reviewer).await).await;
    let lock = format!("/api/v1/people/{reviewer}/lock");
    let locked = ask(&school, Method::PUT, &lock, &security).await;
    assert_eq!(
        (locked.status.as_u16(), &locked.json()["locked_at_ms"]),
        (200, &crate::fixtures::school::MORNING.0.into())
    );
    assert_eq!(school.get("/api/v1/me", &cookie).await.problem(), (401, "signed-out".into()));
    let link = school.link(reviewer).await;
    let (_, secret) = link.split_once('#').unwrap();
    let body = format!(r#"{{"link":"{secret}"}}"#);
    assert_eq!(school.post("/api/v1/sign-in", "", &body).await.problem(), (401, "link-refused".into()));
    let free = ask(&school, Method::DELETE, &lock, &security).await.json();
    assert_eq!(free["locked_at_ms"], serde_json::Value::Null);
    assert_eq!(school.post("/api/v1/sign-in", "", &body).await.status, 200);
    // Nobody locks themselves out, and who keeps no accounts locks nobody.
    let me = school.get("/api/v1/me", &security).await.json()["person_id"].as_str().unwrap().to_owned();
    let own = ask(&school, Method::PUT, &format!("/api/v1/people/{me}/lock"), &security).await;
    assert_eq!(own.problem(), (403, "not-allowed".into()));
    let system = school.at_the_top(Role::SystemAdministrator).await;
    assert_eq!(ask(&school, Method::PUT, &lock, &system).await.problem(), (404, "not-found".into()));
    assert!(school.acts(10).await.contains(&"lock_person".to_owned()));
}

#[tokio::test]
async fn sessions_are_listed_by_person_and_everybody_knows_of_their_own_second_factor() {
    let school = School::open().await;
    let security = school.at_the_top(Role::SecurityAdministrator).await;
    let reviewer = school.person_at_the_top(Role::Reviewer).await;
    for _ in 0..2 {
        school.sign_in(&school.link(reviewer).await).await;
    }
    school.teacher().await;
    let all = school.get("/api/v1/sessions", &security).await.json();
    assert!(all["items"].as_array().unwrap().len() >= 4, "{all}");
    let one = school.get(&format!("/api/v1/sessions?person_id={reviewer}"), &security).await.json();
    let theirs = one["items"].as_array().unwrap();
    assert!(theirs.len() == 2 && theirs.iter().all(|kept| kept["person_id"] == reviewer.to_string()), "{one}");
    assert_eq!(school.get("/api/v1/me", &security).await.json()["has_second_factor"], false);
}

#[tokio::test]
async fn nobody_with_power_signs_in_in_the_clear_from_another_machine() {
    let school = School::open().await;
    for (role, may) in [
        (Role::SystemAdministrator, false),
        (Role::SecurityAdministrator, false),
        (Role::AuditAdministrator, false),
        (Role::SchoolAdministrator, false),
        (Role::Patrol, false),
        (Role::LeadTeacher, true),
    ] {
        let link = school.link(school.person_at_the_top(role).await).await;
        let answer = sign_in_in_the_clear(&school, &link).await;
        if may {
            assert_eq!(answer.status, 200, "{role:?}");
        } else {
            assert_eq!(answer.problem(), (403, "plain-http".into()), "{role:?}");
            assert_eq!(answer.header("set-cookie"), "", "{role:?}");
        }
    }
}

#[tokio::test]
async fn the_audit_names_people_and_things_by_name_too() {
    let school = School::open().await;
    let security = school.at_the_top(Role::SecurityAdministrator).await;
    let reviewer = school.person_at_the_top(Role::Reviewer).await;
    ask(&school, Method::PUT, &format!("/api/v1/people/{reviewer}/lock"), &security).await;
    let auditor = school.at_the_top(Role::AuditAdministrator).await;
    let found = school.get("/api/v1/audit?act=lock_person", &auditor).await.json();
    let line = &found["items"][0];
    assert_eq!((&line["actor_name"], &line["object_name"]), (&"管理员".into(), &"管理员".into()), "{found}");
    assert_eq!(
        (&line["object"], &line["beside_name"]),
        (&format!("person:{reviewer}").into(), &serde_json::Value::Null)
    );
    let csv = school.get("/api/v1/exports/audit?act=lock_person", &auditor).await.text;
    assert!(csv.contains("actor_name") && csv.lines().nth(1).unwrap().contains("管理员"), "{csv}");
    let two = school.get("/api/v1/exports/audit?limit=2", &auditor).await.text;
    assert_eq!(two.lines().count(), 3, "{two}");
    let none = school.get("/api/v1/exports/audit?limit=0", &auditor).await;
    assert_eq!(none.problem(), (400, "bad-request".into()));
}

#[tokio::test]
async fn a_list_of_an_organisation_holds_what_stands_below_it_and_nothing_beside() {
    let school = School::open().await;
    let system = school.at_the_top(Role::SystemAdministrator).await;
    let [above, point, beside] = school.school_with_a_point().await;
    let person_id = PersonId::fresh();
    let person = Person { person_id, organisation_id: point, name: "点上老师".into(), sign_in_name: None };
    let seed = Seed { people: vec![(person, Some(Role::Assistant))], ..Seed::default() };
    school.app.store.seed(&system_scope::sample(), &seed, school.clock.wall()).await.unwrap();
    for (place, there) in [(point, true), (above, true), (beside, false)] {
        let found = school.get(&format!("/api/v1/people?limit=200&organisation_id={place}"), &system).await.text;
        assert_eq!(found.contains("点上老师"), there, "{found}");
    }
    let top = school.get(&format!("/api/v1/organisations/{above}"), &system).await.json()["parent_id"].clone();
    let top = top.as_str().unwrap();
    let children = school.get(&format!("/api/v1/organisations/{top}/children?limit=200"), &system).await.json();
    let children = children["items"].as_array().unwrap();
    assert!(children.len() >= 2 && children.iter().all(|kept| kept["parent_id"] == top), "{children:?}");
}
