//! Accounts: guessed, replayed, raised, reused.

use std::time::Duration;

use school::organisation::Role;
use serde_json::json;

use crate::{
    abuse::bureau::{PASSWORD, cookie_of},
    fixtures::school::School,
};

#[tokio::test]
async fn an_administrator_without_the_code_or_with_a_used_one_is_not_let_in() {
    let school = School::open().await;
    let account = school.account("wang.wu", Role::SystemAdministrator).await;
    assert_eq!(school.by_password("wang.wu", PASSWORD, None).await.problem(), (401, "sign-in-refused".into()));
    let code = account.code(&school);
    let answer = school.by_password("WANG.WU", PASSWORD, Some(&code)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["stage"], "full");
    // 44: the same code once more.
    assert_eq!(school.by_password("wang.wu", PASSWORD, Some(&code)).await.status, 401);
    school.clock.turn(Duration::from_secs(30));
    assert_eq!(school.by_password("wang.wu", PASSWORD, Some(&account.code(&school))).await.status, 200);
}

#[tokio::test]
async fn a_known_and_an_unknown_name_get_the_same_answer_and_the_same_lock() {
    let school = School::open().await;
    school.account("li.si", Role::LeadTeacher).await;
    let mut answers = Vec::new();
    for name in ["li.si", "nobody.here"] {
        for _ in 0..5 {
            let answer = school.by_password(name, "Wrong-Word-77", None).await;
            answers.push((answer.status, answer.text));
        }
        // The account is locked, also for whoever knows the password.
        let answer = school.by_password(name, PASSWORD, None).await;
        answers.push((answer.status, answer.text));
        school.clock.turn(Duration::from_secs(60)); // The address's own minute.
    }
    assert_eq!(answers[..6], answers[6..]);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    school.clock.turn(Duration::from_secs(15 * 60));
    assert_eq!(school.by_password("li.si", PASSWORD, None).await.status, 200);
}

#[tokio::test]
async fn a_password_of_a_megabyte_or_with_a_nul_costs_nothing_and_opens_nothing() {
    let school = School::open().await;
    school.account("li.si", Role::LeadTeacher).await;
    let megabyte = school.by_password("li.si", &"x".repeat(1_000_000), None).await;
    assert_eq!(megabyte.problem(), (413, "too-large".into()));
    let long = school.by_password("li.si", &"x".repeat(50_000), None).await;
    assert_eq!(long.problem(), (401, "sign-in-refused".into()));
    for strange in ["Shan-Lu-2026x\0", "Ｓhan-Lu-2026x", "\0", ""] {
        assert_eq!(school.by_password("li.si", strange, None).await.status, 401, "{strange:?}");
        assert_eq!(school.by_password(strange, PASSWORD, None).await.status, 401, "{strange:?}");
        school.clock.turn(Duration::from_secs(60));
    }
}

#[tokio::test]
async fn weak_and_old_passwords_are_refused_and_a_new_one_signs_out_everywhere_else() {
    let school = School::open().await;
    school.account("li.si", Role::LeadTeacher).await;
    let here = cookie_of(&school.by_password("li.si", PASSWORD, None).await);
    let there = cookie_of(&school.by_password("li.si", PASSWORD, None).await);
    let set = async |current: &str, new: &str| {
        school.clock.turn(Duration::from_millis(1));
        school.put("/api/v1/me/password", &here, &json!({"current": current, "new": new})).await
    };
    for weak in ["short", "alllowercase", "Li.Si-2026-xx", "Password-2026"] {
        assert_eq!(set(PASSWORD, weak).await.problem(), (422, "invalid".into()), "{weak}");
    }
    assert_eq!(set("Wrong-Word-77", "Other-Word-78").await.problem(), (401, "sign-in-refused".into()));
    assert_eq!(set(PASSWORD, PASSWORD).await.problem(), (422, "invalid".into()), "used before");
    assert_eq!(set(PASSWORD, "Other-Word-78").await.status, 200);
    // 51: the other session is dead, this one lives.
    assert_eq!(school.get("/api/v1/me", &there).await.status, 401);
    assert_eq!(school.get("/api/v1/me", &here).await.status, 200);
    assert_eq!(school.by_password("li.si", PASSWORD, None).await.status, 401);
}

#[tokio::test]
async fn an_expired_password_lets_its_owner_do_nothing_but_change_it() {
    let school = School::open().await;
    school.account("li.si", Role::LeadTeacher).await;
    school.clock.turn(Duration::from_secs(90 * 24 * 3600));
    let answer = school.by_password("li.si", PASSWORD, None).await;
    assert_eq!(answer.json()["stage"], "set_up");
    let cookie = cookie_of(&answer);
    assert_eq!(school.get("/api/v1/lessons", &cookie).await.problem(), (403, "set-up-needed".into()));
    let changed = school.put("/api/v1/me/password", &cookie, &json!({"new": "Other-Word-78"})).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["complete"]), (200, &true.into()));
    assert_eq!(school.get("/api/v1/me", &cookie).await.status, 401, "and signs in anew");
    assert_eq!(school.by_password("li.si", "Other-Word-78", None).await.json()["stage"], "full");
}

#[tokio::test]
async fn nobody_raises_their_own_role_or_reaches_for_a_higher_account() {
    let school = School::open().await;
    let (me, county) = school.somebody("校管", Role::SchoolAdministrator).await;
    let holder = school::organisation::Holder::Person(me.parse().unwrap());
    let link = signaling::sample::sign_in_link(&school.app.store, "http://school", holder, school.clock.wall());
    let cookie = school.sign_in(&link.await.unwrap()).await;
    let (patrol, _) = school.somebody("巡课", Role::Patrol).await;
    for (who, role) in [(&me, "patrol"), (&me, "assistant"), (&patrol, "system_administrator"), (&patrol, "reviewer")] {
        let body = json!({"role": role, "organisation_id": county}).to_string();
        let answer = school.post(&format!("/api/v1/people/{who}/roles"), &cookie, &body).await;
        assert_eq!(answer.problem(), (403, "not-allowed".into()), "{role}");
    }
    // Nor by a link to the account of somebody who is more.
    let answer = school.post(&format!("/api/v1/people/{patrol}/set-up-links"), &cookie, "{}").await;
    assert_eq!(answer.problem(), (403, "not-allowed".into()));
    // The security administrator makes nobody two of three, and not themselves more.
    let security = school.as_a(Role::SecurityAdministrator).await;
    let (audit, _) = school.somebody("审计", Role::AuditAdministrator).await;
    let body = json!({"role": "system_administrator", "organisation_id": county}).to_string();
    let answer = school.post(&format!("/api/v1/people/{audit}/roles"), &security, &body).await;
    assert_eq!(answer.problem(), (409, "separated-powers".into()));
    let myself = school.get("/api/v1/me", &security).await.json()["person_id"].as_str().unwrap().to_owned();
    let answer = school.post(&format!("/api/v1/people/{myself}/roles"), &security, &body).await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn an_unattended_desk_is_signed_out_after_a_quarter_of_an_hour() {
    let school = School::open().await;
    let (administrator, teacher) = (school.as_a(Role::SystemAdministrator).await, school.teacher().await);
    school.clock.turn(Duration::from_secs(15 * 60));
    assert_eq!(school.get("/api/v1/me", &administrator).await.problem(), (401, "signed-out".into()));
    assert_eq!(school.get("/api/v1/me", &teacher).await.status, 200);
    school.clock.turn(Duration::from_secs(30 * 60));
    assert_eq!(school.get("/api/v1/me", &teacher).await.problem(), (401, "signed-out".into()));
}

#[tokio::test]
async fn a_lost_phone_and_a_forgotten_password_have_their_way_back() {
    let school = School::open().await;
    let account = school.account("zhao.liu", Role::Patrol).await;
    let security = school.as_a(Role::SecurityAdministrator).await;
    let path = format!("/api/v1/people/{}/second-factor", account.person_id);
    assert_eq!(school.method_with("DELETE", &path, &security, "", "{}").await.status, 204);
    let link = school.set_up_link(&account, &security).await;
    let newcomer = school.sign_in(&link).await;
    let set = school.put("/api/v1/me/password", &newcomer, &json!({"new": "Other-Word-78"})).await;
    assert_eq!(set.json()["complete"], false, "the phone is bound anew");
    let again = school.post("/api/v1/me/second-factor", &newcomer, "{}").await;
    assert!(again.json()["otpauth_url"].as_str().unwrap().starts_with("otpauth://totp/Tongke:zhao.liu?secret="));
}

#[tokio::test]
async fn nobody_pulls_a_foreign_school_below_themselves_or_pushes_their_own_away() {
    let school = School::open().await;
    let system = school.as_a(Role::SystemAdministrator).await;
    let (_, county) = school.somebody("旁人", Role::Operator).await;
    school.other_teacher().await; // With a school that stands under no county of ours.
    let all =
        signaling::store::db::list::ListQuery { limit: 50, text: Some("恒口中学".into()), ..Default::default() };
    let far = school.app.store.organisations(&school::account::system_scope::sample(), &all).await.unwrap();
    let far = far[0].organisation_id.to_string();
    let own = school.get("/api/v1/organisations?text=%E6%99%AF%E5%AE%B6", &system).await.json();
    let own = own["items"][0]["organisation_id"].as_str().unwrap().to_owned();
    for (what, below) in [(&far, &county), (&own, &far)] {
        let body = json!({"parent_id": below}).to_string();
        let path = format!("/api/v1/organisations/{what}");
        let answer = school.method_with("PATCH", &path, &system, "\"v1\"", &body).await;
        assert_eq!(answer.problem(), (404, "not-found".into()), "{what} below {below}");
    }
}

#[tokio::test]
async fn a_cookie_that_somebody_planted_becomes_nobodys_session() {
    let school = School::open().await;
    school.account("li.si", Role::LeadTeacher).await;
    let planted = "tongke=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let body = json!({"sign_in_name": "li.si", "password": PASSWORD}).to_string();
    let answer = school.post("/api/v1/sign-in", planted, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_ne!(cookie_of(&answer), planted, "signing in gives a new one");
    assert_eq!(school.get("/api/v1/me", planted).await.status, 401);
    // Signing in again, as somebody who was signed in already, gives another new one.
    let again = cookie_of(&school.post("/api/v1/sign-in", &cookie_of(&answer), &body).await);
    assert_ne!(again, cookie_of(&answer));
}
