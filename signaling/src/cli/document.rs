//! The OpenAPI document: generated from [`crate::router::described`], and completed here.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use utoipa::{
    OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, SecurityScheme},
};

use crate::{
    http::{
        account::problem::{AccountProblem, AccountReason},
        audit::problem::AuditReason,
        dispatch::problem::{DispatchProblem, DispatchReason},
        lesson::problem::{LessonProblem, LessonReason},
        library::problem::{LibraryProblem, LibraryReason},
        organisation::{
            import,
            problem::{OrganisationProblem, OrganisationReason},
        },
        report::problem::ReportReason,
        retention::problem::{RetentionProblem, RetentionReason},
        timetable::{
            problem::{TimetableProblem, TimetableReason},
            week_grid,
        },
        web::problem::{ProblemBody, common::CommonProblem},
    },
    router::described,
};
use school::{
    account::password::WeakPassword,
    base::name::{BadName, BadSignInName},
    library::{NotPlayable, RightsError, rubric::RubricError},
    organisation::{BadPlace, code::BadCode, sheet::fault::CellReason},
    retention::NoPolicy,
    timetable::{
        Unresolved, bell_schedule::BellScheduleError, calendar::CalendarError, course::CourseError, rules::TooMuch,
    },
};

/// The OpenAPI document of [`described`].
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(
        info(title = "同课 Tongke", description = "Schools, people, devices, the timetable, lessons and recordings. \
            Lists are read a page at a time; edits need the ETag they were made of; a create with an Idempotency-Key is \
            done once.",
            license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")),
        servers((url = "/api/v1")),
        components(schemas(
            // Schemas used in queries only are not collected by utoipa.
            week_grid::GridBy, import::Format,
            // Nor are the parameters of a problem: those of its type and, if a field is not acceptable, those of the
            // reason.
            ProblemBody, CommonProblem, AccountProblem, DispatchProblem, LessonProblem, LibraryProblem,
            OrganisationProblem, RetentionProblem, TimetableProblem,
            AccountReason, AuditReason, BadCode, BadName, BadPlace, BadSignInName, BellScheduleError, CalendarError,
            CellReason, CourseError, DispatchReason, LessonReason, LibraryReason, NoPolicy, NotPlayable,
            OrganisationReason, ReportReason, RetentionReason, RightsError, RubricError, TimetableReason, TooMuch,
            Unresolved, WeakPassword,
        )),
        security(("session" = []))
    )]
    struct Described;
    let (_, routes) = described().split_for_parts();
    let mut document = Described::openapi();
    document.merge(routes);
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("__Host-tongke")));
    document.components.get_or_insert_default().add_security_scheme("session", cookie);
    complete(&document).unwrap_or(document)
}

/// Adds what utoipa's per-struct macros cannot know. `None`: the result is no OpenAPI document; a test would show it.
fn complete(document: &utoipa::openapi::OpenApi) -> Option<utoipa::openapi::OpenApi> {
    let mut value = serde_json::to_value(document).ok()?;
    let asked = asked(&value);
    for item in value["paths"].as_object_mut()?.values_mut() {
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
            for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
                if parameter["name"] == "if-match" {
                    parameter["schema"] = serde_json::json!({ "type": "string", "pattern": "^\"v[0-9]{1,18}\"$" });
                    parameter["description"] = "The ETag that the edit is made of.".into();
                }
            }
        }
    }
    let schemas = value["components"]["schemas"].as_object_mut()?;
    let described = schemas.clone();
    for (name, schema) in schemas {
        let is_answered = !asked.contains(name);
        mend(schema, &described, is_answered);
        for variant in schema["oneOf"].as_array_mut().into_iter().flatten().filter(|_| !is_answered) {
            // Serde refuses unknown fields in each variant.
            if variant["type"] == "object" {
                variant["additionalProperties"] = false.into();
            }
        }
    }
    serde_json::from_value(value).ok()
}

/// The names of request schemas. In them, nullable fields are optional too.
fn asked(document: &Value) -> BTreeSet<String> {
    let mut waiting = Vec::new();
    for item in document["paths"].as_object().into_iter().flat_map(Map::values) {
        for operation in item.as_object().into_iter().flat_map(Map::values) {
            named_in(&operation["requestBody"], &mut waiting);
            named_in(&operation["parameters"], &mut waiting);
        }
    }
    let mut asked = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        named_in(&document["components"]["schemas"][&name], &mut waiting);
        asked.insert(name);
        waiting.retain(|name| !asked.contains(name));
    }
    asked
}

fn named_in(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix(SCHEMAS)) {
                names.push(name.to_owned());
            }
            fields.values().for_each(|value| named_in(value, names));
        }
        Value::Array(items) => items.iter().for_each(|value| named_in(value, names)),
        _ => {}
    }
}

fn mend(schema: &mut Value, described: &Map<String, Value>, is_answered: bool) {
    if let Some(whole) = flattened(schema, described) {
        *schema = whole;
    }
    match schema {
        Value::Object(fields) => {
            // An empty schema means the same as `true`; utoipa writes the first and reads only the second.
            let asks_for_nothing = |any: &Map<String, Value>| any.keys().all(|word| word == "description");
            if fields.get("additionalProperties").and_then(Value::as_object).is_some_and(asks_for_nothing) {
                fields.insert("additionalProperties".to_owned(), true.into());
            }
            fields.values_mut().for_each(|inner| mend(inner, described, is_answered));
            if is_answered {
                require_what_may_be_null(fields);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| mend(inner, described, is_answered)),
        _ => {}
    }
}

/// Merges a flattened struct into its outer one. By itself the inner one refuses unknown fields, and so would refuse
/// the outer one's. `None`: nothing is flattened.
fn flattened(schema: &Value, schemas: &Map<String, Value>) -> Option<Value> {
    let parts = schema["allOf"].as_array()?;
    let (mut properties, mut required) = (Map::new(), BTreeSet::new());
    for part in parts {
        let named = part["$ref"].as_str().and_then(|path| path.strip_prefix(SCHEMAS));
        let part = named.map_or(Some(part), |name| schemas.get(name))?;
        properties.extend(part["properties"].as_object()?.clone());
        required.extend(part["required"].as_array().into_iter().flatten().filter_map(Value::as_str));
    }
    let description = &schema["description"];
    Some(serde_json::json!({ "type": "object", "description": description, "required": required,
        "properties": properties }))
}

/// Serde writes an empty field as `null`, and never omits one.
fn require_what_may_be_null(object: &mut Map<String, Value>) {
    let Some(properties) = object.get("properties").and_then(Value::as_object) else { return };
    let is_null = |schema: &Value| schema["type"] == "null";
    let may_be_null = |schema: &Value| {
        schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "null"))
            || schema["oneOf"].as_array().is_some_and(|variants| variants.iter().any(is_null))
    };
    let names: Vec<Value> =
        properties.iter().filter(|(_, schema)| may_be_null(schema)).map(|(name, _)| name.clone().into()).collect();
    if names.is_empty() {
        return;
    }
    if let Some(required) = object.entry("required").or_insert_with(|| Value::Array(Vec::new())).as_array_mut() {
        let missing: Vec<Value> = names.into_iter().filter(|name| !required.contains(name)).collect();
        required.extend(missing);
    }
}

const SCHEMAS: &str = "#/components/schemas/";
