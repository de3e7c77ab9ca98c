//! The document in the repository is the one that the routes describe.

use std::{env, path::Path};

#[test]
fn the_document_in_the_repository_is_the_one_that_the_routes_describe() {
    let described = signaling::router::document().to_pretty_json().unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let note = "run: cargo run --bin tongke -- openapi > docs/openapi.json";
    assert!(kept == described, "docs/openapi.json is another one; {note}");
    assert!(described.contains("\"openapi\": \"3.1.0\""));
}
