//! Tables in and out over HTTP: what was exported is imported again and changes nothing.

use crate::fixtures::school::{Answer, School};
use axum::{
    body::Body,
    http::{Request, header},
};
use school::organisation::Role;
use signaling::http::organisation::sheet::XLSX;

async fn send(school: &School, path: &str, cookie: &str, kind: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post(path).header(header::COOKIE, cookie).header(header::CONTENT_TYPE, kind);
    // A key that came with a create is no reason to hold a table back.
    let request = request.header("idempotency-key", "0199-once");
    school.send(request.body(body.into()).unwrap()).await
}

/// A file, as it was sent: no text.
async fn bytes(school: &School, path: &str, cookie: &str) -> Vec<u8> {
    let request = Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap();
    let answer = tower::ServiceExt::oneshot(school.router.clone(), request).await.unwrap();
    axum::body::to_bytes(answer.into_body(), 1 << 24).await.unwrap().to_vec()
}

const WHAT: [&str; 4] = ["organisations", "classrooms", "classes", "people"];

#[tokio::test]
async fn what_was_exported_is_imported_again_and_changes_nothing() {
    let school = School::open().await;
    let admin = school.at_the_top(Role::SystemAdministrator).await;
    for what in WHAT {
        let csv = school.get(&format!("/api/v1/exports/{what}"), &admin).await;
        assert_eq!(csv.status, 200, "{}", csv.text);
        assert!(csv.header("content-disposition").contains(&format!("{what}.csv")));
        let path = format!("/api/v1/imports/{what}?dry_run=false");
        let lines = csv.text.lines().count() - 1;
        let xlsx = format!("/api/v1/exports/{what}?format=xlsx");
        assert_eq!(school.get(&xlsx, &admin).await.header("content-type"), XLSX);
        let xlsx = bytes(&school, &xlsx, &admin).await;
        // As Excel on a Chinese Windows saves it again.
        let (gbk, ..) = encoding_rs::GBK.encode(csv.text.trim_start_matches('\u{feff}'));
        for (kind, file) in [("text/csv", csv.text.clone().into_bytes()), ("text/csv", gbk.into_owned()), (XLSX, xlsx)]
        {
            let report = send(&school, &path, &admin, kind, file).await.json();
            assert_eq!(report["rows"], lines, "{what} {report}");
            assert_eq!((&report["unchanged"], &report["kept"]), (&lines.into(), &true.into()), "{what} {report}");
        }
    }
    let acts = school.acts(24).await;
    let count = |act: &str| acts.iter().filter(|found| *found == act).count();
    assert_eq!((count("import"), count("export")), (12, 12), "{acts:?}");
}

#[tokio::test]
async fn an_export_goes_by_a_part_of_the_tree_and_what_looks_like_a_formula_comes_back_as_it_was() {
    let school = School::open().await;
    let admin = school.at_the_top(Role::SystemAdministrator).await;
    let [with_points, ..] = school.school_with_a_point().await;
    let of_one = school.get(&format!("/api/v1/exports/organisations?organisation_id={with_points}"), &admin).await;
    assert_eq!(of_one.text.lines().count(), 3, "{}", of_one.text);
    let nobodys = "01999999-9999-7999-8999-999999999999";
    let none = school.get(&format!("/api/v1/exports/people?organisation_id={nobodys}"), &admin).await;
    assert_eq!(none.text.lines().count(), 1, "{}", none.text);
    let odd = format!(
        "学校,名称\r\n{with_points},\"'=HYPERLINK(\"\"http://x\"\")\"\r\n{with_points},''-1\r\n{with_points},'＋1\r\n"
    );
    let report = send(&school, "/api/v1/imports/classrooms", &admin, "text/csv", odd).await.json();
    assert_eq!((&report["added"], &report["kept"]), (&3.into(), &true.into()), "{report}");
    let path = format!("/api/v1/classrooms?organisation_id={with_points}&limit=200");
    let rooms = school.get(&path, &admin).await.text;
    assert!(
        rooms.contains(r#""=HYPERLINK(\"http://x\")""#) && rooms.contains(r#""'-1""#) && rooms.contains(r#""＋1""#),
        "{rooms}"
    );
    let csv = school.get(&format!("/api/v1/exports/classrooms?organisation_id={with_points}"), &admin).await.text;
    assert!(
        !csv.contains(",=") && !csv.contains(",\"=") && !csv.contains(",＋") && csv.contains("'=HYPERLINK"),
        "{csv}"
    );
    let report = send(&school, "/api/v1/imports/classrooms", &admin, "text/csv", csv).await.json();
    assert_eq!(report["unchanged"], report["rows"], "{report}");
}

#[tokio::test]
async fn a_dry_run_keeps_nothing_and_a_bad_line_keeps_all_of_a_file_out() {
    let school = School::open().await;
    let admin = school.at_the_top(Role::SystemAdministrator).await;
    let people =
        "\u{feff}机构,姓名,登录名\r\n没有的学校,=1+1,\r\n汉滨区教育体育局,好老师,x\r\n汉滨区教育体育局,李老师,\r\n";
    let (dry, real) = ("/api/v1/imports/people?dry_run=true", "/api/v1/imports/people");
    let report = send(&school, dry, &admin, "text/csv; charset=utf-8", people).await.json();
    let told = |report: &serde_json::Value| -> Vec<String> {
        let faults = report["faults"].as_array().unwrap().iter();
        faults
            .map(|fault| {
                format!("{} {} {}", fault["row"], fault["column"].as_str().unwrap(), fault["reason"].as_str().unwrap())
            })
            .collect()
    };
    assert_eq!(told(&report), ["2 organisation no-such-place", "3 sign_in_name not-a-sign-in-name"]);
    assert_eq!((&report["faults"][1]["min"], &report["faults"][1]["max"]), (&3.into(), &32.into()), "{report}");
    assert_eq!((&report["rows"], &report["added"], &report["kept"]), (&3.into(), &1.into(), &false.into()));
    let refused = send(&school, real, &admin, "text/csv", people).await;
    assert_eq!(refused.problem(), (422, "bad-lines".into()));
    assert_eq!(told(&refused.json()).len(), 2, "{}", refused.text);
    let nobody = school.get("/api/v1/people?text=%E6%9D%8E%E8%80%81%E5%B8%88", &admin).await.json();
    assert_eq!(nobody["items"], serde_json::json!([]));
    assert_eq!(school.acts(2).await, ["import", "try_import"]);
}

#[tokio::test]
async fn a_file_of_another_kind_or_size_is_refused() {
    let school = School::open().await;
    let admin = school.at_the_top(Role::SystemAdministrator).await;
    let (dry, people) = ("/api/v1/imports/people?dry_run=true", "机构,姓名\r\n某校,某人\r\n");
    let json = send(&school, dry, &admin, "application/json", "{}").await;
    assert_eq!(json.problem(), (415, "unsupported-media-type".into()));
    let form = send(&school, dry, &admin, "text/plain", people).await;
    assert_eq!(form.problem(), (403, "cross-site".into()), "another site's form can send it");
    let large = send(&school, dry, &admin, "text/csv", vec![b'a'; 20 << 20]).await;
    assert_eq!(large.problem(), (413, "too-large".into()));
    let long = send(&school, dry, &admin, "text/csv", "a\n".repeat(1_000_000)).await;
    assert_eq!(long.problem(), (422, "invalid".into()));
    let broken = send(&school, dry, &admin, XLSX, "PK nothing").await;
    assert_eq!(broken.problem(), (400, "unreadable-file".into()));
    let teacher = school.teacher().await;
    assert_eq!(send(&school, dry, &teacher, "text/csv", people).await.status, 403);
}
