//! The document in the repository is the one that the routes describe, and no route goes without a description.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::Path,
};

use crate::fixtures::school::School;
use axum::http::{Method, StatusCode};
use school::base::id::LessonId;
use serde_json::Value;
use signaling::{cli::document, router};

#[test]
fn the_document_in_the_repository_is_the_one_that_the_routes_describe() {
    let described = document::document().to_pretty_json().unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let note = "run: cargo build --bin tongke && target/debug/tongke openapi > docs/openapi.json";
    assert!(kept == described, "docs/openapi.json is another one; {note}");
    assert!(described.contains("\"openapi\": \"3.1.0\""));
}

/// The paths below `/api/v1` that the router serves. It has no list of them, but it prints them.
fn served(router: &axum::Router) -> BTreeSet<String> {
    let printed = format!("{router:?}");
    let paths = printed.split('"').filter_map(|text| text.strip_prefix("/api/v1")).map(str::to_owned);
    paths.collect()
}

#[tokio::test]
async fn every_route_that_is_served_is_described_for_exactly_its_methods() {
    let school = School::open().await;
    let document: Value = serde_json::to_value(document::document()).unwrap();
    let described = document["paths"].as_object().unwrap();
    let served = served(&school.router);
    assert!(served.len() >= 50 && served.contains("/lessons/{lesson_id}/socket"), "{served:?}");
    for (path, reason) in router::UNDESCRIBED {
        assert!(served.contains(path) && !described.contains_key(path), "{path}: {reason}");
    }
    let left_out: Vec<&str> = router::UNDESCRIBED.iter().map(|(path, _)| *path).collect();
    for path in &served {
        if left_out.contains(&path.as_str()) {
            continue;
        }
        let item = described.get(path).unwrap_or_else(|| panic!("{path} is served and not described"));
        let named = |part| if str::starts_with(part, '{') { "x" } else { part };
        let uri = path.split('/').map(named).collect::<Vec<_>>().join("/");
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = school.method(method.clone(), &format!("/api/v1{uri}")).await;
            let is_described = item.get(method.as_str().to_lowercase()).is_some();
            let told = format!("{method} {path}: {} {}", answer.status, answer.text);
            assert_eq!(answer.status != StatusCode::METHOD_NOT_ALLOWED, is_described, "{told}");
        }
    }
    for path in described.keys() {
        assert!(served.contains(path), "{path} is described and not served");
    }
}

#[test]
fn every_schema_that_is_named_is_there_and_every_operation_has_a_name_of_its_own() {
    let document: Value = serde_json::to_value(document::document()).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    for named in text.split("\"#/components/schemas/").skip(1) {
        let name = named.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is named and not described");
    }
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no name"));
            assert!(names.insert(name.to_owned()), "{name} twice: {method} {path}");
        }
    }
}

#[test]
fn words_are_described_as_they_are_written_on_the_wire() {
    let document: Value = serde_json::to_value(document::document()).unwrap();
    let words = |name: &str| document["components"]["schemas"][name]["enum"].clone();
    let stages = ["kindergarten", "primary", "junior", "senior", "vocational", "special"];
    assert_eq!(words("Stage"), serde_json::json!(stages));
    assert_eq!(words("SessionStage"), serde_json::json!(["full", "set_up"]));
    assert_eq!(words("GridBy"), serde_json::json!(["class", "teacher", "classroom", "organisation"]));
    // No word of ours begins with a capital letter: one that does is the name that our own code gives it.
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for word in schema["enum"].as_array().into_iter().flatten() {
            assert!(word.as_str().is_none_or(|word| word.starts_with(|c: char| !c.is_uppercase())), "{name}: {word}");
        }
    }
}

#[test]
fn what_is_answered_is_complete_and_what_is_asked_may_leave_out_what_may_be_null() {
    let document: Value = serde_json::to_value(document::document()).unwrap();
    let required = |schema: &str, field: &str| {
        let fields = document["components"]["schemas"][schema]["required"].as_array().unwrap();
        fields.iter().any(|named| named == field)
    };
    assert!(required("CourseView", "course_id") && required("CourseView", "class_id"));
    assert!(document["components"]["schemas"]["CourseView"].get("additionalProperties").is_none());
    assert!(required("LessonView", "recording") && required("Listed_LessonView", "next"));
    assert!(required("NewCourse", "title") && !required("NewCourse", "class_id"));
    assert!(required("Problem", "type") && !required("Problem", "clashes"));
}

#[test]
fn a_type_of_problem_is_described_once_and_a_reason_has_the_same_parameters_wherever_it_is_given() {
    let document: Value = serde_json::to_value(document::document()).unwrap();
    let (mut kinds, mut reasons) = (BTreeSet::new(), BTreeMap::new());
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for variant in schema["oneOf"].as_array().into_iter().flatten() {
            let parts = variant["allOf"].as_array().cloned().unwrap_or_else(|| vec![variant.clone()]);
            let fields = parts.iter().filter_map(|part| part["properties"].as_object()).flatten();
            let fields: BTreeMap<&str, &Value> = fields.map(|(field, schema)| (field.as_str(), schema)).collect();
            let word = |field: &str| fields.get(field).and_then(|schema| schema["enum"][0].as_str()).map(str::to_owned);
            if name.ends_with("Problem") {
                let kind = word("type").unwrap_or_else(|| panic!("{name}: {variant}"));
                assert!(kinds.insert(kind.clone()), "{kind} twice: {name}");
            }
            if let Some(reason) = word("reason") {
                let params: BTreeSet<String> = fields.keys().map(|&field| field.to_owned()).collect();
                let known: &BTreeSet<String> = reasons.entry(reason.clone()).or_insert_with(|| params.clone());
                assert_eq!(known, &params, "{reason}: {name}");
            }
        }
    }
    assert!(kinds.contains("not-found") && kinds.contains("wrong-lesson-state") && kinds.contains("double-booked"));
    assert_eq!(reasons["reason-needed"], BTreeSet::from(["max", "reason"].map(str::to_owned)));
}

#[tokio::test]
async fn lessons_are_read_a_page_at_a_time() {
    let school = School::open().await;
    let teacher = school.teacher().await;
    let page = school.get("/api/v1/lessons?limit=1", &teacher).await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    for bad in ["limit=0", "limit=201", "after=x", "next=x"] {
        assert_eq!(school.get(&format!("/api/v1/lessons?{bad}"), &teacher).await.problem().0, 400, "{bad}");
    }
    let mut seen = BTreeSet::new();
    let mut next = page["next"].clone();
    seen.insert(page["items"][0]["lesson_id"].to_string());
    while let Some(after) = next.as_str() {
        let page = school.get(&format!("/api/v1/lessons?limit=1&after={after}"), &teacher).await.json();
        assert!(seen.insert(page["items"][0]["lesson_id"].to_string()));
        next = page["next"].clone();
    }
    assert!(seen.contains(&format!("\"{}\"", LessonId::to_string(&school.lesson_id()))));
}
