//! A bureau keeps its timetable over HTTP: a term planned in one go, a lesson dragged, two that want the same.

use std::net::Ipv4Addr;

use crate::fixtures::stores::{fresh_postgres_url, on_both};
use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use school::{
    account::system_scope,
    base::{id::PersonId, time::UnixMs},
    fixtures::county::County,
    organisation::{Holder, Person, Role},
};
use serde_json::{Value, json};
use sfu::HubConfig;
use signaling::{
    app::App,
    clock::Clock,
    router, sample,
    store::{Database, Seed},
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tower::ServiceExt;

/// 2026-09-21 08:00 in China.
const MORNING: UnixMs = UnixMs(1_789_948_800_000);

struct Bureau {
    app: App,
    router: Router,
    county: County,
    /// The bureau's scheduler.
    scheduler: String,
    /// One who keeps the second town's timetable alone.
    neighbour: String,
    _folder: TempDir,
}

impl Bureau {
    async fn open(database: Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, county) = (Clock::standing_at(MORNING), County::fresh());
        let hub = HubConfig {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            announce: vec![Ipv4Addr::LOCALHOST.into()],
            tcp: true,
            workers: 1,
            max_seats: None,
        };
        let app = App::open(folder.path(), &database, hub, clock, None).await.unwrap();
        app.store.seed_county(&system_scope::sample(), &county, MORNING).await.unwrap();
        let router = router::router(app.clone());
        let (none, places) = (String::new(), [county.bureau(), &county.schools()[1]].map(|node| node.organisation_id));
        let mut bureau = Self { app, router, county, scheduler: none.clone(), neighbour: none, _folder: folder };
        let mut cookies = Vec::new();
        for organisation_id in places {
            let person_id = PersonId::fresh();
            let person = Person { person_id, organisation_id, name: "赵排课".into(), sign_in_name: None };
            let seed = Seed { people: vec![(person, Some(Role::Scheduler))], ..Seed::default() };
            bureau.app.store.seed(&system_scope::sample(), &seed, MORNING).await.unwrap();
            let holder = Holder::Person(person_id);
            let link = sample::sign_in_link(&bureau.app.store, "http://bureau", holder, MORNING).await.unwrap();
            let (_, secret) = link.split_once('#').unwrap();
            let body = json!({ "link": secret });
            let request = Request::post("/api/v1/sign-in").header(header::CONTENT_TYPE, "application/json");
            let request = request.body(Body::from(body.to_string())).unwrap();
            let answer = bureau.router.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
            cookies.push(cookie.split(';').next().unwrap().to_owned());
        }
        bureau.neighbour = cookies.pop().unwrap();
        bureau.scheduler = cookies.pop().unwrap();
        bureau
    }

    async fn ask(&self, method: Method, path: &str, cookie: &str, body: Value) -> (u16, Value) {
        ask(self.router.clone(), method, path, cookie, body).await
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(Method::GET, path, &self.scheduler, Value::Null).await;
        assert_eq!(status, 200, "{path} {body}");
        body
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(Method::POST, path, &self.scheduler, body).await
    }

    /// An act on a lesson as it was seen.
    async fn act(&self, version: &Value, body: Value) -> (u16, Value) {
        let version = version.as_i64().unwrap();
        self.edit(Method::POST, "/dispatch/acts", &self.scheduler, version, body).await
    }

    async fn edit(&self, method: Method, path: &str, cookie: &str, version: i64, body: Value) -> (u16, Value) {
        let request = Request::builder().method(method).uri(format!("/api/v1{path}")).header(header::COOKIE, cookie);
        let request = request.header(header::IF_MATCH, format!("\"v{version}\""));
        let request = match body {
            Value::Null => request.body(Body::empty()),
            body => request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
        };
        answer(self.router.clone(), request.unwrap()).await
    }

    /// The first town's whole autumn, planned.
    async fn plan(&self) -> Value {
        let body = json!({ "organisation_id": self.county.schools()[0].organisation_id });
        let (status, view) = self.post(&format!("/terms/{}/lessons", self.county.terms[0].term_id), body).await;
        assert_eq!(status, 200, "{view}");
        view
    }

    async fn week(&self, week: u8, by: &str, id: &str) -> Vec<Value> {
        let term = self.county.terms[0].term_id;
        let grid = self.get(&format!("/week-grid?term={term}&week={week}&by={by}&id={id}")).await;
        grid["lessons"].as_array().unwrap().clone()
    }

    /// An English lesson of the first town in a period of Tuesday, 22 September.
    fn lesson_on_tuesday(&self, period: &str) -> Value {
        let (town, point) = (&self.county.schools()[0], &self.county.points()[0].classes[0]);
        json!({
            "term_id": self.county.terms[0].term_id, "organisation_id": town.organisation_id,
            "title": "英语 三年级 加课", "subject": "英语", "stage": "primary", "grade": "三年级",
            "teacher_id": town.teachers[0].0, "classroom_id": town.classes[0].classroom_id,
            "class_id": town.classes[0].class_id, "program": "delivery_class", "mode": "live",
            "delivery": "synchronous", "date": "2026-09-22", "period": period,
            "listening": [{ "classroom_id": point.classroom_id, "class_id": point.class_id, "interactive": true }],
        })
    }
}

async fn ask(router: Router, method: Method, path: &str, cookie: &str, body: Value) -> (u16, Value) {
    let request = Request::builder().method(method).uri(format!("/api/v1{path}")).header(header::COOKIE, cookie);
    let request = match body {
        Value::Null => request.body(Body::empty()),
        body => request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
    };
    answer(router, request.unwrap()).await
}

async fn answer(router: Router, request: Request<Body>) -> (u16, Value) {
    let answer = router.oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 24).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

on_both! {
    async fn a_term_is_planned_over_http_and_seen_in_the_grid(database) {
        let bureau = Bureau::open(database).await;
        let town = &bureau.county.schools()[0];
        let planned = bureau.plan().await;
        assert_eq!(planned["planned"], planned["scheduled"]);
        let off = json!({ "reason": "off", "date": "2026-09-25", "name": "中秋节" });
        assert!(planned["left_out"].as_array().unwrap().iter().any(|left| left["why"] == off), "{planned}");
        assert_eq!(bureau.plan().await["scheduled"], 0);
        let by_teacher = bureau.week(6, "teacher", &town.teachers[0].0.to_string()).await;
        let told: Vec<_> = by_teacher.iter().map(|lesson| (lesson["weekday"].clone(), lesson["date"].clone())).collect();
        assert_eq!(told, [(json!(5), json!("2026-10-09")), (json!(3), json!("2026-10-10"))]);
        let point = &bureau.county.points()[0];
        assert_eq!(bureau.week(6, "class", &point.classes[0].class_id.to_string()).await, by_teacher);
        assert_eq!(bureau.week(6, "organisation", &point.organisation_id.to_string()).await, by_teacher);
        // A scheduler of another town sees nothing of it, and may not plan it.
        let term = bureau.county.terms[0].term_id;
        let path = format!("/week-grid?term={term}&week=6&by=teacher&id={}", town.teachers[0].0);
        let (status, grid) = bureau.ask(Method::GET, &path, &bureau.neighbour, Value::Null).await;
        assert_eq!((status, grid["lessons"].as_array().unwrap().len()), (200, 0));
        let plan = json!({ "organisation_id": town.organisation_id });
        let (status, _) = bureau.ask(Method::POST, &format!("/terms/{term}/lessons"), &bureau.neighbour, plan).await;
        assert_eq!(status, 404);
    }

    async fn a_hundred_requests_at_once_are_answered_by_one_201_and_99_clear_409(database) {
        let bureau = Bureau::open(database).await;
        let mut requests = JoinSet::new();
        for _ in 0..100 {
            let (router, cookie) = (bureau.router.clone(), bureau.scheduler.clone());
            let body = bureau.lesson_on_tuesday("lesson-2");
            requests.spawn(async move { ask(router, Method::POST, "/dispatch/lessons", &cookie, body).await });
        }
        let (mut kept, mut refused) = (Vec::new(), Vec::new());
        while let Some(answer) = requests.join_next().await {
            match answer.unwrap() {
                (201, body) => kept.push(body["lesson_ids"][0].clone()),
                (409, problem) => refused.push(problem),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((kept.len(), refused.len()), (1, 99));
        for problem in refused {
            assert_eq!(problem["type"], "/problems/double-booked");
            let clashes = problem["clashes"].as_array().unwrap();
            assert!(!clashes.is_empty(), "{problem}");
            assert!(clashes.iter().all(|clash| {
                clash["with"] == kept[0] && clash["with_title"] == "英语 三年级 加课"
            }), "{problem}");
        }
    }

    async fn a_lesson_is_dragged_and_its_clashes_are_shown_in_place(database) {
        let bureau = Bureau::open(database).await;
        bureau.plan().await;
        let town = &bureau.county.schools()[0];
        let teacher = town.teachers[0].0.to_string();
        let week = bureau.week(5, "teacher", &teacher).await;
        let wednesday = week.iter().find(|lesson| lesson["period"] == "lesson-3").unwrap().clone();
        let drag = |date: &str, period: &str, dry_run: bool| json!({ "dry_run": dry_run, "act": {
            "kind": "move", "lesson_id": wednesday["lesson_id"], "date": date, "period": period, "classroom_id": null } });
        // Week 5's Friday is a holiday; a teacher's own lesson of week 4 stands in the way elsewhere.
        let (status, problem) = bureau.post("/dispatch/acts", drag("2026-10-02", "lesson-2", true)).await;
        assert_eq!((status, &problem["type"], &problem["field"]), (422, &json!("/problems/invalid"), &json!("period")));
        assert_eq!((&problem["reason"], &problem["date"], &problem["name"]),
            (&json!("off"), &json!("2026-10-02"), &json!("国庆节")), "{problem}");
        let other = bureau.week(4, "teacher", &teacher).await.remove(0);
        let (status, dry) = bureau.post("/dispatch/acts", drag("2026-09-23", "lesson-3", true)).await;
        assert_eq!((status, &dry["clashes"][0]["with"]), (200, &other["lesson_id"]), "{dry}");
        let (status, problem) = bureau.act(&wednesday["version"], drag("2026-09-23", "lesson-3", false)).await;
        assert_eq!((status, &problem["type"]), (409, &json!("/problems/double-booked")));
        assert_eq!((&problem["clashes"][0]["title"], &problem["clashes"][0]["with_title"]),
            (&wednesday["title"], &other["title"]), "both are named");
        // Whoever does not say what they saw, or saw something else, is told so.
        let act = drag("2026-09-29", "lesson-1", false);
        assert_eq!(bureau.post("/dispatch/acts", act.clone()).await.0, 428);
        assert_eq!(bureau.act(&json!(7), act.clone()).await.0, 412);
        assert_eq!(bureau.act(&wednesday["version"], act.clone()).await.0, 200);
        assert_eq!(bureau.act(&wednesday["version"], act).await.0, 412);
        let moved = bureau.week(5, "teacher", &teacher).await.remove(0);
        assert_eq!((&moved["lesson_id"], &moved["date"], &moved["period"]),
            (&wednesday["lesson_id"], &json!("2026-09-29"), &json!("lesson-1")));
        // The neighbour's scheduler does not know of it.
        let act = drag("2026-09-30", "lesson-1", false);
        let (status, _) = bureau.ask(Method::POST, "/dispatch/acts", &bureau.neighbour, act).await;
        assert_eq!(status, 404);

        let cancel = |words: &str| json!({ "act": { "kind": "cancel", "lesson_id": wednesday["lesson_id"],
            "reason": { "kind": "weather", "words": words } } });
        assert_eq!(bureau.act(&moved["version"], cancel(" ")).await.0, 422);
        assert_eq!(bureau.act(&moved["version"], cancel("大雪封山")).await.0, 200);
        let path = format!("/lessons/{}/transitions", wednesday["lesson_id"].as_str().unwrap());
        let steps = bureau.get(&path).await;
        assert_eq!((&steps["items"][0]["to"], &steps["items"][0]["reason"]), (&json!("cancelled"), &json!("weather: 大雪封山")));
        assert!(steps["items"][0]["actor"].as_str().unwrap().starts_with("person:"));
    }

    async fn a_whole_day_is_moved_but_for_what_clashes(database) {
        let bureau = Bureau::open(database).await;
        bureau.plan().await;
        let town = &bureau.county.schools()[0];
        let term = bureau.county.terms[0].term_id;
        let day = async |date: &str| {
            let (by, id) = ("organisation", town.organisation_id);
            let grid = bureau.get(&format!("/week-grid?term={term}&date={date}&by={by}&id={id}")).await;
            grid["lessons"].as_array().unwrap().clone()
        };
        // Somebody put a lesson of the same teacher where the first one would come.
        let (from, to) = ("2026-09-23", "2026-09-26");
        let before = day(from).await;
        assert!(before.len() >= 2 && before.iter().all(|lesson| lesson["date"] == from), "{before:?}");
        let mut extra = bureau.lesson_on_tuesday("lesson-3");
        extra["date"] = json!(to);
        let (status, extra) = bureau.post("/dispatch/lessons", extra).await;
        assert_eq!(status, 201, "{extra}");
        let act = |leave: bool, dry: bool| json!({ "dry_run": dry, "act": { "kind": "move_day", "from": from, "to": to,
            "organisation_id": town.organisation_id, "leave_clashing": leave } });
        let (status, dry) = bureau.post("/dispatch/acts", act(false, true)).await;
        assert_eq!(status, 200, "{dry}");
        let clashing = before.iter().find(|lesson| lesson["period"] == "lesson-3").unwrap();
        assert!(dry["clashes"].as_array().unwrap().iter().all(|clash| {
            clash["lesson_id"] == clashing["lesson_id"] && clash["title"] == clashing["title"]
                && clash["with"] == extra["lesson_ids"][0] && clash["with_title"] == "英语 三年级 加课"
        }), "{dry}");
        assert_eq!(dry["lesson_ids"].as_array().unwrap().len(), before.len() - 1);
        let (status, problem) = bureau.post("/dispatch/acts", act(false, false)).await;
        assert_eq!((status, day(from).await), (409, before.clone()), "{problem}");
        let (status, done) = bureau.post("/dispatch/acts", act(true, false)).await;
        assert_eq!((status, &done["lesson_ids"]), (200, &dry["lesson_ids"]), "{done}");
        assert_eq!(day(from).await.len(), 1);
        let moved = day(to).await;
        assert_eq!(moved.len(), before.len());
        for lesson in moved.iter().filter(|lesson| lesson["lesson_id"] != extra["lesson_ids"][0]) {
            let was = before.iter().find(|before| before["lesson_id"] == lesson["lesson_id"]).unwrap();
            assert_eq!((&lesson["period"], &lesson["version"]), (&was["period"], &json!(2)));
            // The rooms' own windows have come with it: three days later to the minute.
            for (end, before) in lesson["listening"].as_array().unwrap().iter().zip(was["listening"].as_array().unwrap()) {
                let by = end["join_until_ms"].as_i64().unwrap() - before["join_until_ms"].as_i64().unwrap();
                assert_eq!(by, 3 * 86_400_000, "{lesson} {was}");
            }
        }
        // A holiday takes none of them: each is named.
        let mut off = act(true, true);
        off["act"]["to"] = json!("2026-10-02");
        off["act"]["from"] = json!(to);
        let (status, dry) = bureau.post("/dispatch/acts", off).await;
        assert_eq!((status, dry["left"].as_array().unwrap().len()), (200, before.len()), "{dry}");
        let why = json!({ "reason": "off", "date": "2026-10-02", "name": "国庆节" });
        assert!(dry["left"].as_array().unwrap().iter().all(|left| left["why"] == why), "{dry}");
        // Whoever does not say that some may stay is told how many do, and why one of them.
        let mut off = act(false, false);
        off["act"]["to"] = json!("2026-10-02");
        off["act"]["from"] = json!(to);
        let (status, problem) = bureau.post("/dispatch/acts", off).await;
        let (field, count) = (json!("to"), json!(before.len()));
        assert_eq!((status, &problem["field"], &problem["reason"]), (422, &field, &json!("lessons-stay")), "{problem}");
        assert_eq!((&problem["count"], &problem["lesson_title"], &problem["because"]),
            (&count, &dry["left"][0]["title"], &why), "{problem}");
    }

    async fn a_lesson_sent_twice_with_one_key_is_there_once(database) {
        let bureau = Bureau::open(database).await;
        let send = async |period: &str| {
            let request = Request::post("/api/v1/dispatch/lessons").header(header::COOKIE, &bureau.scheduler);
            let request = request.header(header::CONTENT_TYPE, "application/json").header("idempotency-key", "one");
            let body = Body::from(bureau.lesson_on_tuesday(period).to_string());
            answer(bureau.router.clone(), request.body(body).unwrap()).await
        };
        let (first, again) = (send("lesson-2").await, send("lesson-2").await);
        assert_eq!((first.0, &first), (201, &again), "not a clash with itself");
        assert_eq!(send("lesson-4").await.0, 422, "the key is used");
    }

    async fn a_term_that_runs_is_planned_from_now_on(database) {
        let bureau = Bureau::open(database).await;
        let planned = bureau.plan().await;
        // It is Monday of week 4: three weeks of four lessons, and what began by eight.
        assert!(planned["past"].as_u64().unwrap() > 0, "{planned}");
        let term = bureau.county.terms[0].term_id;
        let id = bureau.county.schools()[0].organisation_id;
        let past = bureau.week(3, "organisation", &id.to_string()).await;
        assert_eq!(past, Vec::<Value>::new());
        let lessons = bureau.week(4, "organisation", &id.to_string()).await;
        assert!(!lessons.is_empty() && lessons.iter().all(|lesson| lesson["starts_at_ms"].as_i64().unwrap() > MORNING.0));
        // What a page needs to ring and to let in is with each lesson.
        for lesson in &lessons {
            let (opens, starts) = (lesson["opens_at_ms"].as_i64().unwrap(), lesson["starts_at_ms"].as_i64().unwrap());
            assert_eq!((&lesson["zone"], &lesson["mode"], starts - opens), (&json!("Asia/Shanghai"), &json!("live"), 600_000));
            let until = lesson["listening"][0]["join_until_ms"].as_i64().unwrap();
            assert!((starts..=lesson["ends_at_ms"].as_i64().unwrap()).contains(&until), "{lesson}");
        }
        let whole = bureau.county.bureau().organisation_id;
        let counted = bureau.get(&format!("/week-grid/schools?term={term}&week=4&organisation_id={whole}")).await;
        let sum: i64 = counted["schools"][0]["days"].as_array().unwrap().iter().map(|day| day["lessons"].as_i64().unwrap()).sum();
        assert_eq!((counted["schools"].as_array().unwrap().len(), sum), (1, lessons.len() as i64), "{counted}");
        let weeks = bureau.get(&format!("/terms/{term}/weeks")).await;
        let day = |date: &str| weeks["items"].as_array().unwrap().iter().flat_map(|week| week["days"].as_array().unwrap())
            .find(|day| day["date"] == date).cloned().unwrap();
        assert_eq!(day("2026-10-10")["taught_as"], "2026-10-07");
        assert_eq!((&day("2026-10-02")["name"], &day("2026-10-02")["taught_as"]), (&json!("国庆节"), &Value::Null));
        assert_eq!(weeks["items"][4]["week_no"], 5);
        let path = format!("/week-grid?term={term}&week=4&date=2026-09-22&by=organisation&id={id}");
        assert_eq!(bureau.ask(Method::GET, &path, &bureau.scheduler, Value::Null).await.0, 422);
        // One day of the list of lessons.
        let list = bureau.get("/lessons?from=2026-09-22&until=2026-09-22").await;
        let on_tuesday = lessons.iter().filter(|lesson| lesson["date"] == "2026-09-22").count();
        assert_eq!(list["items"].as_array().unwrap().len(), on_tuesday);
    }

    async fn receivers_are_bounded_and_need_their_right(database) {
        let bureau = Bureau::open(database).await;
        let points = bureau.county.points();
        let listening = |n: std::ops::Range<usize>| -> Value {
            points[n].iter().map(|point| json!({ "classroom_id": point.classes[0].classroom_id,
                "class_id": point.classes[0].class_id, "interactive": true })).collect()
        };
        let with = |listening: Value| {
            let mut body = bureau.lesson_on_tuesday("lesson-2");
            body["listening"] = listening;
            body
        };
        let (status, problem) = bureau.post("/dispatch/lessons", with(listening(0..4))).await;
        assert_eq!((status, &problem["type"]), (409, &json!("/problems/receiver-limit")), "{problem}");
        // The town's fourth point listens to music, not to English.
        let (status, problem) = bureau.post("/dispatch/lessons", with(listening(3..4))).await;
        assert_eq!(status, 422, "{problem}");
        let mut pair = json!({ "term_id": bureau.county.terms[0].term_id, "topology": "centre_with_points",
            "teaching_id": bureau.county.schools()[0].organisation_id, "class_ids": [points[3].classes[0].class_id],
            "subjects": ["英语"] });
        let (status, pairing) = bureau.post("/pairings", pair.clone()).await;
        assert_eq!(status, 201, "{pairing}");
        pair["subjects"] = Value::Null;
        assert_eq!(bureau.post("/pairings", pair).await.0, 409, "one school a class, term and subject");
        assert_eq!(bureau.post("/dispatch/lessons", with(listening(3..4))).await.0, 201);
        let path = format!("/pairings/{}/standing", pairing["pairing_id"].as_str().unwrap());
        assert_eq!(bureau.post(&path, json!({ "act": "freeze" })).await.1["standing"], "frozen");
        let mut later = with(listening(3..4));
        later["period"] = json!("lesson-5");
        assert_eq!(bureau.post("/dispatch/lessons", later).await.0, 422);
    }

    async fn nothing_is_changed_from_under_a_lesson(database) {
        let bureau = Bureau::open(database).await;
        bureau.plan().await;
        let (term, town) = (&bureau.county.terms[0], &bureau.county.schools()[0]);
        let cookie = bureau.scheduler.clone();
        let edit = async |method, path: &str, body| bureau.edit(method, path, &cookie, 1, body).await;
        let refused = |(status, problem): (u16, Value), what: &str| {
            assert_eq!((status, &problem["type"]), (409, &json!("/problems/stands-on")), "{problem}");
            assert_eq!(problem["what"], what, "{problem}");
            assert!(problem["count"].as_i64().unwrap() > 0, "{problem}");
        };
        let path = format!("/terms/{}", term.term_id);
        refused(edit(Method::PATCH, &path, json!({ "last_day": "2026-10-30" })).await, "lessons");
        let tried = format!("{path}?dry_run=true");
        refused(edit(Method::PATCH, &tried, json!({ "last_day": "2026-10-30" })).await, "lessons");
        refused(edit(Method::DELETE, &path, Value::Null).await, "lessons");
        refused(edit(Method::DELETE, &format!("/school-years/{}", term.school_year_id), Value::Null).await, "terms");
        let courses = bureau.get(&format!("/courses?term_id={}&limit=200", term.term_id)).await;
        let courses = courses["items"].as_array().unwrap();
        let course = courses.iter().find(|course| course["organisation_id"] == json!(town.organisation_id)).unwrap();
        let path = format!("/courses/{}", course["course_id"].as_str().unwrap());
        let weekly = json!({ "weekly": [{ "weekday": 1, "period": "lesson-1", "weeks": "every" }] });
        refused(edit(Method::PATCH, &path, weekly).await, "lessons");
        refused(edit(Method::DELETE, &path, Value::Null).await, "lessons");
        for bells in bureau.get("/bell-schedules").await["items"].as_array().unwrap() {
            if bells["organisation_id"] != json!(bureau.county.bureau().organisation_id) || bells["stage"] != json!("primary") {
                continue;
            }
            let path = format!("/bell-schedules/{}", bells["bell_schedule_id"].as_str().unwrap());
            let periods = json!({ "periods": [{ "period": "lesson-1", "starts_min": 500, "ends_min": 540 }] });
            refused(edit(Method::PATCH, &path, periods).await, "lessons");
        }
        // A name goes nowhere near a lesson.
        let (status, kept) = edit(Method::PATCH, &path, json!({ "title": "英语 新名" })).await;
        assert_eq!((status, &kept["title"], &kept["version"]), (200, &json!("英语 新名"), &json!(2)), "{kept}");
        assert_eq!(edit(Method::PATCH, &path, json!({ "title": "英语" })).await.0, 412);
    }

    async fn a_lesson_says_what_it_lacks_and_who_answers_for_that(database) {
        let bureau = Bureau::open(database).await;
        let (status, kept) = bureau.post("/dispatch/lessons", bureau.lesson_on_tuesday("lesson-2")).await;
        assert_eq!(status, 201, "{kept}");
        let lesson = format!("/lessons/{}", kept["lesson_ids"][0].as_str().unwrap());
        let list = bureau.get(&format!("{lesson}/readiness")).await;
        let told = |list: &Value, state: &str| -> Vec<String> {
            let items = list["items"].as_array().unwrap().iter().filter(|one| one["state"] == state);
            items.map(|one| one["item"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(told(&list, "met"), ["lead_teacher", "receivers", "listening_rights"], "{list}");
        assert_eq!(told(&list, "missing"), ["broadcast_device", "receiving_devices", "assistants"]);
        let path = format!("{lesson}/waivers");
        let waiver = |item: &str, reason: &str| json!({ "item": item, "reason": reason });
        assert_eq!(bureau.post(&path, waiver("assistants", " ")).await.0, 422);
        assert_eq!(bureau.post(&path, waiver("piece_chosen", "没有片段")).await.0, 422, "a live lesson needs none");
        let (status, list) = bureau.post(&path, waiver("assistants", "村小教师兼任")).await;
        assert_eq!((status, told(&list, "waived")), (201, vec!["assistants".to_owned()]), "{list}");
        let waived = list["items"].as_array().unwrap().iter().find(|one| one["item"] == "assistants").unwrap();
        assert_eq!((&waived["waiver"]["name"], &waived["waiver"]["reason"]), (&json!("赵排课"), &json!("村小教师兼任")));
        assert_eq!(list["ready"], false);
        assert_eq!(bureau.post(&path, waiver("assistants", "再写一次")).await.0, 409, "once, by one name");
        assert_eq!(bureau.get(&lesson).await["readiness"], json!({ "met": 3, "missing": 2, "waived": 1 }));
        let (status, _) = bureau.ask(Method::POST, &path, &bureau.neighbour, waiver("receivers", "外校")).await;
        assert_eq!(status, 404);
    }

    async fn years_terms_bells_holidays_and_figures_are_kept(database) {
        let bureau = Bureau::open(database).await;
        let organisation_id = bureau.county.bureau().organisation_id;
        let year = json!({ "organisation_id": organisation_id, "name": "2028-2029学年", "first_day": "2028-09-01",
            "last_day": "2029-08-31" });
        let (status, year) = bureau.post("/school-years", year).await;
        assert_eq!(status, 201, "{year}");
        let term = json!({ "school_year_id": year["school_year_id"], "name": "第一学期", "first_day": "2028-09-01",
            "last_day": "2029-01-19" });
        let (status, kept) = bureau.post("/terms", term.clone()).await;
        assert_eq!((status, &kept["weeks"]), (201, &json!(21)), "{kept}");
        assert_eq!(bureau.post("/terms", term).await.0, 422, "it would overlap itself");
        assert_eq!(bureau.get("/terms").await["items"].as_array().unwrap().len(), 4);
        let day = json!({ "organisation_id": organisation_id, "date": "2028-10-07", "name": "调休", "taught_as": "2028-10-06" });
        assert_eq!(bureau.ask(Method::PUT, "/holidays", &bureau.scheduler, day.clone()).await.0, 422, "the 6th is not off");
        let off = json!({ "organisation_id": organisation_id, "date": "2028-10-06", "name": "国庆节", "taught_as": null });
        for day in [off, day] {
            assert_eq!(bureau.ask(Method::PUT, "/holidays", &bureau.scheduler, day).await.0, 200);
        }
        let days = bureau.get("/holidays?from=2028-10-01&until=2028-10-31").await;
        assert_eq!(days["items"].as_array().unwrap().len(), 2);
        let bells = |from: &str| json!({ "organisation_id": bureau.county.schools()[0].organisation_id, "stage": "primary",
            "name": format!("自己的作息 {from}"), "from_day": from, "until_day": "12-31",
            "periods": [{ "period": "lesson-1", "starts_min": 500, "ends_min": 540 }] });
        let (status, kept) = bureau.post("/bell-schedules", bells("11-01")).await;
        assert_eq!(status, 201, "{kept}");
        assert_eq!(bureau.post("/bell-schedules", bells("12-01")).await.0, 422, "two would ring in December");
        // Who sees the bureau's calendar and may not set it is not told how it goes with theirs.
        let mut above = bells("05-01");
        above["organisation_id"] = json!(organisation_id);
        assert_eq!(bureau.ask(Method::POST, "/bell-schedules", &bureau.scheduler, above.clone()).await.0, 422);
        assert_eq!(bureau.ask(Method::POST, "/bell-schedules", &bureau.neighbour, above).await.0, 404);
        let day = json!({ "organisation_id": organisation_id, "date": "2028-10-08", "name": "调休", "taught_as": "2028-10-05" });
        assert_eq!(bureau.ask(Method::PUT, "/holidays", &bureau.neighbour, day).await.0, 404);
        let path = format!("/bell-schedules/{}", kept["bell_schedule_id"].as_str().unwrap());
        assert_eq!(bureau.ask(Method::DELETE, &path, &bureau.scheduler, Value::Null).await.0, 428);
        assert_eq!(bureau.edit(Method::DELETE, &path, &bureau.neighbour, 1, Value::Null).await.0, 404);
        assert_eq!(bureau.edit(Method::DELETE, &path, &bureau.scheduler, 9, Value::Null).await.0, 412);
        assert_eq!(bureau.edit(Method::DELETE, &format!("{path}?dry_run=true"), &bureau.scheduler, 1, Value::Null).await.0, 204);
        let (status, kept) = bureau.edit(Method::PATCH, &path, &bureau.scheduler, 1, json!({ "name": "冬季" })).await;
        assert_eq!((status, &kept["version"], &kept["name"]), (200, &json!(2), &json!("冬季")), "{kept}");
        assert_eq!(bureau.edit(Method::DELETE, &path, &bureau.scheduler, 2, Value::Null).await.0, 204);
        let path = format!("/rules/{organisation_id}");
        let mut rules = bureau.get(&path).await;
        rules["opens_before_min"] = json!(20);
        assert_eq!(bureau.ask(Method::PUT, &path, &bureau.neighbour, rules.clone()).await.0, 404);
        let (status, kept) = bureau.ask(Method::PUT, &path, &bureau.scheduler, rules).await;
        assert_eq!((status, &kept["version"], &kept["opens_before_min"]), (200, &json!(2), &json!(20)));
    }
}

#[tokio::test]
async fn the_sample_county_has_its_timetable_once() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::file(&folder.path().join("tongke.sqlite"));
    let hub = HubConfig {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        announce: vec![Ipv4Addr::LOCALHOST.into()],
        tcp: true,
        workers: 1,
        max_seats: None,
    };
    let app = App::open(folder.path(), &database, hub, Clock::standing_at(MORNING), None).await.unwrap();
    let (made, _) = sample::prepare(&app, folder.path(), "http://bureau").await.unwrap();
    assert!(made.sign_in_links.scheduler.is_some());
    let lessons = sample::timetable(&app).await.unwrap();
    assert!((1_700..2_300).contains(&lessons), "{lessons}");
    assert_eq!(sample::timetable(&app).await.unwrap(), 0);
    // The next lesson of the sample is given to the same classrooms, not to the whole county.
    let (again, _) = sample::prepare(&app, folder.path(), "http://bureau").await.unwrap();
    assert_eq!(again.receive_tokens.len(), made.receive_tokens.len());
}
