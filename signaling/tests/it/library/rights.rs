//! A listening right that ends: lessons to come are taken away, past replays stay, and what is offered is let in.

use crate::fixtures::stores::{fresh_postgres_url, on_both};
use crate::fixtures::taught::{Lesson, MORNING, Taught};
use axum::http::StatusCode;
use school::{
    account::system_scope,
    base::id::{LessonId, PairingId},
    timetable::{Unresolved, pairing::StandingAct},
};
use serde_json::Value;
use signaling::{
    scheduling::planner::plan_term,
    store::{AuditRow, Database, NewLesson},
};

/// The first centre school and the first point, which hears its English.
struct Paired {
    taught: Taught,
    pairing_id: PairingId,
    /// The cookie of the classroom that listens.
    classroom: String,
}

impl Paired {
    async fn open(database: Database) -> Self {
        let taught = Taught::open(database).await;
        let (town, class) = (taught.town().organisation_id, taught.point().classes[0].class_id);
        let pairings =
            taught.app.store.pairings(&system_scope::sample(), taught.county.terms[0].term_id).await.unwrap();
        let ours = pairings
            .iter()
            .map(|kept| &kept.value)
            .find(|pairing| pairing.teaching_id == town && pairing.class_ids.contains(&class));
        let (pairing_id, classroom) = (ours.unwrap().pairing_id, taught.classroom(0).await);
        Self { taught, pairing_id, classroom }
    }

    /// An English lesson in the term, so many minutes after eight, that goes live by itself.
    async fn lesson(&self, minutes: i64, teacher: usize) -> LessonId {
        self.taught.schedule(Lesson { minutes, teacher, ..Lesson::default() }).await
    }

    async fn at(&self, minutes: i64) {
        self.taught.ring_at(minutes).await;
    }

    async fn the_pairing(&self, act: StandingAct) {
        let row =
            AuditRow::by_system(self.taught.clock.wall(), "change_pairing", "pairing".into()).saying(act.as_str());
        self.taught.app.store.change_pairing(&system_scope::sample(), self.pairing_id, act, row).await.unwrap();
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let answer = self.taught.get(path, &self.classroom).await;
        (answer.status, answer.json())
    }

    /// Whether the classroom is offered the replay of a lesson, and whether it gets in.
    async fn replay(&self, lesson_id: LessonId) -> (bool, bool) {
        let lesson = self.taught.app.store.lesson(&system_scope::sample(), lesson_id).await.unwrap().unwrap();
        let recording_id = lesson.recording.unwrap().recording_id;
        let (status, view) = self.get(&format!("/api/v1/lessons/{lesson_id}")).await;
        assert_eq!(status, 200, "{view}");
        let (_, list) = self.get("/api/v1/lessons").await;
        let listed = list["items"].as_array().unwrap().iter().find(|item| item["lesson_id"] == lesson_id.to_string());
        assert_eq!(listed.unwrap()["may"], view["may"]);
        let (status, _) = self.get(&format!("/api/v1/recordings/{recording_id}")).await;
        assert!(matches!(status.as_u16(), 200 | 404), "{status}");
        (view["may"]["replay"] == true, status == 200)
    }

    async fn receivers(&self, lesson_id: LessonId) -> usize {
        self.taught.app.store.lesson(&system_scope::sample(), lesson_id).await.unwrap().unwrap().classrooms.len()
    }
}

on_both! {
    async fn a_cancelled_pairing_takes_the_lessons_to_come_and_leaves_the_replays(database) {
        let school = Paired::open(database).await;
        let (heard, to_come) = (school.lesson(20, 0).await, school.lesson(180, 0).await);
        school.at(10).await;
        school.at(20).await;
        school.at(63).await;
        assert_eq!(school.replay(heard).await, (true, true));
        school.the_pairing(StandingAct::Freeze).await;
        assert_eq!((school.receivers(to_come).await, school.replay(heard).await), (1, (true, true)));
        school.the_pairing(StandingAct::Cancel).await;
        assert_eq!((school.receivers(to_come).await, school.receivers(heard).await), (0, 1));
        assert_eq!(school.replay(heard).await, (true, true), "what was heard stays");
        // The room and the class can be had by another lesson at that time.
        school.lesson(180, 1).await;
        let (status, _) = school.get(&format!("/api/v1/lessons/{to_come}")).await;
        assert_eq!(status, 404);
    }

    async fn a_term_planned_again_leaves_out_the_class_whose_right_has_ended(database) {
        let school = Paired::open(database).await;
        let (scope, term) = (system_scope::sample(), &school.taught.county.terms[0]);
        let (town, class) = (school.taught.town().organisation_id, school.taught.county.points()[0].classes[0].class_id);
        let path = school.taught.app.store.paths(&scope, [town]).await.unwrap().remove(&town).unwrap();
        let planned = async || {
            let plan = plan_term(&school.taught.app.store, &scope, term, &path, MORNING).await.unwrap();
            let hears = |lesson: &&NewLesson| lesson.lesson.listening.iter().any(|end| end.class_id == Some(class));
            let barred = plan.left_out.iter().filter(|(_, left_out)| left_out.why == Unresolved::NoListeningRight);
            (plan.lessons.len(), plan.lessons.iter().filter(hears).count(), barred.count())
        };
        let (lessons, heard, barred) = planned().await;
        assert!(heard > 20 && barred == 0, "{lessons} {heard} {barred}");
        school.the_pairing(StandingAct::Freeze).await;
        assert_eq!(planned().await, (lessons, heard, 0), "what rests can go on");
        school.the_pairing(StandingAct::Cancel).await;
        let (after, heard, barred) = planned().await;
        assert!(after == lessons && heard == 0 && barred > 0, "{after} {heard} {barred}");
    }

    async fn what_went_live_while_the_right_rested_is_neither_offered_nor_let_in(database) {
        let school = Paired::open(database).await;
        let lesson = school.lesson(20, 0).await;
        school.the_pairing(StandingAct::Freeze).await;
        school.at(10).await;
        school.at(20).await;
        school.at(63).await;
        assert_eq!(school.replay(lesson).await, (false, false));
        school.the_pairing(StandingAct::Resume).await;
        assert_eq!(school.replay(lesson).await, (true, true));
    }
}
