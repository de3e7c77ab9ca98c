//! Tables in and out over HTTP: what was exported is imported again and changes nothing.

mod school;

use axum::{
    body::Body,
    http::{Request, header},
};
use school::{Answer, School};
use signaling::{
    domain::{
        id::PersonId,
        organisation::{Holder, Person, Role},
    },
    http::sheet::XLSX,
    sample,
    store::{Seed, place::ListAsk},
    system_scope,
};

/// Somebody with this role at the top of the sample county.
async fn at_the_top(school: &School, role: Role) -> String {
    let (store, scope, now) = (&school.app.store, system_scope::sample(), school.clock.wall());
    let tree = store.organisations(&scope, &ListAsk { limit: 200, ..ListAsk::default() }).await.unwrap();
    let organisation_id = tree.iter().find(|kept| kept.parent_id.is_none()).unwrap().organisation_id;
    let person_id = PersonId::fresh();
    let person = Person { person_id, organisation_id, name: "管理员".into(), sign_in_name: None };
    let seed = Seed { people: vec![(person, Some(role))], ..Seed::default() };
    store.plant(&scope, &seed, now).await.unwrap();
    let link = sample::sign_in_link(store, "http://school", Holder::Person(person_id), now).await.unwrap();
    school.sign_in(&link).await
}

async fn send(school: &School, path: &str, cookie: &str, kind: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post(path).header(header::COOKIE, cookie).header(header::CONTENT_TYPE, kind);
    school.send(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn what_was_exported_is_imported_again_and_changes_nothing() {
    let school = School::open().await;
    let admin = at_the_top(&school, Role::SystemAdministrator).await;
    for what in ["organisations", "classrooms", "classes", "people"] {
        let csv = school.get(&format!("/api/v1/exports/{what}"), &admin).await;
        assert_eq!(csv.status, 200, "{}", csv.text);
        assert!(csv.header("content-disposition").contains(&format!("{what}.csv")));
        let path = format!("/api/v1/imports/{what}?dry_run=false");
        let report = send(&school, &path, &admin, "text/csv", csv.text.clone()).await.json();
        let lines = csv.text.lines().count() - 1;
        assert_eq!(report["rows"], lines, "{what} {report}");
        assert_eq!((&report["unchanged"], &report["kept"]), (&lines.into(), &true.into()), "{what} {report}");
        let xlsx = school.get(&format!("/api/v1/exports/{what}?format=xlsx"), &admin).await;
        assert_eq!((xlsx.status.as_u16(), xlsx.header("content-type")), (200, XLSX));
    }
    let acts = school.acts(12).await;
    let count = |act: &str| acts.iter().filter(|found| *found == act).count();
    assert_eq!((count("import"), count("export")), (4, 8), "{acts:?}");
}

#[tokio::test]
async fn a_dry_run_keeps_nothing_and_a_file_of_another_kind_or_size_is_refused() {
    let school = School::open().await;
    let admin = at_the_top(&school, Role::SystemAdministrator).await;
    let people = "\u{feff}机构,姓名,登录名\r\n没有的学校,=1+1,\r\n";
    let dry = "/api/v1/imports/people?dry_run=true";
    let report = send(&school, dry, &admin, "text/csv; charset=utf-8", people).await.json();
    assert_eq!(report["faults"][0]["row"], 2, "{report}");
    assert_eq!((&report["faults"][0]["column"], &report["kept"]), (&"机构".into(), &false.into()));
    let json = send(&school, dry, &admin, "application/json", "{}").await;
    assert_eq!(json.problem(), (415, "unsupported-media-type".into()));
    let form = send(&school, dry, &admin, "text/plain", people).await;
    assert_eq!(form.status, 415);
    let large = send(&school, dry, &admin, "text/csv", vec![b'a'; (4 << 20) + 1]).await;
    assert_eq!(large.problem(), (413, "too-large".into()));
    let broken = send(&school, dry, &admin, XLSX, "PK nothing").await;
    assert_eq!(broken.problem(), (400, "bad-request".into()));
    let teacher = school.teacher().await;
    assert_eq!(send(&school, dry, &teacher, "text/csv", people).await.status, 403);
}
