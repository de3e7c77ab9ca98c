//! The library: what is found and by whom, what is said of a recording, and how far it may be seen.

use crate::fixtures::stores::{fresh_postgres_url, on_both};
use crate::fixtures::taught::{Lesson, Taught};
use axum::http::StatusCode;
use school::{
    account::system_scope,
    base::id::RecordingId,
    organisation::Role,
    retention::{DAY, StorageState},
    timetable::{pairing::StandingAct, program::Mode},
};
use serde_json::json;
use signaling::store::{AuditRow, Database};

fn of(recording_id: RecordingId, rest: &str) -> String {
    format!("/api/v1/recordings/{recording_id}{rest}")
}

on_both! {
    async fn a_recording_is_found_by_each_of_its_facets_and_by_all_of_them(database) {
        let county = Taught::open(database).await;
        let (_, family) = county.lesson(Lesson { title: "Unit 3: My Family", ..Lesson::default() }).await;
        let (_, song) = county
            .lesson(Lesson { title: "茉莉花", subject: "音乐", teacher: 1, minutes: 60, ..Lesson::default() })
            .await;
        let (_, maths) = county
            .lesson(Lesson { title: "分数的意义", subject: "数学", grade: "四年级", school: 1, minutes: 24 * 60,
                heard: false, ..Lesson::default() })
            .await;
        let reviewer = county.somebody(Role::Reviewer, county.county.bureau().organisation_id).await;
        let admin = county.somebody(Role::SchoolAdministrator, county.county.schools()[1].organisation_id).await;
        let edit = json!({"points": ["分数", "单位“1”"], "summary": "Ｆｒａｃｔｉｏｎｓ，初步认识", "licence": "cc_by_nc"});
        let edited = county.ask("PATCH", &of(maths, ""), &admin, Some(1), &edit.to_string()).await;
        assert_eq!((edited.status, edited.json()["version"].as_i64()), (StatusCode::OK, Some(2)), "{}", edited.text);
        let stale = county.ask("PATCH", &of(maths, ""), &admin, Some(1), "{}").await;
        assert_eq!(stale.problem(), (412, "other-version".into()));

        let found = async |query: &str| {
            let list = county.get(&format!("/api/v1/recordings?{query}"), &reviewer).await.items("recording_id");
            let counted = county.get(&format!("/api/v1/recording-counts?{query}"), &reviewer).await.json();
            assert_eq!(counted["total"].as_i64(), Some(list.len() as i64), "{query}");
            list
        };
        let ids = |ids: &[RecordingId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (term, year) = (county.county.terms[0].term_id, county.county.terms[0].school_year_id);
        let (town, teacher) = (county.town().organisation_id, county.town().teachers[0].0);
        let (everything, bureau) = (ids(&[maths, song, family]), county.county.bureau().organisation_id);
        let table = [
            (String::new(), everything.clone()),
            (format!("school_year_id={year}&term_id={term}"), everything.clone()),
            (format!("organisation_id={bureau}"), everything),
            (format!("term_id={}", county.county.terms[1].term_id), vec![]),
            ("grade=四年级".into(), ids(&[maths])),
            ("subject=音乐".into(), ids(&[song])),
            (format!("organisation_id={town}"), ids(&[song, family])),
            (format!("teacher_id={teacher}"), ids(&[family])),
            ("point=分数".into(), ids(&[maths])),
            (format!("grade=四年级&subject=数学&point=分数&term_id={term}"), ids(&[maths])),
            ("grade=三年级&point=分数".into(), vec![]),
            ("from=2026-09-22".into(), ids(&[maths])),
            ("until=2026-09-21".into(), ids(&[song, family])),
            // Words, wherever they stand and however they are typed.
            ("text=分数 意义".into(), ids(&[maths])),
            ("text=my　FAMILY".into(), ids(&[family])),
            ("text=fractions".into(), ids(&[maths])),
            ("text=单位“1”".into(), ids(&[maths])),
            ("text=音乐教师".into(), ids(&[song])),
            ("text=100%25".into(), vec![]),
            ("text=_".into(), vec![]),
        ];
        for (query, expected) in table {
            let query = query.replace(' ', "%20").replace('　', "%E3%80%80");
            assert_eq!(found(&query).await, expected, "{query}");
        }
        // A page at a time.
        let first = county.get("/api/v1/recordings?limit=2", &reviewer).await;
        let next = first.json()["next"].as_str().unwrap().to_owned();
        let rest = county.get(&format!("/api/v1/recordings?limit=2&after={next}"), &reviewer).await;
        assert_eq!((first.items("title"), rest.items("title")), (
            vec!["分数的意义".to_owned(), "茉莉花".into()], vec!["Unit 3: My Family".to_owned()]));
        assert!(rest.json()["next"].is_null());
        let counts = county.get("/api/v1/recording-counts", &reviewer).await.json();
        let facet = |kind: &str| -> Vec<(String, i64)> {
            let facets = counts["facets"].as_array().unwrap().iter().filter(|one| one["facet"] == kind);
            facets.map(|one| (one["name"].as_str().unwrap().to_owned(), one["count"].as_i64().unwrap())).collect()
        };
        assert_eq!(facet("grade"), [("三年级".to_owned(), 2), ("四年级".into(), 1)]);
        assert_eq!(facet("subject").len(), 3);
        assert_eq!(facet("school").iter().map(|(_, count)| count).sum::<i64>(), 3);
        assert_eq!(facet("point"), [("分数".to_owned(), 1), ("单位“1”".into(), 1)]);
        assert_eq!((facet("term").len(), facet("school_year").len(), facet("teacher").len()), (1, 1, 3));
        let card = county.get(&of(maths, "/card"), &reviewer).await.json();
        assert_eq!((card["length_ms"].as_i64(), &card["state"], &card["licence"]),
            (Some(40 * 60_000), &json!("sealed"), &json!("cc_by_nc")));
        for bad in ["limit=0", "after=x", "text=%00", "grade=%00", "what=1", "from=2026-13-01"] {
            let answer = county.get(&format!("/api/v1/recordings?{bad}"), &reviewer).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
        }
    }

    async fn who_may_replay_sees_and_what_was_heard_stays(database) {
        let county = Taught::open(database).await;
        let (lesson_id, heard) = county.lesson(Lesson::default()).await;
        let (_, unheard) = county.lesson(Lesson { minutes: 60, heard: false, ..Lesson::default() }).await;
        // A right that was cancelled before the lesson went live hears nothing of it.
        let pairings = county.app.store.pairings(&system_scope::sample(), county.county.terms[0].term_id).await.unwrap();
        let class = county.point().classes[0].class_id;
        let pairing = pairings.iter().find(|kept| kept.value.class_ids.contains(&class)
            && kept.value.teaching_id == county.town().organisation_id).unwrap();
        let cancel = async |minutes: i64| {
            county.clock.turn(std::time::Duration::from_secs(u64::try_from(minutes * 60).unwrap()));
            let row = AuditRow::by_system(county.clock.wall(), "change_pairing", "pairing".into());
            county.app.store
                .change_pairing(&system_scope::sample(), pairing.value.pairing_id, StandingAct::Cancel, row)
                .await
                .unwrap();
        };
        cancel(50).await;
        let (_, too_late) = county.lesson(Lesson { minutes: 120, teacher: 1, subject: "英语", ..Lesson::default() }).await;

        let (town, point, other) =
            (county.town().organisation_id, county.point().organisation_id, county.county.points()[7].organisation_id);
        let bureau = county.county.bureau().organisation_id;
        let (all, own) = (vec![too_late, unheard, heard], vec![unheard, heard]);
        let nothing = Vec::new;
        //              cookie                                                     knows of      may look into
        let table = [
            ("teacher", county.teacher(0, 0).await, own.clone(), own),
            ("colleague", county.teacher(0, 1).await, vec![too_late], vec![too_late]),
            ("other teacher", county.teacher(1, 0).await, nothing(), nothing()),
            ("classroom", county.classroom(0).await, vec![heard], vec![heard]),
            ("other classroom", county.classroom(7).await, nothing(), nothing()),
            ("county's reviewer", county.somebody(Role::Reviewer, bureau).await, all.clone(), all.clone()),
            ("school's patrol", county.somebody(Role::Patrol, town).await, all.clone(), all.clone()),
            ("point's patrol", county.somebody(Role::Patrol, point).await, vec![heard], vec![heard]),
            ("other point's patrol", county.somebody(Role::Patrol, other).await, nothing(), nothing()),
            // They know of it, as of the lesson itself, and look into nothing.
            ("school's administrator", county.somebody(Role::SchoolAdministrator, town).await, all.clone(), nothing()),
            ("point's scheduler", county.somebody(Role::Scheduler, point).await, vec![heard], nothing()),
            ("assistant", county.somebody(Role::Assistant, point).await, nothing(), nothing()),
        ];
        for (who, cookie, knows, looks) in table {
            let list = county.get("/api/v1/recordings", &cookie).await;
            if who == "assistant" {
                assert_eq!(list.status, StatusCode::FORBIDDEN, "{who}");
                continue;
            }
            let items = list.json()["items"].as_array().unwrap().clone();
            let ids = |items: Vec<&serde_json::Value>| -> Vec<String> {
                items.iter().map(|item| item["recording_id"].as_str().unwrap().to_owned()).collect()
            };
            let text = |ids: &[RecordingId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
            assert_eq!(ids(items.iter().collect()), text(&knows), "{who} knows of");
            let offered = items.iter().filter(|item| item["may"]["replay"] == true).collect();
            assert_eq!(ids(offered), text(&looks), "{who} is offered");
            for recording_id in &all {
                // What is listed is what the door lets in, and its card is shown to nobody else.
                let allowed = county.get(&of(*recording_id, ""), &cookie).await.status == StatusCode::OK;
                assert_eq!(allowed, looks.contains(recording_id), "{who} {recording_id}");
                let card = county.get(&of(*recording_id, "/card"), &cookie).await.status == StatusCode::OK;
                assert_eq!(card, knows.contains(recording_id), "{who} {recording_id}");
            }
        }
        let by_lesson = format!("/api/v1/recordings?lesson_id={lesson_id}");
        assert_eq!(county.get(&by_lesson, &county.classroom(0).await).await.items("recording_id"), [heard.to_string()]);
    }

    async fn beyond_its_school_a_recording_is_seen_with_its_teachers_consent_alone(database) {
        let county = Taught::open(database).await;
        let (_, recording) = county.lesson(Lesson::default()).await;
        let (town, bureau) = (county.town().organisation_id, county.county.bureau().organisation_id);
        let teacher = county.teacher(0, 0).await;
        let admin = county.somebody(Role::SchoolAdministrator, town).await;
        let other_school = county.teacher(1, 0).await;
        let rights = async |cookie: &str, version: i64, act: serde_json::Value| {
            county.ask("POST", &of(recording, "/rights"), cookie, Some(version), &act.to_string()).await
        };
        let publish = json!({"act": "publish", "to": bureau});
        assert_eq!(rights(&admin, 1, publish.clone()).await.problem(), (409, "rights".into()));
        assert_eq!(rights(&admin, 1, json!({"act": "consent"})).await.problem(), (409, "rights".into()));
        assert_eq!(rights(&other_school, 1, json!({"act": "consent"})).await.status, StatusCode::NOT_FOUND);
        let consented = rights(&teacher, 1, json!({"act": "consent"})).await;
        assert_eq!((consented.status, &consented.json()["standing"]), (StatusCode::OK, &json!("consented")));
        assert_eq!(county.get(&of(recording, ""), &other_school).await.status, StatusCode::NOT_FOUND);
        assert_eq!(rights(&teacher, 2, publish.clone()).await.problem(), (409, "rights".into()));
        let elsewhere = json!({"act": "publish", "to": county.county.schools()[1].organisation_id});
        assert_eq!(rights(&admin, 2, elsewhere).await.problem(), (422, "invalid".into()));
        let published = rights(&admin, 2, publish).await;
        assert_eq!(published.json()["published_to"]["organisation_id"], bureau.to_string(), "{}", published.text);

        // Every teacher of the county sees it, and nothing of who listened.
        assert_eq!(county.get("/api/v1/recordings", &other_school).await.items("recording_id"), [recording.to_string()]);
        let shown = county.get(&of(recording, ""), &other_school).await;
        assert_eq!((shown.status, &shown.json()["lesson"]["classrooms"]), (StatusCode::OK, &json!([])));
        let card = county.get(&of(recording, "/card"), &other_school).await.json();
        assert_eq!((&card["may"]["replay"], &card["may"]["edit"]), (&json!(true), &json!(false)));
        assert_eq!(county.classroom(7).await.len(), county.classroom(0).await.len());
        assert_eq!(county.get(&of(recording, ""), &county.classroom(7).await).await.status, StatusCode::NOT_FOUND);

        // The teacher takes the consent back: it is published no longer, at once.
        let withdrawn = rights(&teacher, 3, json!({"act": "withdraw_consent"})).await;
        assert_eq!(withdrawn.json()["standing"], "kept", "{}", withdrawn.text);
        assert_eq!(county.get(&of(recording, ""), &other_school).await.status, StatusCode::NOT_FOUND);
        let acts: Vec<String> = county.acts(200).await.into_iter().map(|(act, _, _)| act).collect();
        for act in ["consent_to_publishing", "publish_recording", "withdraw_consent", "look_into_recording"] {
            assert!(acts.iter().any(|line| line == act), "{act}: {acts:?}");
        }
    }

    async fn what_is_taken_down_is_gone_for_everybody_until_the_same_side_puts_it_back(database) {
        let county = Taught::open(database).await;
        let (_, recording) = county.lesson(Lesson::default()).await;
        county.speak(recording, 10_000);
        let teacher = county.teacher(0, 0).await;
        let admin = county.somebody(Role::SchoolAdministrator, county.town().organisation_id).await;
        let reviewer = county.somebody(Role::Reviewer, county.county.bureau().organisation_id).await;
        let classroom = county.classroom(0).await;
        let statuses = async || {
            let mut told = Vec::new();
            for path in ["", "/chapters", "/media/voice.m3u8", "/media/voice-000001.m4s", "/clips", "/card"] {
                for cookie in [&teacher, &reviewer, &classroom] {
                    told.push(county.get(&of(recording, path), cookie).await.status.as_u16());
                }
            }
            told
        };
        assert_eq!(statuses().await, [200; 18]);
        for bad in ["", " ", &"长".repeat(201)] {
            let body = json!({"act": "take_down", "reason": bad}).to_string();
            let answer = county.ask("POST", &of(recording, "/rights"), &admin, Some(1), &body).await;
            assert_eq!(answer.problem(), (422, "invalid".into()), "{bad}");
        }
        let down = json!({"act": "take_down", "reason": "画面里有学生姓名"}).to_string();
        let answer = county.ask("POST", &of(recording, "/rights"), &admin, Some(1), &down).await;
        assert_eq!((answer.status, &answer.json()["standing"]), (StatusCode::OK, &json!("taken_down")));
        assert_eq!(statuses().await, [410, 404, 404, 410, 404, 404, 410, 404, 404, 410, 404, 404, 410, 404, 404, 200, 404, 404]);
        let told = county.get(&of(recording, ""), &teacher).await;
        assert!(told.problem() == (410, "taken-down".into()) && told.text.contains("画面里有学生姓名"), "{}", told.text);
        assert!(county.get("/api/v1/recordings", &reviewer).await.items("recording_id").is_empty());
        assert_eq!(county.get("/api/v1/recordings", &teacher).await.items("standing"), ["taken_down"]);
        let back = json!({"act": "put_back"}).to_string();
        let refused = county.ask("POST", &of(recording, "/rights"), &teacher, Some(2), &back).await;
        assert_eq!(refused.problem(), (409, "rights".into()));
        let answer = county.ask("POST", &of(recording, "/rights"), &admin, Some(2), &back).await;
        assert_eq!((answer.status, &answer.json()["standing"]), (StatusCode::OK, &json!("kept")));
        assert_eq!(statuses().await, [200; 18]);
    }

    async fn a_moment_is_marked_and_a_clip_is_two_points(database) {
        let county = Taught::open(database).await;
        let (_, recording) = county.lesson(Lesson::default()).await;
        county.speak(recording, 20_000);
        let (teacher, colleague) = (county.teacher(0, 0).await, county.teacher(0, 1).await);
        let reviewer = county.somebody(Role::Reviewer, county.county.bureau().organisation_id).await;
        let marks = of(recording, "/marks");
        let mark = county.post(&marks, &teacher, &json!({"at_ms": 5_000, "title": "新课导入"})).await;
        assert_eq!(mark.status, StatusCode::CREATED, "{}", mark.text);
        let mark_id = mark.json()["mark_id"].as_str().unwrap().to_owned();
        assert_eq!(county.post(&marks, &colleague, &json!({"at_ms": 1, "title": null})).await.status, 404);
        assert_eq!(county.post(&marks, &teacher, &json!({"at_ms": -1, "title": null})).await.problem().0, 422);
        let path = format!("{marks}/{mark_id}");
        let edited = county.ask("PATCH", &path, &teacher, Some(1), r#"{"at_ms":6000}"#).await;
        assert_eq!((edited.status, &edited.json()["title"]), (StatusCode::OK, &json!("新课导入")));
        let chapters = county.get(&of(recording, "/chapters"), &reviewer).await;
        assert_eq!(chapters.items("title"), ["新课导入"]);
        assert_eq!(chapters.items("at_ms"), ["6000"]);
        assert_eq!(county.ask("DELETE", &path, &teacher, Some(1), "").await.problem().0, 412);
        assert_eq!(county.ask("DELETE", &path, &teacher, Some(2), "").await.status, 204);
        assert_eq!(county.get(&of(recording, "/chapters"), &reviewer).await.items("title").len(), 0);

        let clips = of(recording, "/clips");
        let cut = |from: i64, to: i64| json!({"from_ms": from, "to_ms": to, "title": "导入"});
        for (from, to) in [(5_000, 5_500), (5_000, 4_000), (0, 20_001), (-1, 5_000)] {
            assert_eq!(county.post(&clips, &reviewer, &cut(from, to)).await.problem().0, 422, "{from} {to}");
        }
        let clip = county.post(&clips, &reviewer, &cut(3_000, 9_500)).await;
        assert_eq!(clip.status, StatusCode::CREATED, "{}", clip.text);
        let clip_id = clip.json()["clip_id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/clips/{clip_id}");
        assert_eq!(county.get(&path, &colleague).await.status, 404);
        assert_eq!(county.get(&clips, &teacher).await.items("title"), ["导入"]);
        let moved = county.ask("PATCH", &path, &reviewer, Some(1), r#"{"to_ms":8000}"#).await;
        assert_eq!((&moved.json()["from_ms"], &moved.json()["to_ms"]), (&json!(3_000), &json!(8_000)));
        // Its author changes it, and who keeps the recording; nobody else.
        let patrol = county.somebody(Role::Patrol, county.town().organisation_id).await;
        assert_eq!(county.ask("DELETE", &path, &patrol, Some(2), "").await.status, 404);
        assert_eq!(county.ask("DELETE", &path, &teacher, Some(2), "").await.status, 204);
        assert_eq!(county.get(&path, &reviewer).await.status, 404);
        assert!(county.acts(50).await.iter().any(|(act, _, said)| act == "cut_clip" && said.ends_with("3000-9500")));
    }

    async fn what_a_view_says_one_may_is_what_the_routes_then_do(database) {
        let county = Taught::open(database).await;
        let (_, kept) = county.lesson(Lesson::default()).await;
        let (_, published) = county.lesson(Lesson { minutes: 60, ..Lesson::default() }).await;
        let (_, taken_down) = county.lesson(Lesson { minutes: 120, ..Lesson::default() }).await;
        let (town, point) = (county.town().organisation_id, county.point().organisation_id);
        let bureau = county.county.bureau().organisation_id;
        let (teacher, admin) = (county.teacher(0, 0).await, county.somebody(Role::SchoolAdministrator, town).await);
        let reviewer = county.somebody(Role::Reviewer, bureau).await;
        let publish = json!({"act": "publish", "to": bureau}).to_string();
        let consent = json!({"act": "consent"}).to_string();
        for recording in [kept, published, taken_down] {
            county.speak(recording, 4_000);
            let clip = json!({"from_ms": 0, "to_ms": 2_000, "title": "导入"});
            assert_eq!(county.post(&of(recording, "/clips"), &teacher, &clip).await.status, StatusCode::CREATED);
        }
        assert_eq!(county.ask("POST", &of(published, "/rights"), &teacher, Some(1), &consent).await.status, StatusCode::OK);
        assert_eq!(county.ask("POST", &of(published, "/rights"), &admin, Some(2), &publish).await.status, StatusCode::OK);
        let down = json!({"act": "take_down", "reason": "画面里有学生姓名"}).to_string();
        assert_eq!(county.ask("POST", &of(taken_down, "/rights"), &admin, Some(1), &down).await.status, StatusCode::OK);
        let rubric = json!({"organisation_id": bureau, "name": "评价表", "criteria": [{"name": "总评", "weight": 100, "highest": 5}]});
        let rubric = county.post("/api/v1/rubrics", &reviewer, &rubric).await.json()["rubric_id"].clone();

        let askers = [
            ("teacher", teacher),
            ("colleague", county.teacher(0, 1).await),
            ("another school's teacher", county.teacher(1, 0).await),
            ("classroom", county.classroom(0).await),
            ("county's reviewer", reviewer),
            ("point's reviewer", county.somebody(Role::Reviewer, point).await),
            ("school's patrol", county.somebody(Role::Patrol, town).await),
            ("point's patrol", county.somebody(Role::Patrol, point).await),
            ("school's administrator", admin.clone()),
            ("scheduler", county.somebody(Role::Scheduler, town).await),
        ];
        // An act that no one may, or everyone, would not tell a right from none.
        let mut told = std::collections::BTreeSet::new();
        for (who, cookie) in &askers {
            for recording in [kept, published, taken_down] {
                let version = async || county.get(&of(recording, "/card"), &admin).await.json()["version"].as_i64();
                let by_version = async |method: &str, path: &str, body: &str| {
                    county.ask(method, &of(recording, path), cookie, version().await, body).await.status
                };
                let span = "/download?tracks=voice&from_ms=0&to_ms=2000";
                let clip = json!({"from_ms": 0, "to_ms": 2_000, "title": "又一段"});
                let score = json!({"rubric_id": rubric, "scores": [4], "words": ""}).to_string();
                let card = county.get(&of(recording, "/card"), cookie).await;
                let view = county.get(&of(recording, ""), cookie).await;
                let mut does = vec![
                    ("replay", view.status == StatusCode::OK),
                    ("export", county.get(&of(recording, span), cookie).await.status == StatusCode::OK),
                    ("cut", county.post(&of(recording, "/clips"), cookie, &clip).await.status == StatusCode::CREATED),
                    ("edit", by_version("PATCH", "", r#"{"summary":"好"}"#).await == StatusCode::OK),
                    ("see_reviews", county.get(&of(recording, "/comments"), cookie).await.status == StatusCode::OK),
                    ("comment", county.post(&of(recording, "/comments"), cookie, &json!({"at_ms": 0, "text": "好"}))
                        .await.status == StatusCode::CREATED),
                    ("review", county.ask("PUT", &of(recording, "/reviews"), cookie, None, &score).await.status
                        == StatusCode::OK),
                ];
                if recording == published {
                    // Of what nobody agreed to, or was taken down, these are refused for another reason.
                    does.push(("consent", by_version("POST", "/rights", &consent).await == StatusCode::OK));
                    does.push(("publish", by_version("POST", "/rights", &publish).await == StatusCode::OK));
                }
                let views = [&card, &view].into_iter().filter(|answer| answer.status == StatusCode::OK);
                for may in views.map(|answer| answer.json()["may"].clone()) {
                    for (act, done) in &does {
                        assert_eq!(may[act], json!(done), "{who} {recording} {act}: {may}");
                        told.insert((*act, *done));
                    }
                }
                // Who is shown neither can do nothing with it; what reviewers said of it outlives it.
                if card.status != StatusCode::OK && view.status != StatusCode::OK {
                    assert!(does.iter().all(|(act, done)| !done || *act == "see_reviews"), "{who} {recording} {does:?}");
                }

                let clips = county.get(&of(recording, "/clips"), cookie).await;
                let listed = if clips.status == StatusCode::OK { clips.json()["items"].clone() } else { json!([]) };
                for clip in listed.as_array().unwrap() {
                    assert_eq!(clip["may"]["export"], json!(does[1].1), "{who} {recording}");
                    let path = format!("/api/v1/clips/{}", clip["clip_id"].as_str().unwrap());
                    let edited = county.ask("PATCH", &path, cookie, clip["version"].as_i64(), r#"{"title":"改"}"#).await;
                    assert_eq!(clip["may"]["edit"], json!(edited.status == StatusCode::OK), "{who} {recording} {clip}");
                }
            }
        }
        assert_eq!(told.len(), 9 * 2, "{told:?}");
    }

    async fn what_is_published_or_chosen_for_a_lesson_to_come_stays_and_what_was_deleted_is_not_shown(database) {
        let county = Taught::open(database).await;
        let mut recordings = Vec::new();
        for minutes in [0, 50, 100] {
            let (_, recording) = county.lesson(Lesson { minutes, ..Lesson::default() }).await;
            county.speak(recording, 1_000);
            assert!(county.app.recordings.seal(recording));
            recordings.push(recording);
        }
        let [published, chosen, plain] = recordings[..] else { panic!("three were taught") };
        let town = county.town().organisation_id;
        let rights = async |version: i64, act: serde_json::Value| {
            let cookie = match act["act"].as_str() {
                Some("consent") => county.teacher(0, 0).await,
                _ => county.somebody(Role::SchoolAdministrator, town).await,
            };
            let answer = county.ask("POST", &of(published, "/rights"), &cookie, Some(version), &act.to_string()).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        };
        rights(1, json!({"act": "consent"})).await;
        rights(2, json!({"act": "publish", "to": county.county.bureau().organisation_id})).await;
        let to_come = county.to_come(0, 0, Mode::Recorded).await;
        let (scope, author) = (system_scope::sample(), county.town().teachers[0].0);
        let play = async |what: Option<RecordingId>| {
            let row = AuditRow::by_system(county.clock.wall(), "choose_source", format!("lesson:{to_come}"));
            let what = what.map(|id| (id, None, "英语".to_owned()));
            assert!(county.app.store.choose_source(&scope, to_come, what, author, &row).await.unwrap());
        };
        play(Some(chosen)).await;
        county.app.round().await.unwrap();
        let run_daily = async |days: u64| {
            for _ in 0..days {
                county.clock.turn(DAY);
                county.app.go_through_retention().await.unwrap();
            }
        };
        let states = async || {
            let mut states = Vec::new();
            for id in [published, chosen, plain] {
                states.push(county.app.store.retained_recording(&scope, id).await.unwrap().unwrap().state);
            }
            states
        };
        use StorageState::{Archived, Deleted, Pending};
        run_daily(32).await;
        assert_eq!(states().await, [Archived, Archived, Pending]);
        run_daily(8).await;
        assert_eq!(states().await, [Archived, Archived, Deleted]);
        let teacher = county.teacher(0, 0).await;
        let listed = county.get("/api/v1/recordings", &teacher).await.items("recording_id");
        assert_eq!(listed, [chosen.to_string(), published.to_string()]);
        assert_eq!(county.get(&of(plain, "/card"), &teacher).await.status, StatusCode::NOT_FOUND);
        assert_eq!(county.get(&of(plain, ""), &teacher).await.problem(), (410, "recording-deleted".into()));
        // What spared them is over: one of three is marked a day.
        rights(3, json!({"act": "take_down", "reason": "有姓名"})).await;
        play(None).await;
        run_daily(1).await;
        assert_eq!(states().await, [Pending, Archived, Deleted]);
        run_daily(1).await;
        assert_eq!(states().await, [Pending, Pending, Deleted]);
        let down = county.get(&of(published, ""), &county.teacher(0, 0).await).await;
        assert_eq!(down.problem(), (410, "taken-down".into()), "it is still there");
        run_daily(8).await;
        let gone = county.get(&of(published, ""), &county.teacher(0, 0).await).await;
        assert_eq!(gone.problem(), (410, "recording-deleted".into()), "nobody can put it back");
    }
}
