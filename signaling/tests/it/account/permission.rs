//! Every route of the OpenAPI document × every role × own, sibling, parent and foreign place: nothing leaks.

mod place;

use std::collections::BTreeSet;

use axum::http::StatusCode;
use place::{County, Place};
use school::{
    base::id::{LessonId, OrganisationId},
    organisation::Role,
};
use serde_json::Value;
use signaling::cli::document;

/// The path with this place's ids, or with ids that nothing has. What a place has none of gets such an id too.
fn at(method: &str, path: &str, place: Option<&Place>) -> String {
    let id = |name: &str| place.and_then(|place| place.ids.get(name)).cloned();
    let named = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some(name) => id(name).unwrap_or_else(|| LessonId::fresh().to_string()),
        None => part.to_owned(),
    };
    let filled = path.split('/').map(named).collect::<Vec<_>>().join("/");
    let organisation_id = place.map_or_else(OrganisationId::fresh, |place| place.organisation);
    let term = id("term_id").unwrap_or_else(|| LessonId::fresh().to_string());
    let query = match path {
        "/holidays" if method == "GET" => "?from=2026-10-01&until=2026-10-07".to_owned(),
        "/holidays" => format!("?organisation_id={organisation_id}&date=2026-10-01"),
        "/courses" | "/pairings" | "/listening-rights" => format!("?term_id={term}"),
        "/week-grid" => format!("?term={term}&week=3&by=organisation&id={organisation_id}"),
        path if path.starts_with("/week-grid/") => format!("?term={term}&week=3&organisation_id={organisation_id}"),
        _ => String::new(),
    };
    filled + &query
}

/// What was answered, without how the hub's disk stands, which changes while we ask.
fn at_rest(text: &str) -> String {
    let Some((before, rest)) = text.split_once("\"disk\":{") else { return text.to_owned() };
    format!("{before}{}", rest.split_once('}').map_or("", |(_, rest)| rest))
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
        ("POST", "/devices") => {
            format!(r#"{{"code":"AAAA-AAAA","classroom_id":"{}","name":"电脑"}}"#, place.id("classroom_id"))
        }
        ("PUT", "/organisations/{organisation_id}/stage-consent") => r#"{"record_on_stage":false}"#.to_owned(),
        ("POST", "/imports/organisations") => format!("名称,类型,上级\n新教学点,教学点,{organisation_id}\n"),
        ("POST", "/imports/classrooms") => format!("学校,名称\n{organisation_id},新教室\n"),
        ("POST", "/imports/classes") => format!("学校,学段,年级,名称\n{organisation_id},小学,二年级,新班\n"),
        ("POST", "/imports/people") => format!("机构,姓名\n{organisation_id},新老师\n"),
        ("POST", "/people/{person_id}/roles") => {
            format!(r#"{{"role":"assistant","organisation_id":"{organisation_id}"}}"#)
        }
        (method, path) => timetable_body(method, path, place),
    }
}

/// Everything that is named is the place's own. (A bureau has no class: it gets an id that nothing has.)
fn timetable_body(method: &str, path: &str, place: &Place) -> String {
    use serde_json::json;
    let organisation_id = place.organisation;
    let id = |name: &str| place.ids.get(name).cloned().unwrap_or_else(|| LessonId::fresh().to_string());
    let days = |first: &str, last: &str| json!({ "name": "新的", "first_day": first, "last_day": last });
    let lesson = json!({ "term_id": id("term_id"), "organisation_id": organisation_id, "title": "新课", "subject": "英语",
        "stage": "primary", "grade": "三年级", "teacher_id": id("person_id"), "classroom_id": null, "class_id": null,
        "program": "delivery_class", "mode": "live", "delivery": "dedicated", "listening": [] });
    let with = |mut body: Value, more: Value| {
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let body = match (method, path) {
        ("POST", "/school-years") => {
            with(days("2026-09-01", "2027-08-31"), json!({ "organisation_id": organisation_id }))
        }
        ("POST", "/terms") => with(days("2026-09-01", "2027-01-20"), json!({ "school_year_id": id("school_year_id") })),
        ("POST", "/terms/{term_id}/lessons") => json!({ "organisation_id": organisation_id }),
        ("PUT", "/holidays") => json!({ "organisation_id": organisation_id, "date": "2026-10-01", "name": "国庆节",
            "taught_as": null }),
        ("POST", "/bell-schedules") => json!({ "organisation_id": organisation_id, "stage": null, "name": "新作息",
            "from_day": "01-01", "until_day": "12-31",
            "periods": [{ "period": "lesson-1", "starts_min": 480, "ends_min": 520 }] }),
        ("PUT", "/rules/{organisation_id}") => json!(school::timetable::rules::RuleSet::default()),
        ("POST", "/courses") => {
            with(lesson, json!({ "weekly": [{ "weekday": 1, "period": "lesson-1", "weeks": "every" }] }))
        }
        ("POST", "/pairings") => json!({ "term_id": id("term_id"), "topology": "centre_with_points",
            "teaching_id": organisation_id, "class_ids": [id("class_id")], "subjects": null }),
        ("POST", "/listening-rights") => json!({ "term_id": id("term_id"), "teaching_id": organisation_id,
            "class_id": id("class_id"), "subjects": null }),
        ("POST", path) if path.ends_with("/standing") => json!({ "act": "freeze" }),
        ("POST", "/lessons/{lesson_id}/head-counts") => json!({ "pupils": 24 }),
        ("POST", "/recordings/{recording_id}/rights") => json!({ "act": "unpublish" }),
        ("POST", "/recordings/{recording_id}/marks") => json!({ "at_ms": 1_000, "title": "新的" }),
        ("PUT", "/lessons/{lesson_id}/source") => json!({ "kind": "recording", "recording_id": id("recording_id") }),
        ("PUT", "/lessons/{lesson_id}/source/playing") => json!({ "playing": false }),
        ("POST", "/recordings/{recording_id}/shares") => json!({ "hours": 1 }),
        ("POST", "/recordings/{recording_id}/comments") => json!({ "at_ms": 0, "text": "新的" }),
        ("PUT", "/recordings/{recording_id}/reviews") => json!({ "rubric_id": id("rubric_id"), "scores": [1] }),
        ("POST", "/rubrics") => json!({ "organisation_id": organisation_id, "name": "新量表",
            "criteria": [{ "name": "总评", "weight": 100, "highest": 5 }] }),
        ("PUT", "/rubrics/{rubric_id}") => json!({ "name": "新量表",
            "criteria": [{ "name": "总评", "weight": 100, "highest": 5 }] }),
        ("POST", "/recordings/{recording_id}/clips") => json!({ "from_ms": 0, "to_ms": 2_000, "title": "新的" }),
        ("POST", "/lessons/{lesson_id}/waivers") => json!({ "item": "assistants", "reason": "今天没有" }),
        ("PUT", path) if path.ends_with("/hold") || path.ends_with("/deletion") => json!({ "reason": "取证" }),
        ("PUT", "/storage/policies/{organisation_id}") => {
            json!(school::retention::RetentionPolicy::default())
        }
        ("PUT", "/storage/quotas/{organisation_id}") => json!({ "gigabytes": 100, "days": null }),
        ("POST", "/storage/confirmations") => json!({ "reason": "已核对" }),
        ("POST", "/dispatch/lessons") => with(lesson, json!({ "date": "2026-09-22", "period": "lesson-1" })),
        ("POST", "/dispatch/acts") => json!({ "act": { "kind": "move_day", "organisation_id": organisation_id,
            "from": "2026-09-28", "to": "2026-09-29" } }),
        _ => json!({}),
    };
    body.to_string()
}

/// An id that nothing has.
const FOREIGN: &str = "01999999-9999-7999-8999-999999999999";

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

/// What a place has from those above it: see `the_days_of_a_bureau_are_seen_below_it_and_changed_by_nobody_there`.
const HANDED_DOWN: [&str; 6] = ["/school-years", "/terms", "/bell-schedules", "/holidays", "/rules", "/rubrics"];

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
            let (uri, body) = (full(&at(method, path, None)), body_for(method, path, &county.own));
            let nowhere = county.ask(method, &uri, &cookie, &body).await;
            if names_a_thing {
                assert_eq!(nowhere.status, StatusCode::NOT_FOUND, "{role:?} {method} {path}: {}", nowhere.text);
            }
            for place in [&county.sibling, &county.parent, &county.foreign] {
                let uri = full(&at(method, path, Some(place)));
                let answer = county.ask(method, &uri, &cookie, &body_for(method, path, place)).await;
                asked += 1;
                let told = format!("{role:?} {method} {path} {}: {} {}", place.mark, answer.status, answer.text);
                if method == "GET"
                    && place.mark == county.parent.mark
                    && HANDED_DOWN.iter().any(|what| path.starts_with(what))
                {
                    continue; // A bureau's days and bells hold for its schools, which may look at them.
                }
                // What a query names is found by nobody who may not know of it, either. (The audit grows as we ask.)
                let names_one = names_a_thing || method == "GET" && operation["x-act"] != "see_audit";
                if names_one {
                    let (here, there) = (at_rest(&answer.text), at_rest(&nowhere.text));
                    assert_eq!((answer.status, here), (nowhere.status, there), "{told}");
                } else if path.starts_with("/imports/") && answer.status == 422 {
                    // A table is read, and told line by line: a foreign place is as good as none.
                    let unknown = body_for(method, path, place).replace(&place.organisation.to_string(), FOREIGN);
                    let unknown = county.ask(method, &uri, &cookie, &unknown).await.text;
                    assert_eq!(answer.text.replace(&place.organisation.to_string(), FOREIGN), unknown, "{told}");
                } else if method != "GET" {
                    // A calendar that is seen from below is checked together with what is asked, before it is refused.
                    let beside_the_bureaus = place.mark == county.parent.mark && answer.status == 422;
                    assert!(matches!(answer.status.as_u16(), 403 | 404) || beside_the_bureaus, "{told}");
                }
                assert!(!answer.text.contains(place.mark), "{told}");
            }
        }
    }
    println!("{asked} requests, {} operations, {} roles", operations.len(), Role::ALL.len());
}

#[tokio::test]
async fn the_days_of_a_bureau_are_seen_below_it_and_changed_by_nobody_there() {
    let county = County::open().await;
    let scheduler = county.somebody(Role::Scheduler).await;
    for path in ["/school-years/{school_year_id}", "/terms/{term_id}", "/bell-schedules/{bell_schedule_id}"] {
        let path = format!("/api/v1{path}");
        let seen = county.ask("GET", &at("GET", &path, Some(&county.parent)), &scheduler, "").await;
        assert_eq!(seen.status, StatusCode::OK, "{path}: {}", seen.text);
        for place in [&county.parent, &county.sibling, &county.foreign] {
            for method in ["PATCH", "DELETE"] {
                let answer = county.ask(method, &at(method, &path, Some(place)), &scheduler, "{}").await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path} {}: {}", place.mark, answer.text);
            }
        }
        for place in [&county.sibling, &county.foreign] {
            let answer = county.ask("GET", &at("GET", &path, Some(place)), &scheduler, "").await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path} {}: {}", place.mark, answer.text);
        }
    }
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
            "see_timetable" => matches!(
                role,
                R::LeadTeacher | R::Assistant | R::SchoolAdministrator | R::Scheduler | R::Patrol | R::Reviewer
            ),
            "edit_timetable" => matches!(role, R::SchoolAdministrator | R::Scheduler),
            "dispatch" => role == R::Scheduler,
            "see_lessons" => matches!(role, R::SchoolAdministrator | R::Scheduler | R::Patrol | R::Reviewer),
            "replay" => matches!(role, R::Patrol | R::Reviewer),
            "export_recording" => role == R::Patrol,
            "see_reports" => matches!(role, R::SchoolAdministrator | R::Scheduler | R::Patrol | R::Reviewer),
            "see_library" => matches!(role, R::SchoolAdministrator | R::Scheduler | R::Patrol | R::Reviewer),
            "edit_library" => role == R::SchoolAdministrator,
            "see_reviews" => matches!(role, R::SchoolAdministrator | R::Reviewer),
            "comment" | "review" | "edit_rubrics" => role == R::Reviewer,
            "see_storage" => matches!(role, R::SystemAdministrator | R::SchoolAdministrator | R::Operator),
            "edit_storage" => role == R::SystemAdministrator,
            // The lessons of the place have their own teacher and their own classroom.
            "teach" | "attend" => false,
            "watch" => role == R::Patrol,
            other => panic!("{other} is not in this table"),
        }
    };
    let mut seen = BTreeSet::new();
    for role in Role::ALL {
        for (method, path, operation) in &operations() {
            let Some(act) = operation["x-act"].as_str() else { continue };
            if method == "DELETE" || path.starts_with("/imports") {
                continue; // It would be gone for the next role.
            }
            seen.insert(act.to_owned());
            let cookie = county.somebody(*role).await;
            let uri = format!("/api/v1{}", at(method, path, Some(&county.own)));
            let answer = county.ask(method, &uri, &cookie, &body_for(method, path, &county.own)).await;
            let told = format!("{role:?} {method} {path}: {} {}", answer.status, answer.text);
            assert!(!answer.status.is_server_error(), "{told}");
            // A device that nobody enrolled is not found either; a version that has moved on shows that one may.
            let wrong_code = path == "/devices" && method == "POST";
            let allowed = !matches!(answer.status.as_u16(), 401 | 403 | 404);
            // One disk is everybody's: who answers for all of it stands at the top, and nobody here does.
            let of_the_hub = path == "/storage/confirmations";
            // A teacher lists lessons: those of their own, of which this one has none.
            const OWN: [&str; 7] = [
                "/lessons",
                "/today",
                "/reports/lessons",
                "/exports/lesson-reports",
                "/recordings",
                "/recording-counts",
                "/rubrics",
            ];
            let own_lessons = method == "GET" && OWN.contains(&path.as_str()) && *role == Role::LeadTeacher;
            // What somebody said is theirs to change, and nobody else's.
            let anothers = path.ends_with("/comments/{comment_id}");
            assert_eq!(
                allowed || (wrong_code && answer.status == 404),
                may(act, *role) && !anothers && !of_the_hub || own_lessons || wrong_code && answer.status == 404,
                "{told}"
            );
        }
    }
    assert!(seen.len() >= 17, "{seen:?}");
}

#[tokio::test]
async fn whoever_is_not_signed_in_gets_nothing_but_the_door() {
    let county = County::open().await;
    for (method, path, operation) in operations() {
        let uri = format!("/api/v1{}", at(&method, &path, Some(&county.own)));
        let answer = county.ask(&method, &uri, "", &body_for(&method, &path, &county.own)).await;
        let is_a_door = operation["security"] == serde_json::json!([{}]);
        if !is_a_door {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}: {}", answer.text);
        }
        assert!(!answer.text.contains("本校"), "{method} {path}");
    }
}
