//! What reviewers say of a lesson, links that show it, and lessons that play it.

use std::time::Duration;

use crate::fixtures::stores::{fresh_postgres_url, on_both};
use crate::fixtures::taught::{Lesson, MORNING, Taught, cookie_of};
use axum::http::{StatusCode, header};
use school::{
    base::id::{LessonId, RecordingId},
    organisation::Role,
    timetable::program::Mode,
};
use serde_json::{Value, json};
use signaling::store::Database;

fn of(recording_id: RecordingId, rest: &str) -> String {
    format!("/api/v1/recordings/{recording_id}{rest}")
}

/// The segments that a playlist names.
fn segments(playlist: &str) -> Vec<String> {
    playlist.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// Its teacher agrees, and the school's administrator publishes it to the county.
async fn publish(county: &Taught, recording: RecordingId, licence: &str) -> (String, String) {
    let teacher = county.teacher(0, 0).await;
    let admin = county.somebody(Role::SchoolAdministrator, county.town().organisation_id).await;
    let rights = of(recording, "/rights");
    let consented = county.ask("POST", &rights, &teacher, Some(1), r#"{"act":"consent"}"#).await;
    assert_eq!(consented.status, StatusCode::OK, "{}", consented.text);
    let body = json!({"act": "publish", "to": county.county.bureau().organisation_id}).to_string();
    assert_eq!(county.ask("POST", &rights, &admin, Some(2), &body).await.status, StatusCode::OK);
    let body = json!({"licence": licence}).to_string();
    assert_eq!(county.ask("PATCH", &of(recording, ""), &admin, Some(3), &body).await.status, StatusCode::OK);
    (teacher, admin)
}

on_both! {
    async fn comments_stand_at_their_seconds_and_are_their_authors_own(database) {
        let county = Taught::open(database).await;
        let (_, recording) = county.lesson(Lesson::default()).await;
        county.speak(recording, 10_000);
        let comments = of(recording, "/comments");
        let (teacher, colleague) = (county.teacher(0, 0).await, county.teacher(0, 1).await);
        let reviewer = county.somebody(Role::Reviewer, county.county.bureau().organisation_id).await;
        let other = county.somebody(Role::Reviewer, county.county.schools()[1].organisation_id).await;
        let listens = county.somebody(Role::Reviewer, county.point().organisation_id).await;
        let admin = county.somebody(Role::SchoolAdministrator, county.town().organisation_id).await;
        let said = county.post(&comments, &reviewer, &json!({"at_ms": 6_500, "text": " 这里提问很好 "})).await;
        assert_eq!((said.status, &said.json()["text"]), (StatusCode::CREATED, &json!("这里提问很好")), "{}", said.text);
        let answer = county.post(&comments, &teacher, &json!({"at_ms": 2_000, "text": "谢谢"})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        for (who, cookie) in [("colleague", &colleague), ("other", &other), ("point", &listens)] {
            assert_eq!(county.get(&comments, cookie).await.status, 404, "{who}");
            let refused = county.post(&comments, cookie, &json!({"at_ms": 0, "text": "不是我的"})).await;
            assert_eq!(refused.status, 404, "{who}");
        }
        assert_eq!(county.post(&comments, &admin, &json!({"at_ms": 0, "text": "看看"})).await.status, 404);
        for (cookie, own) in [(&teacher, ["true", "false"]), (&reviewer, ["false", "true"]), (&admin, ["false", "false"])] {
            let list = county.get(&comments, cookie).await;
            assert_eq!(list.items("at_ms"), ["2000", "6500"], "in order of the lesson");
            assert_eq!(list.items("own"), own);
        }
        let path = format!("{comments}/{}", said.json()["comment_id"].as_str().unwrap());
        assert_eq!(county.ask("PATCH", &path, &teacher, Some(1), r#"{"text":"改写"}"#).await.status, 404, "not theirs");
        let edited = county.ask("PATCH", &path, &reviewer, Some(1), r#"{"text":"提问很好，等待再长些"}"#).await;
        assert_eq!((edited.status, edited.json()["edited_at_ms"].is_i64()), (StatusCode::OK, true), "{}", edited.text);
        assert_eq!(county.ask("DELETE", &path, &reviewer, Some(1), "").await.problem().0, 412);
        assert_eq!(county.ask("DELETE", &path, &reviewer, Some(2), "").await.status, 204);
        assert_eq!(county.get(&comments, &teacher).await.items("text"), ["谢谢"]);
        for bad in [json!({"at_ms": 0, "text": " "}), json!({"at_ms": 0, "text": "字".repeat(1_001)}),
            json!({"at_ms": 86_400_001, "text": "晚"})] {
            assert_eq!(county.post(&comments, &reviewer, &bad).await.problem().0, 422);
        }
    }

    async fn a_score_shows_its_parts_and_an_average_says_of_how_many(database) {
        let county = Taught::open(database).await;
        let (_, recording) = county.lesson(Lesson::default()).await;
        let (bureau, town) = (county.county.bureau().organisation_id, county.town().organisation_id);
        let (one, other) = (county.somebody(Role::Reviewer, bureau).await, county.somebody(Role::Reviewer, town).await);
        let criteria = json!([{"name": "教学目标", "weight": 30, "highest": 5}, {"name": "互动", "weight": 50, "highest": 10},
            {"name": "板书", "weight": 20, "highest": 5}]);
        let new = json!({"organisation_id": bureau, "name": "课堂教学评价表", "criteria": criteria});
        assert_eq!(county.post("/api/v1/rubrics", &other, &new).await.status, 404, "not theirs to keep");
        let rubric = county.post("/api/v1/rubrics", &one, &new).await;
        assert_eq!(rubric.status, StatusCode::CREATED, "{}", rubric.text);
        let rubric_id = rubric.json()["rubric_id"].as_str().unwrap().to_owned();
        // A bureau's rubric is everybody's below it.
        assert_eq!(county.get("/api/v1/rubrics", &other).await.items("name"), ["课堂教学评价表"]);
        let reviews = of(recording, "/reviews");
        let score = async |cookie: &str, scores: Value| {
            let body = json!({"rubric_id": rubric_id, "scores": scores, "words": "互动充分"}).to_string();
            county.ask("PUT", &reviews, cookie, None, &body).await
        };
        assert_eq!(score(&one, json!([4, 11, 5])).await.problem().0, 422);
        assert_eq!(score(&one, json!([4, 7])).await.problem().0, 422);
        assert_eq!(score(&county.teacher(0, 0).await, json!([5, 10, 5])).await.status, 404, "not one's own lesson");
        assert_eq!(score(&one, json!([5, 10, 5])).await.status, StatusCode::OK);
        assert_eq!(score(&one, json!([4, 7, 5])).await.json()["items"].as_array().unwrap().len(), 1, "changed, not added");
        let both = score(&other, json!([5, 8, 2])).await.json();
        let totals: Vec<_> = both["items"].as_array().unwrap().iter().map(|review| review["total"].as_f64()).collect();
        assert_eq!(totals, [Some(79.0), Some(78.0)]);
        assert_eq!(both["items"][0]["parts"][1], json!({"name": "互动", "weight": 50, "highest": 10, "score": 7}));
        assert_eq!(both["averages"][0]["average"], json!({"count": 2, "total": 78.5, "scores": [4.5, 7.5, 3.5]}));

        // Another revision: what was judged by the first stays judged by it.
        let path = format!("/api/v1/rubrics/{rubric_id}");
        let next = json!({"name": "课堂教学评价表（二）", "criteria": [{"name": "总评", "weight": 100, "highest": 10}]}).to_string();
        assert_eq!(county.ask("PUT", &path, &other, Some(1), &next).await.status, 404);
        assert_eq!(county.ask("PUT", &path, &one, Some(1), &next).await.json()["revision"], 2);
        assert_eq!(county.ask("PUT", &path, &one, Some(1), &next).await.problem().0, 412);
        let after = score(&other, json!([9])).await.json();
        let told: Vec<_> = after["averages"].as_array().unwrap().iter()
            .map(|one| (one["revision"].as_i64(), one["average"]["count"].as_i64(), one["average"]["total"].as_f64()))
            .collect();
        assert_eq!(told, [(Some(1), Some(1), Some(79.0)), (Some(2), Some(1), Some(90.0))]);
        let teacher = county.teacher(0, 0).await;
        assert_eq!(county.get(&reviews, &teacher).await.json()["items"].as_array().unwrap().len(), 2);
        assert_eq!(county.get(&reviews, &county.teacher(1, 0).await).await.status, 404);
    }

    async fn a_link_shows_its_clip_and_nothing_else_until_it_ends(database) {
        let county = Taught::open(database).await;
        let (_, recording) = county.lesson(Lesson::default()).await;
        county.speak(recording, 40_000);
        let shares = of(recording, "/shares");
        let early = county.teacher(0, 0).await;
        let ask = json!({"hours": 24});
        assert_eq!(county.post(&shares, &early, &ask).await.problem(), (409, "rights".into()), "nobody has agreed");
        let (teacher, admin) = publish(&county, recording, "all_rights_reserved").await;
        let clip = county.post(&of(recording, "/clips"), &teacher,
            &json!({"from_ms": 13_000, "to_ms": 17_500, "title": "新课导入"})).await.json();
        let other = county.teacher(1, 0).await;
        assert_eq!(county.post(&shares, &other, &ask).await.status, 404, "who may look may not share");
        for bad in [json!({"hours": 0}), json!({"hours": 721}), json!({"hours": 1, "views_max": 0}),
            json!({"hours": 1, "clip_id": RecordingId::fresh()})] {
            assert_eq!(county.post(&shares, &teacher, &bad).await.problem().0, 422, "{bad}");
        }
        let made = county.post(&shares, &teacher, &json!({"hours": 24, "clip_id": clip["clip_id"], "views_max": 2})).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let made = made.json();
        let link = made["link"].as_str().unwrap();
        let token = link.strip_prefix("/shared#").expect("the token stands behind the #");
        let open = async |cookie: &str, token: &str| county.post("/api/v1/shared", cookie, &json!({"token": token})).await;

        assert_eq!(county.get("/api/v1/shared", "").await.status, StatusCode::UNAUTHORIZED);
        let opened = open("", token).await;
        assert_eq!((opened.status, &opened.json()["title"]), (StatusCode::OK, &json!("新课导入")), "{}", opened.text);
        let set = opened.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict") && set.contains("Max-Age=43200"), "{set}");
        let cookie = cookie_of(&opened);
        let play = opened.json()["play"].clone();
        assert_eq!((&play["from_ms"], &play["to_ms"], &play["board"]), (&json!(13_000), &json!(17_500), &Value::Null));
        assert_eq!(play["main"], json!({"path": "/api/v1/shared/media/main.m3u8", "origin_ms": 12_000}));
        // 13 s to 17.5 s lie in the fourth and the fifth segment of four seconds.
        let voice = county.get("/api/v1/shared/media/voice.m3u8", &cookie).await;
        assert_eq!(segments(&voice.text), ["voice-000004.m4s", "voice-000005.m4s"], "{}", voice.text);
        assert!(voice.text.contains("#EXT-X-START:TIME-OFFSET=1,PRECISE=YES"), "{}", voice.text);
        let statuses = async |cookie: &str| {
            let mut told = Vec::new();
            for file in ["main.m3u8", "voice-init-1.mp4", "voice-000004.m4s", "voice-000005.m4s"] {
                told.push(county.get(&format!("/api/v1/shared/media/{file}"), cookie).await.status.as_u16());
            }
            told
        };
        assert_eq!(statuses(&cookie).await, [200; 4]);
        for other in ["voice-000003.m4s", "voice-000006.m4s", "camera.m3u8", "journal.log", "..%2f..%2ftoken.key"] {
            assert_eq!(county.get(&format!("/api/v1/shared/media/{other}"), &cookie).await.status, 404, "{other}");
        }
        // It opens no other door, and does not say who listened.
        for path in [of(recording, ""), of(recording, "/media/voice.m3u8"), "/api/v1/lessons".into(), "/api/v1/me".into()] {
            assert_eq!(county.get(&path, &cookie).await.status, StatusCode::UNAUTHORIZED, "{path}");
        }
        assert!(!opened.text.contains("复式班") && !opened.text.contains("lesson_id"), "{}", opened.text);
        // A page that is opened again by the same browser counts once; another browser counts.
        assert_eq!(open(&cookie, token).await.headers.get(header::SET_COOKIE), None);
        assert_eq!(open("", token).await.status, StatusCode::OK);
        assert_eq!(open("", token).await.problem(), (401, "link-refused".into()), "twice was allowed");
        assert_eq!(statuses(&cookie).await, [200; 4], "who looks goes on looking");
        for forged in ["", "x", "a.b", &token[..token.len() - 1], &token.to_uppercase()] {
            assert!(matches!(open("", forged).await.status.as_u16(), 401 | 422), "{forged}");
        }
        let list = county.get(&shares, &admin).await;
        assert_eq!((list.items("views"), list.items("link")), (vec!["2".to_owned()], vec!["null".to_owned()]));
        let share_id = made["share_id"].as_str().unwrap();
        let uses = county.acts(200).await.into_iter().filter(|(act, object, said)| act == "open_share"
            && *object == format!("share:{share_id}") && *said == format!("recording:{recording}"));
        // Twice opened, once refused.
        assert_eq!(uses.count(), 3);

        // Taken back, it is over at once.
        assert_eq!(county.ask("DELETE", &format!("{shares}/{share_id}"), &other, None, "").await.status, 404);
        assert_eq!(county.ask("DELETE", &format!("{shares}/{share_id}"), &admin, None, "").await.status, 204);
        assert_eq!(statuses(&cookie).await, [401; 4]);
        // So it is when its time is over, when it is taken down, and when its teacher does not agree any more.
        let again = county.post(&shares, &teacher, &json!({"hours": 1})).await.json();
        let token = again["link"].as_str().unwrap().trim_start_matches("/shared#").to_owned();
        let cookie = cookie_of(&open("", &token).await);
        assert_eq!(county.get("/api/v1/shared/media/voice-000010.m4s", &cookie).await.status, StatusCode::OK);
        let rights = async |cookie: &str, version: i64, body: Value| {
            county.ask("POST", &of(recording, "/rights"), cookie, Some(version), &body.to_string()).await.status.as_u16()
        };
        assert_eq!(rights(&admin, 4, json!({"act": "take_down", "reason": "核对授权"})).await, 200);
        assert_eq!(county.get("/api/v1/shared/media/voice-000010.m4s", &cookie).await.status, 401);
        assert_eq!(rights(&admin, 5, json!({"act": "put_back"})).await, 200);
        assert_eq!(county.get("/api/v1/shared", &cookie).await.status, StatusCode::OK);
        assert_eq!(rights(&teacher, 6, json!({"act": "withdraw_consent"})).await, 200);
        assert_eq!(county.get("/api/v1/shared", &cookie).await.status, 401);
        assert_eq!(rights(&teacher, 7, json!({"act": "consent"})).await, 200);
        assert_eq!(county.get("/api/v1/shared", &cookie).await.status, StatusCode::OK);
        county.clock.turn(Duration::from_secs(3_600));
        assert_eq!(county.get("/api/v1/shared", &cookie).await.status, 401);
        assert_eq!(open("", &token).await.status, 401);
    }

    async fn a_recorded_lesson_plays_what_may_be_played_there_and_stops_when_it_is_taken_down(database) {
        let county = Taught::open(database).await;
        let (_, recording) = county.lesson(Lesson::default()).await;
        county.speak(recording, 30_000);
        let bureau = county.county.bureau().organisation_id;
        let scheduler = county.somebody(Role::Scheduler, bureau).await;
        // Tomorrow the second centre school plays it to its own first point.
        let lesson = county.to_come(1, 5, Mode::Recorded).await;
        let source = format!("/api/v1/lessons/{lesson}/source");
        let choose = async |cookie: &str, what: Value| county.ask("PUT", &source, cookie, None, &what.to_string()).await;
        let whole = json!({"kind": "recording", "recording_id": recording});
        assert_eq!(county.get(&source, &scheduler).await.status, 404, "nothing is chosen");
        assert_eq!(choose(&scheduler, whole.clone()).await.problem(), (422, "invalid".into()), "not published there");
        let (teacher, admin) = publish(&county, recording, "all_rights_reserved").await;
        assert_eq!(choose(&scheduler, whole.clone()).await.problem(), (422, "invalid".into()), "not licensed");
        let licensed = county.ask("PATCH", &of(recording, ""), &admin, Some(4), r#"{"licence":"teaching_only"}"#).await;
        assert_eq!(licensed.status, StatusCode::OK, "{}", licensed.text);
        for cookie in [&teacher, &admin] {
            assert_eq!(choose(cookie, whole.clone()).await.status, 404, "not theirs to schedule");
        }
        let clip = county.post(&of(recording, "/clips"), &teacher,
            &json!({"from_ms": 5_000, "to_ms": 15_000, "title": "课文朗读"})).await.json();
        let chosen = choose(&scheduler, json!({"kind": "clip", "clip_id": clip["clip_id"]})).await;
        assert_eq!((chosen.status, &chosen.json()["title"]), (StatusCode::OK, &json!("课文朗读")), "{}", chosen.text);
        let ready = county.get(&format!("/api/v1/lessons/{lesson}/readiness"), &scheduler).await.json();
        let met = ready["items"].as_array().unwrap().iter().find(|one| one["item"] == "recording_chosen").unwrap().clone();
        assert_eq!(met["state"], "met");

        // Before it opens nothing is played; at the bell it goes live by itself, and the classroom plays.
        let (wall, other_wall) = (county.classroom(5).await, county.classroom(0).await);
        let now = async |cookie: &str| county.get(&source, cookie).await.json();
        assert!(now(&wall).await["play"].is_null());
        assert_eq!(county.get(&source, &other_wall).await.status, 404);
        county.ring_at(24 * 60 - 5).await;
        assert!(now(&wall).await["play"]["main"].is_object() && now(&wall).await["played_from_ms"].is_null());
        county.ring_at(24 * 60).await;
        let live = now(&wall).await;
        assert_eq!(live["played_from_ms"].as_i64(), Some(MORNING.0 + 24 * 3_600_000), "{live}");
        // A classroom that comes a minute late finds where it is.
        county.ring_at(24 * 60 + 1).await;
        let late = now(&wall).await;
        assert_eq!(late["now_ms"].as_i64().unwrap() - late["played_from_ms"].as_i64().unwrap(), 60_000);
        let files = async |cookie: &str| {
            let mut told = Vec::new();
            for file in ["main.m3u8", "voice.m3u8", "voice-000002.m4s", "voice-000004.m4s", "voice-000001.m4s"] {
                told.push(county.get(&format!("{source}/media/{file}"), cookie).await.status.as_u16());
            }
            told
        };
        // Whoever was signed in yesterday is so no longer.
        let scheduler = county.somebody(Role::Scheduler, bureau).await;
        let admin = county.somebody(Role::SchoolAdministrator, county.town().organisation_id).await;
        assert_eq!(files(&wall).await, [200, 200, 200, 200, 404]);
        assert_eq!(files(&other_wall).await, [404; 5]);
        assert_eq!(files(&scheduler).await, [404; 5], "who schedules does not look");
        assert_eq!(choose(&scheduler, whole).await.problem(), (409, "wrong-lesson-state".into()));
        let down = json!({"act": "take_down", "reason": "授权到期"}).to_string();
        assert_eq!(county.ask("POST", &of(recording, "/rights"), &admin, Some(5), &down).await.status, StatusCode::OK);
        assert_eq!(files(&wall).await, [404; 5]);
        assert_eq!((&now(&wall).await["gone"], &now(&wall).await["play"]), (&json!(true), &Value::Null));
        // What it played is not recorded a second time.
        assert_eq!(county.get("/api/v1/recordings", &admin).await.items("recording_id"), [recording.to_string()]);
        assert!(county.acts(200).await.iter().any(|(act, object, _)| act == "choose_source"
            && *object == format!("lesson:{}", LessonId::to_string(&lesson))));
    }

    async fn a_piece_is_played_in_every_classroom_while_its_teacher_says_so(database) {
        let county = Taught::open(database).await;
        let (_, recording) = county.lesson(Lesson::default()).await;
        county.speak(recording, 30_000);
        let scheduler = county.somebody(Role::Scheduler, county.town().organisation_id).await;
        let lesson = county.to_come(0, 0, Mode::Embedded).await;
        let source = format!("/api/v1/lessons/{lesson}/source");
        let body = json!({"kind": "recording", "recording_id": recording}).to_string();
        // At its own school it needs no consent.
        let chosen = county.ask("PUT", &source, &scheduler, None, &body).await;
        assert_eq!(chosen.status, StatusCode::OK, "{}", chosen.text);
        let wall = county.classroom(0).await;
        let play = async |cookie: &str, playing: bool| {
            let body = json!({"playing": playing}).to_string();
            county.ask("PUT", &format!("{source}/playing"), cookie, None, &body).await
        };
        let early = county.teacher(0, 0).await;
        assert_eq!(play(&early, true).await.problem(), (409, "wrong-lesson-state".into()));
        county.ring_at(24 * 60 - 5).await;
        county.ring_at(24 * 60).await;
        let (teacher, colleague) = (county.teacher(0, 0).await, county.teacher(0, 1).await);
        assert!(county.get(&source, &wall).await.json()["played_from_ms"].is_null());
        for cookie in [&colleague, &wall] {
            assert_eq!(play(cookie, true).await.status, 404);
        }
        county.ring_at(24 * 60 + 10).await;
        assert_eq!(play(&teacher, true).await.status, StatusCode::OK);
        let seen = county.get(&source, &wall).await.json();
        assert_eq!(seen["played_from_ms"].as_i64(), Some(MORNING.0 + (24 * 60 + 10) * 60_000), "{seen}");
        assert!(seen["play"]["main"].is_object());
        assert_eq!(play(&teacher, false).await.status, StatusCode::OK);
        assert!(county.get(&source, &wall).await.json()["played_from_ms"].is_null());
    }
}
