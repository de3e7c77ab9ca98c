//! The library: visibility, search and facet counts of recordings.
//!
//! Visibility follows the same rules as replay (`http/library/authorize.rs`): the caller's own lessons, those of their
//! places, those that a class there had a right to hear at the time, and those published to their places.

pub mod clip;
pub mod comment;
pub mod edit;
pub mod mark;
pub mod review;
pub mod share;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::{Row, any::AnyRow};

use super::{Sql, Store, StoreError, word, word_or_null};
use school::{
    account::permission::{Reach, Readers, Scope},
    base::{
        id::{LessonId, OrganisationId, PersonId, RecordingId, SchoolYearId, TermId},
        time::UnixMs,
        words::words,
    },
    lesson::{RecordingState, Teacher},
    library::{Licence, Rights, Side, TakenDown, words_of},
    timetable::rules::RuleSet,
};

/// Scope of a library query.
#[derive(Clone, Debug)]
pub struct LibraryScope {
    /// Recordings visible by place: own, of the places, and heard there.
    pub below: Scope,
    /// Recordings published to the caller's places.
    pub readers: Readers,
    /// Recordings the caller administers: visible even if taken down. `None`: none.
    pub keeps: Option<Scope>,
}

/// A recording in the library.
#[derive(Clone, Debug, PartialEq)]
pub struct LibraryEntry {
    /// The recording.
    pub recording_id: RecordingId,
    /// Its lesson.
    pub lesson_id: LessonId,
    /// Title: the lesson's, unless it was changed.
    pub title: String,
    /// Summary. Empty: none.
    pub summary: String,
    /// 英语
    pub subject: String,
    /// 三年级
    pub grade: String,
    /// The lesson's teacher.
    pub teacher: Teacher,
    /// The teaching school.
    pub organisation_id: OrganisationId,
    /// Name of the school.
    pub school: String,
    /// Path of the school.
    pub path: String,
    /// Term. `None`: outside of any.
    pub term_id: Option<TermId>,
    /// When its lesson went live.
    pub started_at: UnixMs,
    /// When its lesson ended. `None`: it is live.
    pub ended_at: Option<UnixMs>,
    /// Whether it is still being recorded.
    pub state: RecordingState,
    /// Licence for reuse.
    pub licence: Licence,
    /// Visibility rights.
    pub rights: Rights,
    /// Name of the place it is published to.
    pub published_to: Option<String>,
    /// 知识点, in order.
    pub points: Vec<String>,
    /// Number of edits, from 1.
    pub version: i64,
}

/// Paging cursor of the library: the next page begins below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LibraryCursor {
    /// Start of the last recording on the page.
    pub started_at: UnixMs,
    /// The last recording on the page.
    pub recording_id: RecordingId,
}

/// Search filter. `None`: matches all.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each is what it says")]
pub struct LibraryFilter {
    /// Words that must each occur in title, subject, grade, teacher, knowledge points or summary.
    pub text: Option<String>,
    pub school_year_id: Option<SchoolYearId>,
    pub term_id: Option<TermId>,
    pub grade: Option<String>,
    pub subject: Option<String>,
    pub lesson_id: Option<LessonId>,
    /// 知识点
    pub point: Option<String>,
    pub teacher_id: Option<PersonId>,
    /// A school, or everything below a bureau.
    pub organisation_id: Option<OrganisationId>,
    /// Earliest start, inclusive.
    pub from: Option<UnixMs>,
    /// Latest start, exclusive.
    pub until: Option<UnixMs>,
}

words!(
    /// Attribute by which recordings are counted.
    Facet {
        /// 学年
        SchoolYear = "school_year",
        /// 学期
        Term = "term",
        /// 年级
        Grade = "grade",
        /// 学科
        Subject = "subject",
        /// 学校
        School = "school",
        /// 主讲教师
        Teacher = "teacher",
        /// 知识点
        Point = "point",
    }
);

/// Number of matches with one facet value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetCount {
    /// The facet.
    pub facet: Facet,
    /// Filter value: an id, or the word itself.
    pub value: String,
    /// Display name.
    pub name: String,
    /// Number of recordings.
    pub count: i64,
}

/// Most values returned per facet; beyond that, search is by text.
pub const FACET_VALUES_MAX: usize = 50;

pub(super) const SELECT_ENTRY: &str = "
    select entry.recording_id as recording_id, entry.lesson_id as lesson_id, entry.title as title, summary,
           entry.subject as subject, entry.grade as grade, entry.teacher_id as teacher_id, person.name as teacher_name,
           entry.organisation_id as organisation_id, school.name as school, school.path as path,
           entry.term_id as term_id, entry.started_at_ms as started_at_ms,
           coalesce(lesson.ended_at_ms, recording.sealed_at_ms) as ended_at_ms, recording.state as recording_state,
           licence, consented_at_ms, published_to, target.name as published_to_name, taken_down_at_ms, taken_down_by,
           taken_down_reason, entry.version as version
    from library_entry entry
    join recording on recording.recording_id = entry.recording_id
    join lesson on lesson.lesson_id = entry.lesson_id
    join organisation school on school.organisation_id = entry.organisation_id
    join person on person.person_id = entry.teacher_id
    left join organisation target on target.organisation_id = entry.published_to
    where ";

impl Store {
    /// Matching recordings in scope, latest first, at most `limit`, from `below` on.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn library(
        &self,
        scope: &LibraryScope,
        ask: &LibraryFilter,
        below: Option<LibraryCursor>,
        limit: u32,
    ) -> Result<Vec<LibraryEntry>, StoreError> {
        let mut sql = Sql::new(SELECT_ENTRY);
        visible(&mut sql, scope, &self.right_rules().await?);
        fits(&mut sql, ask);
        if let Some(below) = below {
            sql.push(" and (entry.started_at_ms < ").bind(below.started_at.0);
            sql.push(" or (entry.started_at_ms = ").bind(below.started_at.0);
            sql.push(" and entry.recording_id < ").bind(below.recording_id.to_string()).push("))");
        }
        sql.push(" order by entry.started_at_ms desc, entry.recording_id desc limit ").bind(i64::from(limit));
        self.entries(&sql).await
    }

    /// One recording. `None`: not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn library_entry(
        &self,
        scope: &LibraryScope,
        recording_id: RecordingId,
    ) -> Result<Option<LibraryEntry>, StoreError> {
        let mut sql = Sql::new(SELECT_ENTRY);
        visible(&mut sql, scope, &self.right_rules().await?);
        sql.push(" and entry.recording_id = ").bind(recording_id.to_string());
        Ok(self.entries(&sql).await?.pop())
    }

    /// Those of these recordings that are in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn library_among(
        &self,
        scope: &LibraryScope,
        recording_ids: &[RecordingId],
    ) -> Result<BTreeSet<RecordingId>, StoreError> {
        let mut sql = Sql::new("select entry.recording_id as recording_id from library_entry entry where ");
        visible(&mut sql, scope, &self.right_rules().await?);
        sql.push(" and entry.recording_id in ").list(recording_ids.iter().map(ToString::to_string));
        sql.all(&self.pool).await?.iter().map(|row| word(row, "recording_id")).collect()
    }

    /// Number of matches in total, and per facet value: at most [`FACET_VALUES_MAX`] values of each facet, most
    /// frequent first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn library_facets(
        &self,
        scope: &LibraryScope,
        ask: &LibraryFilter,
    ) -> Result<(i64, Vec<FacetCount>), StoreError> {
        let mut sql = Sql::new(
            "with found as materialized (
                 select entry.recording_id, entry.term_id, entry.grade, entry.subject, entry.organisation_id,
                        entry.teacher_id
                 from library_entry entry where ",
        );
        visible(&mut sql, scope, &self.right_rules().await?);
        fits(&mut sql, ask);
        sql.push(
            "), by_term as materialized (select term_id, count(*) as n from found where term_id is not null group by term_id)
             select 'all' as facet, '' as value, '' as name, count(*) as n from found
             union all select 'school_year', school_year.school_year_id, min(school_year.name), cast(sum(n) as bigint)
                from by_term join term on term.term_id = by_term.term_id
                join school_year on school_year.school_year_id = term.school_year_id group by school_year.school_year_id
             union all select 'term', term.term_id, school_year.name || ' ' || term.name, n
                from by_term join term on term.term_id = by_term.term_id
                join school_year on school_year.school_year_id = term.school_year_id
             union all select 'grade', grade, grade, count(*) from found group by grade
             union all select 'subject', subject, subject, count(*) from found group by subject
             union all select 'school', school.organisation_id, school.name, n
                from (select organisation_id, count(*) as n from found group by organisation_id) counted
                join organisation school on school.organisation_id = counted.organisation_id
             union all select 'teacher', person.person_id, person.name, n
                from (select teacher_id, count(*) as n from found group by teacher_id order by n desc limit 50) counted
                join person on person.person_id = counted.teacher_id
             union all select 'point', point, point, n
                from (select point, count(*) as n from recording_point
                      where recording_id in (select recording_id from found) group by point order by n desc limit 50)
                counted",
        );
        let (mut all, mut facets) = (0, BTreeMap::<Facet, Vec<FacetCount>>::new());
        for row in sql.all(&self.pool).await? {
            let (facet, count): (String, i64) = (row.try_get("facet")?, row.try_get("n")?);
            match Facet::from_word(&facet) {
                Some(facet) => facets.entry(facet).or_default().push(FacetCount {
                    facet,
                    value: row.try_get("value")?,
                    name: row.try_get("name")?,
                    count,
                }),
                None => all = count,
            }
        }
        for counts in facets.values_mut() {
            counts.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.name.cmp(&other.name)));
            counts.truncate(FACET_VALUES_MAX);
        }
        Ok((all, facets.into_values().flatten().collect()))
    }

    pub(super) async fn entries(&self, sql: &Sql) -> Result<Vec<LibraryEntry>, StoreError> {
        let mut entries = sql.all(&self.pool).await?.iter().map(entry_from).collect::<Result<Vec<_>, _>>()?;
        if entries.is_empty() {
            return Ok(entries);
        }
        let mut sql = Sql::new("select recording_id, point from recording_point where recording_id in ");
        sql.list(entries.iter().map(|entry| entry.recording_id.to_string())).push(" order by point");
        let mut points: HashMap<RecordingId, Vec<String>> = HashMap::new();
        for row in sql.all(&self.pool).await? {
            points.entry(word(&row, "recording_id")?).or_default().push(row.try_get("point")?);
        }
        for entry in &mut entries {
            entry.points = points.remove(&entry.recording_id).unwrap_or_default();
        }
        Ok(entries)
    }

    /// Which programs and modes need a listening right, with the overrides of places.
    async fn right_rules(&self) -> Result<RightRules, StoreError> {
        let sql = Sql::new(
            "select path, rules from rule_set
             join organisation on organisation.organisation_id = rule_set.organisation_id order by rule_set.version",
        );
        let mut by_path: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in sql.all(&self.pool).await? {
            let (path, text): (String, String) = (row.try_get("path")?, row.try_get("rules")?);
            let rules: RuleSet = serde_json::from_str(&text)
                .map_err(|error| StoreError::UnknownWord { column: "rules", value: error.to_string() })?;
            by_path.insert(path, needing(&rules));
        }
        let mut by_path: Vec<_> = by_path.into_iter().collect();
        // The longest matching path prefix is the nearest organisation.
        by_path.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        Ok(RightRules { by_path, default: needing(&RuleSet::default()) })
    }
}

/// Program and mode pairs that need a listening right, as `delivery_class live`.
struct RightRules {
    by_path: Vec<(String, BTreeSet<String>)>,
    default: BTreeSet<String>,
}

fn needing(rules: &RuleSet) -> BTreeSet<String> {
    let needs = rules.programs.iter().filter(|rule| rule.needs_listening_right);
    needs.map(|rule| format!("{} {}", rule.program.as_str(), rule.mode.as_str())).collect()
}

impl RightRules {
    /// SQL condition: the lesson needs a right.
    fn push(&self, sql: &mut Sql) {
        let among = |sql: &mut Sql, needs: &BTreeSet<String>| {
            if needs.is_empty() {
                sql.push("1 = 0");
            } else {
                sql.push("(heard.program || ' ' || heard.mode) in ").list(needs.iter().map(String::as_str));
            }
        };
        if self.by_path.is_empty() {
            return among(sql, &self.default);
        }
        sql.push("case");
        for (path, needs) in &self.by_path {
            sql.push(" when teaches.path like ").bind(format!("{path}%")).push(" then ");
            among(sql, needs);
        }
        sql.push(" else ");
        among(sql, &self.default);
        sql.push(" end");
    }
}

/// SQL condition: `entry` is the caller's own, taught by them or by one of their schools.
pub(super) fn owned(sql: &mut Sql, scope: &Scope) {
    let Reach::Some { below, teacher, .. } = scope.reach() else {
        sql.push("1 = 1");
        return;
    };
    sql.push("(1 = 0");
    if let Some(teacher) = teacher {
        sql.push(" or entry.teacher_id = ").bind(teacher.to_string());
    }
    if !below.is_empty() {
        sql.push(" or entry.organisation_id in (select organisation_id from organisation where ");
        sql.within(scope, "path").push(")");
    }
    sql.push(")");
}

/// SQL condition: `entry` is visible in the scope.
fn visible(sql: &mut Sql, scope: &LibraryScope, rules: &RightRules) {
    // Deleted recordings are not listed.
    sql.push(
        "not exists (select 1 from kept_recording gone where gone.recording_id = entry.recording_id
                     and gone.state in ('deleting', 'deleted')) and (",
    );
    owned(sql, &scope.below);
    if !scope.readers.places().is_empty() {
        sql.push(" or entry.published_to in ").list(scope.readers.places().iter().map(String::as_str));
    }
    if let Reach::Some { below, classroom, .. } = scope.below.reach()
        && (!below.is_empty() || classroom.is_some())
    {
        // What a class had a right to hear stays visible: see `school::timetable::pairing::may_replay`.
        sql.push(
            " or entry.lesson_id in (
                 select hears.lesson_id from lesson_classroom hears
                 join classroom on classroom.classroom_id = hears.classroom_id
                 join organisation listener on listener.organisation_id = classroom.organisation_id
                 join lesson heard on heard.lesson_id = hears.lesson_id
                 join organisation teaches on teaches.organisation_id = heard.organisation_id
                 where (",
        );
        sql.within(&scope.below, "listener.path");
        if let Some(classroom_id) = classroom {
            sql.push(" or hears.classroom_id = ").bind(classroom_id.to_string());
        }
        sql.push(") and (heard.term_id is null or heard.live_at_ms is null or not (");
        rules.push(sql);
        sql.push(
            ") or exists (select 1 from listening_right held where held.class_id = hears.class_id
                          and held.term_id = heard.term_id and held.teaching_id = heard.organisation_id
                          and (held.ended_at_ms is null or heard.live_at_ms < held.ended_at_ms)
                          and (held.subjects is null
                               or ('\n' || held.subjects || '\n') like ('%\n' || heard.subject || '\n%')))))",
        );
    }
    sql.push(") and (entry.taken_down_at_ms is null or ");
    match &scope.keeps {
        Some(keeps) => owned(sql, keeps),
        None => {
            sql.push("1 = 0");
        }
    }
    sql.push(")");
}

/// SQL condition: `entry` matches the filter.
fn fits(sql: &mut Sql, ask: &LibraryFilter) {
    for word in ask.text.as_deref().map(words_of).unwrap_or_default() {
        // Escape the wildcards of `like`.
        let pattern = format!("%{}%", word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        sql.push(" and entry.searched like ").bind(pattern).push(" escape '\\'");
    }
    if let Some(id) = ask.school_year_id {
        sql.push(" and entry.term_id in (select term_id from term where school_year_id = ");
        sql.bind(id.to_string()).push(")");
    }
    let mut equals = |column: &str, value: Option<String>| {
        if let Some(value) = value {
            sql.push(" and entry.").push(column).push(" = ").bind(value);
        }
    };
    equals("term_id", ask.term_id.map(|id| id.to_string()));
    equals("grade", ask.grade.clone());
    equals("subject", ask.subject.clone());
    equals("lesson_id", ask.lesson_id.map(|id| id.to_string()));
    equals("teacher_id", ask.teacher_id.map(|id| id.to_string()));
    if let Some(point) = &ask.point {
        sql.push(" and entry.recording_id in (select recording_id from recording_point where point = ");
        sql.bind(point.as_str()).push(")");
    }
    if let Some(id) = ask.organisation_id {
        sql.push(
            " and entry.organisation_id in (select organisation_id from organisation where path like
                  (select path || '%' from organisation top where top.organisation_id = ",
        );
        sql.bind(id.to_string()).push("))");
    }
    if let Some(from) = ask.from {
        sql.push(" and entry.started_at_ms >= ").bind(from.0);
    }
    if let Some(until) = ask.until {
        sql.push(" and entry.started_at_ms < ").bind(until.0);
    }
}

pub(super) fn entry_from(row: &AnyRow) -> Result<LibraryEntry, StoreError> {
    let instant = |column: &str| Ok::<_, StoreError>(row.try_get::<Option<i64>, _>(column)?.map(UnixMs));
    let state: String = row.try_get("recording_state")?;
    let ended_at = instant("ended_at_ms")?;
    let state = if state == "sealed" { RecordingState::Sealed } else { RecordingState::Recording };
    Ok(LibraryEntry {
        recording_id: word(row, "recording_id")?,
        lesson_id: word(row, "lesson_id")?,
        title: row.try_get("title")?,
        summary: row.try_get("summary")?,
        subject: row.try_get("subject")?,
        grade: row.try_get("grade")?,
        teacher: Teacher { person_id: word(row, "teacher_id")?, name: row.try_get("teacher_name")? },
        organisation_id: word(row, "organisation_id")?,
        school: row.try_get("school")?,
        path: row.try_get("path")?,
        term_id: word_or_null(row, "term_id")?,
        started_at: UnixMs(row.try_get("started_at_ms")?),
        ended_at,
        state,
        licence: word(row, "licence")?,
        rights: rights_from(row)?,
        published_to: row.try_get("published_to_name")?,
        points: Vec::new(),
        version: row.try_get("version")?,
    })
}

pub(super) fn rights_from(row: &AnyRow) -> Result<Rights, StoreError> {
    let taken_down = match row.try_get::<Option<i64>, _>("taken_down_at_ms")? {
        Some(at) => Some(TakenDown {
            at: UnixMs(at),
            by: word::<Side>(row, "taken_down_by")?,
            reason: row.try_get("taken_down_reason")?,
        }),
        None => None,
    };
    Ok(Rights {
        consented_at: row.try_get::<Option<i64>, _>("consented_at_ms")?.map(UnixMs),
        published_to: word_or_null(row, "published_to")?,
        taken_down,
    })
}
