//! Courses, pairings and listening rights.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    http::{
        account::identity::Identity,
        timetable::{
            app::TimetableApp,
            problem::{TimetableReason, course_problem},
        },
        web::{
            extract::{JsonBody, PathId, QueryParams, named},
            list::{Listed, limit},
            problem::{ApiError, Problems, common::CommonProblem, invalid},
            version::Tagged,
        },
    },
    store::Versioned,
};
use jiff::civil::Weekday;
use school::{
    account::permission::Permission,
    base::{
        id::{ClassId, ClassroomId, CourseId, ListeningRightId, OrganisationId, PairingId, PersonId, TermId},
        time::UnixMs,
    },
    organisation::Stage,
    timetable::{
        course::{Course, Listening, SUBJECTS, WeeklyPeriod},
        pairing::{Extent, ListeningRight, Pairing, Standing, StandingAct, Topology},
        program::{Delivery, Mode, Program},
    },
};

/// A listening classroom and its class.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ListeningRequest {
    /// The classroom.
    pub classroom_id: ClassroomId,
    /// The class in it. `null`: teachers.
    pub class_id: Option<ClassId>,
    /// It can be called on stage; otherwise it is watch-only.
    pub interactive: bool,
}

/// A weekly period.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WeeklyView {
    /// 1 is Monday.
    #[schema(minimum = 1, maximum = 7)]
    weekday: i8,
    /// For example `lesson-3`
    period: String,
    /// `every`, `odd`, `even`, or a range as `3-8`
    weeks: String,
}

/// A subject for a class in a term.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCourse {
    term_id: TermId,
    /// The teaching school.
    organisation_id: OrganisationId,
    #[schema(min_length = 1, max_length = 80)]
    title: String,
    subject: String,
    stage: Stage,
    grade: String,
    teacher_id: PersonId,
    /// `null`: from the teacher's own laptop.
    classroom_id: Option<ClassroomId>,
    /// `null`: a dedicated course.
    class_id: Option<ClassId>,
    program: Program,
    mode: Mode,
    delivery: Delivery,
    #[schema(min_items = 1, max_items = 35)]
    weekly: Vec<WeeklyView>,
    #[schema(max_items = 2000)]
    listening: Vec<ListeningRequest>,
}

/// A stored course.
#[derive(Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Course`")]
pub struct CourseView {
    pub course_id: CourseId,
    #[serde(flatten)]
    pub course: NewCourse,
    pub version: i64,
}

/// Term and page of a list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfTerm {
    term_id: TermId,
    /// `next` of the page before.
    #[param(format = Uuid)]
    after: Option<String>,
    /// Page size, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// A teaching school and the classes paired with it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPairing {
    term_id: TermId,
    topology: Topology,
    /// The teaching school.
    teaching_id: OrganisationId,
    #[schema(min_items = 1, max_items = 200)]
    class_ids: Vec<ClassId>,
    /// `null`: all subjects of the class.
    #[schema(min_items = 1, max_items = 19)]
    subjects: Option<Vec<String>>,
}

/// A stored pairing.
#[derive(Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Pairing`")]
pub struct PairingView {
    pub pairing_id: PairingId,
    pub term_id: TermId,
    pub topology: Topology,
    pub teaching_id: OrganisationId,
    pub class_ids: Vec<ClassId>,
    pub subjects: Option<Vec<String>>,
    pub standing: Standing,
    pub version: i64,
}

/// A class's right to listen to a school.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewListeningRight {
    term_id: TermId,
    teaching_id: OrganisationId,
    class_id: ClassId,
    /// `null`: all subjects.
    #[schema(min_items = 1, max_items = 19)]
    subjects: Option<Vec<String>>,
}

/// A stored listening right.
#[derive(Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `ListeningRight`")]
pub struct ListeningRightView {
    pub listening_right_id: ListeningRightId,
    pub term_id: TermId,
    pub teaching_id: OrganisationId,
    pub class_id: ClassId,
    pub pairing_id: Option<PairingId>,
    pub subjects: Option<Vec<String>>,
    pub standing: Standing,
    pub ended_at_ms: Option<UnixMs>,
}

/// An action on a pairing or a listening right.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StandingRequest {
    act: StandingAct,
}

/// List the courses of a term, by id
#[utoipa::path(get, path = "/courses", tag = "timetable", params(OfTerm),
    extensions(("x-act" = json!("see_timetable"))),
    responses((status = 200, body = Listed<CourseView>), Problems))]
pub async fn list_courses(
    State(app): State<TimetableApp>,
    identity: Identity,
    QueryParams(ask): QueryParams<OfTerm>,
) -> Result<Json<Listed<CourseView>>, ApiError> {
    let scope = identity.scope(Permission::SeeTimetable)?;
    let (after, limit) = (id_after(ask.after.as_deref())?, limit(ask.limit)? + 1);
    let stored = app.store.courses(&scope, ask.term_id, None, after, i64::from(limit)).await?;
    let views = stored.into_iter().map(course_view).collect();
    Ok(Json(Listed::new(views, limit, |view: &CourseView| view.course_id.to_string())))
}

/// Add a course
#[utoipa::path(post, path = "/courses", tag = "timetable", request_body = NewCourse,
    extensions(("x-act" = json!("edit_timetable"))),
    responses((status = 201, body = CourseView), Problems))]
pub async fn add_course(
    State(app): State<TimetableApp>,
    identity: Identity,
    JsonBody(ask): JsonBody<NewCourse>,
) -> Result<Tagged<CourseView>, ApiError> {
    let scope = identity.scope(Permission::EditTimetable)?;
    app.store.term(&scope, ask.term_id).await?.ok_or(CommonProblem::NotFound)?;
    let rooms: Vec<ClassroomId> = ask.listening.iter().map(|end| end.classroom_id).chain(ask.classroom_id).collect();
    let classes: Vec<ClassId> = ask.listening.iter().filter_map(|end| end.class_id).chain(ask.class_id).collect();
    let owners = app.store.rooms_in(&scope, ask.teacher_id, &rooms, &classes).await?.ok_or(CommonProblem::NotFound)?;
    let listening = |end: &ListeningRequest| {
        let organisation_id = *owners.get(&end.classroom_id).ok_or(CommonProblem::NotFound)?;
        let (classroom_id, class_id, interactive) = (end.classroom_id, end.class_id, end.interactive);
        Ok(Listening { classroom_id, class_id, organisation_id, interactive })
    };
    let course = Course {
        course_id: CourseId::fresh(),
        term_id: ask.term_id,
        organisation_id: ask.organisation_id,
        title: named("title", &ask.title)?,
        subject: ask.subject.clone(),
        stage: ask.stage,
        grade: ask.grade.clone(),
        teacher_id: ask.teacher_id,
        classroom_id: ask.classroom_id,
        class_id: ask.class_id,
        program: ask.program,
        mode: ask.mode,
        delivery: ask.delivery,
        weekly: ask.weekly.iter().map(weekly).collect::<Result<_, ApiError>>()?,
        listening: ask.listening.iter().map(listening).collect::<Result<_, ApiError>>()?,
    };
    course.check().map_err(|why| course_problem(&why))?;
    let row = identity.row(&app.clock, "add_course", format!("course:{}", course.course_id));
    if !app.store.insert_course(&scope, &course, row).await? {
        return Err(CommonProblem::NotFound.into());
    }
    let location = format!("/api/v1/courses/{}", course.course_id);
    Ok(Tagged::created(1, course_view(Versioned { value: course, version: 1 }), location))
}

/// Show one course
#[utoipa::path(get, path = "/courses/{course_id}", tag = "timetable", params(("course_id" = CourseId, Path)),
    extensions(("x-act" = json!("see_timetable"))),
    responses((status = 200, body = CourseView), Problems))]
pub async fn show_course(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(id): PathId<CourseId>,
) -> Result<Tagged<CourseView>, ApiError> {
    let stored =
        app.store.course(&identity.reach(Permission::SeeTimetable)?, id).await?.ok_or(CommonProblem::NotFound)?;
    Ok(Tagged::new(stored.version, course_view(stored)))
}

/// List the pairings of a term
#[utoipa::path(get, path = "/pairings", tag = "timetable", params(OfTerm),
    extensions(("x-act" = json!("see_timetable"))),
    responses((status = 200, body = Listed<PairingView>), Problems))]
pub async fn list_pairings(
    State(app): State<TimetableApp>,
    identity: Identity,
    QueryParams(ask): QueryParams<OfTerm>,
) -> Result<Json<Listed<PairingView>>, ApiError> {
    let scope = identity.scope(Permission::SeeTimetable)?;
    let (after, limit): (Option<PairingId>, _) = (id_after(ask.after.as_deref())?, limit(ask.limit)? + 1);
    let stored = app.store.pairings(&scope, ask.term_id).await?;
    let page = stored.into_iter().filter(|stored| after.is_none_or(|after| stored.value.pairing_id > after));
    let views = page.take(limit as usize).map(pairing_view).collect();
    Ok(Json(Listed::new(views, limit, |view: &PairingView| view.pairing_id.to_string())))
}

/// Pair a school with the classes it teaches for a term; each class gets a listening right
#[utoipa::path(post, path = "/pairings", tag = "timetable", request_body = NewPairing,
    extensions(("x-act" = json!("dispatch"))),
    responses((status = 201, body = PairingView), Problems))]
pub async fn add_pairing(
    State(app): State<TimetableApp>,
    identity: Identity,
    JsonBody(ask): JsonBody<NewPairing>,
) -> Result<Tagged<PairingView>, ApiError> {
    let scope = identity.scope(Permission::Dispatch)?;
    app.store.term(&scope, ask.term_id).await?.ok_or(CommonProblem::NotFound)?;
    let mut class_ids = ask.class_ids;
    class_ids.sort();
    class_ids.dedup();
    if class_ids.is_empty() || class_ids.len() > CLASSES_MAX {
        return Err(invalid("class_ids", &TimetableReason::ClassCount { min: 1, max: CLASSES_MAX }));
    }
    let pairing = Pairing {
        pairing_id: PairingId::fresh(),
        term_id: ask.term_id,
        topology: ask.topology,
        teaching_id: ask.teaching_id,
        class_ids,
        extent: extent(ask.subjects)?,
        standing: Standing::Active,
    };
    let row = identity.row(&app.clock, "add_pairing", format!("pairing:{}", pairing.pairing_id));
    app.store.insert_pairing(&scope, &pairing, row).await?;
    let location = format!("/api/v1/pairings/{}", pairing.pairing_id);
    Ok(Tagged::created(1, pairing_view(Versioned { value: pairing, version: 1 }), location))
}

/// Freeze, resume or cancel a pairing with its rights; past replays stay available
#[utoipa::path(post, path = "/pairings/{pairing_id}/standing", tag = "timetable", request_body = StandingRequest,
    params(("pairing_id" = PairingId, Path)), extensions(("x-act" = json!("dispatch"))),
    responses((status = 200, body = PairingView), Problems))]
pub async fn change_pairing(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(id): PathId<PairingId>,
    JsonBody(ask): JsonBody<StandingRequest>,
) -> Result<Json<PairingView>, ApiError> {
    let scope = identity.reach(Permission::Dispatch)?;
    let row = identity.row(&app.clock, "change_pairing", format!("pairing:{id}")).saying(ask.act.as_str());
    Ok(Json(pairing_view(app.store.change_pairing(&scope, id, ask.act, row).await?)))
}

/// List the listening rights of a term, by id
#[utoipa::path(get, path = "/listening-rights", tag = "timetable", params(OfTerm),
    extensions(("x-act" = json!("see_timetable"))),
    responses((status = 200, body = Listed<ListeningRightView>), Problems))]
pub async fn list_listening_rights(
    State(app): State<TimetableApp>,
    identity: Identity,
    QueryParams(ask): QueryParams<OfTerm>,
) -> Result<Json<Listed<ListeningRightView>>, ApiError> {
    let scope = identity.scope(Permission::SeeTimetable)?;
    let (after, limit) = (id_after(ask.after.as_deref())?, limit(ask.limit)? + 1);
    let rights = app.store.listening_rights(&scope, ask.term_id, after, i64::from(limit)).await?;
    let views = rights.into_iter().map(right_view).collect();
    Ok(Json(Listed::new(views, limit, |view: &ListeningRightView| view.listening_right_id.to_string())))
}

/// Add a listening right for a single class
#[utoipa::path(post, path = "/listening-rights", tag = "timetable", request_body = NewListeningRight,
    extensions(("x-act" = json!("dispatch"))),
    responses((status = 201, body = ListeningRightView), Problems))]
pub async fn add_listening_right(
    State(app): State<TimetableApp>,
    identity: Identity,
    JsonBody(ask): JsonBody<NewListeningRight>,
) -> Result<Tagged<ListeningRightView>, ApiError> {
    let scope = identity.scope(Permission::Dispatch)?;
    app.store.term(&scope, ask.term_id).await?.ok_or(CommonProblem::NotFound)?;
    let right = ListeningRight {
        listening_right_id: ListeningRightId::fresh(),
        term_id: ask.term_id,
        teaching_id: ask.teaching_id,
        class_id: ask.class_id,
        pairing_id: None,
        extent: extent(ask.subjects)?,
        standing: Standing::Active,
        ended_at: None,
    };
    let row = identity.row(&app.clock, "add_listening_right", format!("listening_right:{}", right.listening_right_id));
    app.store.insert_listening_right(&scope, &right, row).await?;
    let location = format!("/api/v1/listening-rights/{}", right.listening_right_id);
    Ok(Tagged::created(1, right_view(right), location))
}

/// Freeze, resume or cancel a listening right; past replays stay available
#[utoipa::path(post, path = "/listening-rights/{listening_right_id}/standing", tag = "timetable",
    request_body = StandingRequest, params(("listening_right_id" = ListeningRightId, Path)),
    extensions(("x-act" = json!("dispatch"))),
    responses((status = 200, body = ListeningRightView), Problems))]
pub async fn change_listening_right(
    State(app): State<TimetableApp>,
    identity: Identity,
    PathId(id): PathId<ListeningRightId>,
    JsonBody(ask): JsonBody<StandingRequest>,
) -> Result<Json<ListeningRightView>, ApiError> {
    let scope = identity.reach(Permission::Dispatch)?;
    let row =
        identity.row(&app.clock, "change_listening_right", format!("listening_right:{id}")).saying(ask.act.as_str());
    Ok(Json(right_view(app.store.change_listening_right(&scope, id, ask.act, row).await?)))
}

/// Classes per pairing, at most; more need several pairings.
const CLASSES_MAX: usize = 200;

fn id_after<T: std::str::FromStr>(after: Option<&str>) -> Result<Option<T>, ApiError> {
    after.map(|text| text.parse().map_err(|_| CommonProblem::bad_request("after is no id").into())).transpose()
}

fn extent(subjects: Option<Vec<String>>) -> Result<Extent, ApiError> {
    match subjects {
        None => Ok(Extent::WholeClass),
        Some(subjects) if subjects.is_empty() || subjects.iter().any(|one| !SUBJECTS.contains(&one.as_str())) => {
            Err(invalid("subjects", &TimetableReason::SubjectsNeeded))
        }
        Some(subjects) => Ok(Extent::Subjects(subjects)),
    }
}

fn subjects(extent: Extent) -> Option<Vec<String>> {
    match extent {
        Extent::WholeClass => None,
        Extent::Subjects(subjects) => Some(subjects),
    }
}

/// Converts a weekly period to its stored form.
pub(crate) fn weekly(view: &WeeklyView) -> Result<WeeklyPeriod, ApiError> {
    Ok(WeeklyPeriod {
        weekday: weekday(view.weekday)?,
        period: view.period.parse().map_err(|_| invalid("period", &TimetableReason::NotAPeriod))?,
        weeks: view.weeks.parse().map_err(|_| invalid("weeks", &TimetableReason::NotWeeks))?,
    })
}

pub(crate) fn course_view(stored: Versioned<Course>) -> CourseView {
    let Versioned { value: course, version } = stored;
    let weekly = |weekly: &WeeklyPeriod| WeeklyView {
        weekday: weekly.weekday.to_monday_one_offset(),
        period: weekly.period.to_string(),
        weeks: weekly.weeks.to_string(),
    };
    let listening = |end: &Listening| ListeningRequest {
        classroom_id: end.classroom_id,
        class_id: end.class_id,
        interactive: end.interactive,
    };
    CourseView {
        course_id: course.course_id,
        course: NewCourse {
            term_id: course.term_id,
            organisation_id: course.organisation_id,
            weekly: course.weekly.iter().map(weekly).collect(),
            listening: course.listening.iter().map(listening).collect(),
            title: course.title,
            subject: course.subject,
            stage: course.stage,
            grade: course.grade,
            teacher_id: course.teacher_id,
            classroom_id: course.classroom_id,
            class_id: course.class_id,
            program: course.program,
            mode: course.mode,
            delivery: course.delivery,
        },
        version,
    }
}

fn pairing_view(stored: Versioned<Pairing>) -> PairingView {
    let Versioned { value: pairing, version } = stored;
    PairingView {
        pairing_id: pairing.pairing_id,
        term_id: pairing.term_id,
        topology: pairing.topology,
        teaching_id: pairing.teaching_id,
        class_ids: pairing.class_ids,
        subjects: subjects(pairing.extent),
        standing: pairing.standing,
        version,
    }
}

fn right_view(right: ListeningRight) -> ListeningRightView {
    ListeningRightView {
        listening_right_id: right.listening_right_id,
        term_id: right.term_id,
        teaching_id: right.teaching_id,
        class_id: right.class_id,
        pairing_id: right.pairing_id,
        subjects: subjects(right.extent),
        standing: right.standing,
        ended_at_ms: right.ended_at,
    }
}

/// Converts 1 to 7, as in the API, to a weekday.
pub(crate) fn weekday(number: i8) -> Result<Weekday, ApiError> {
    let none = |_| invalid("weekday", &TimetableReason::OutOfRange { min: 1, max: 7 });
    Weekday::from_monday_one_offset(number).map_err(none)
}
