//! School years, terms, special days, bell schedules, time zones and rule sets of bureaus.
//!
//! A bureau's settings apply to every school below it, so callers who see a school see them too: see [`around`].

use std::collections::{BTreeSet, HashMap};

use jiff::civil::Date;
use sqlx::{Row, any::AnyRow};

use crate::store::{AuditRow, Sql, Store, StoreError, Versioned, Writing, word, word_or_null};
use school::{
    account::permission::{Reach, Scope},
    base::{
        id::{OrganisationId, SchoolYearId, TermId},
        zone::{Minute, SHANGHAI, Zone},
    },
    organisation::{OrganisationKind, serve_scope::Lineage},
    timetable::{
        SchoolTime,
        bell_schedule::{BellSchedule, Bells, Period, Season},
        calendar::{Calendar, DayKind, SchoolYear, SpecialDay, Term},
        rules::RuleSet,
    },
};

/// True if the path in `column` is within the scope, or above a place of it.
pub(crate) fn around(sql: &mut Sql, scope: &Scope, column: &str) {
    sql.push("(").within(scope, column);
    if let Reach::Some { below, .. } = scope.reach() {
        let above = below.iter().flat_map(|path| paths_above(path));
        sql.push(" or ").push(column).push(" in ").list(above);
    }
    sql.push(")");
}

/// Prefix paths: `/a/` is above `/a/b/`.
fn paths_above(path: &str) -> Vec<String> {
    path.char_indices().skip(1).filter(|(_, c)| *c == '/').map(|(at, _)| path[..=at].to_owned()).collect()
}

impl Store {
    /// Stores a new school year. False: its organisation is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn insert_school_year(
        &self,
        scope: &Scope,
        year: &SchoolYear,
        row: AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let Some(path) = writing.path(scope, year.organisation_id).await? else { return Ok(false) };
        let mut sql = Sql::new(
            "insert into school_year (school_year_id, organisation_id, name, first_day, last_day, version) values (",
        );
        sql.bind(year.school_year_id.to_string()).push(", ").bind(year.organisation_id.to_string()).push(", ");
        sql.bind(year.name.as_str()).push(", ").bind(year.first_day.to_string()).push(", ");
        sql.bind(year.last_day.to_string()).push(", 1)");
        sql.run(writing.on()).await?;
        writing.commit(&row.at_place(path)).await?;
        Ok(true)
    }

    /// School years around the scope, latest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn school_years(&self, scope: &Scope) -> Result<Vec<Versioned<SchoolYear>>, StoreError> {
        let mut sql = Sql::new(
            "select school_year_id, school_year.organisation_id as organisation_id, school_year.name as name,
                    first_day, last_day, school_year.version as version
             from school_year join organisation on organisation.organisation_id = school_year.organisation_id where ",
        );
        around(&mut sql, scope, "organisation.path");
        sql.push(" order by first_day desc, school_year_id limit 200");
        let read = |row: &AnyRow| {
            let value = SchoolYear {
                school_year_id: word(row, "school_year_id")?,
                organisation_id: word(row, "organisation_id")?,
                name: row.try_get("name")?,
                first_day: word(row, "first_day")?,
                last_day: word(row, "last_day")?,
            };
            Ok(Versioned { value, version: row.try_get("version")? })
        };
        sql.all(&self.pool).await?.iter().map(read).collect()
    }

    /// Stores a new term. False: its year is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn insert_term(&self, scope: &Scope, term: &Term, row: AuditRow) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new(
            "select organisation.path as path from school_year
             join organisation on organisation.organisation_id = school_year.organisation_id where school_year_id = ",
        );
        sql.bind(term.school_year_id.to_string()).push(" and ").within(scope, "organisation.path");
        let Some(found) = sql.optional_on(writing.on()).await? else { return Ok(false) };
        let path: String = found.try_get("path")?;
        let mut sql =
            Sql::new("insert into term (term_id, school_year_id, name, first_day, last_day, version) values (");
        sql.bind(term.term_id.to_string()).push(", ").bind(term.school_year_id.to_string()).push(", ");
        sql.bind(term.name.as_str()).push(", ").bind(term.first_day.to_string()).push(", ");
        sql.bind(term.last_day.to_string()).push(", 1)");
        sql.run(writing.on()).await?;
        writing.commit(&row.at_place(path)).await?;
        Ok(true)
    }

    /// Terms around the scope, latest first.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn terms(&self, scope: &Scope) -> Result<Vec<Versioned<Term>>, StoreError> {
        let mut sql = terms_sql(scope);
        sql.push(" order by term.first_day desc, term_id limit 200");
        sql.all(&self.pool).await?.iter().map(term_from).collect()
    }

    /// One term. `None`: none around the scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn term(&self, scope: &Scope, term_id: TermId) -> Result<Option<Versioned<Term>>, StoreError> {
        let mut sql = terms_sql(scope);
        sql.push(" and term_id = ").bind(term_id.to_string());
        sql.optional(&self.pool).await?.as_ref().map(term_from).transpose()
    }

    /// Sets or changes a special day. False: the organisation is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn set_special_day(
        &self,
        scope: &Scope,
        organisation_id: OrganisationId,
        day: &SpecialDay,
        row: AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let Some(path) = writing.path(scope, organisation_id).await? else { return Ok(false) };
        let (kind, taught_as) = match day.kind {
            DayKind::Off => ("off", None),
            DayKind::TaughtAs { date } => ("taught_as", Some(date.to_string())),
        };
        let mut sql =
            Sql::new("insert into special_day (special_day_id, organisation_id, day, kind, taught_as, name) values (");
        sql.bind(uuid::Uuid::now_v7().to_string()).push(", ").bind(organisation_id.to_string()).push(", ");
        sql.bind(day.date.to_string()).push(", ").bind(kind).push(", ").bind(taught_as).push(", ");
        sql.bind(day.name.as_str()).push(
            ") on conflict (organisation_id, day) do update
               set kind = excluded.kind, taught_as = excluded.taught_as, name = excluded.name",
        );
        sql.run(writing.on()).await?;
        writing.commit(&row.at_place(path)).await?;
        Ok(true)
    }

    /// Deletes a special day. False: there was none, or the organisation is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn clear_special_day(
        &self,
        scope: &Scope,
        organisation_id: OrganisationId,
        date: Date,
        row: AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let Some(path) = writing.path(scope, organisation_id).await? else { return Ok(false) };
        let mut sql = Sql::new("delete from special_day where organisation_id = ");
        sql.bind(organisation_id.to_string()).push(" and day = ").bind(date.to_string());
        if sql.run(writing.on()).await? == 0 {
            return Ok(false);
        }
        writing.commit(&row.at_place(path)).await?;
        Ok(true)
    }

    /// Special days around the scope in a date range, with their organisations.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn special_days(
        &self,
        scope: &Scope,
        from: Date,
        until: Date,
    ) -> Result<Vec<(OrganisationId, SpecialDay)>, StoreError> {
        let mut sql = Sql::new(
            "select special_day.organisation_id as organisation_id, day, special_day.kind as kind, taught_as,
                    special_day.name as name
             from special_day join organisation on organisation.organisation_id = special_day.organisation_id
             where day between ",
        );
        sql.bind(from.to_string()).push(" and ").bind(until.to_string()).push(" and ");
        around(&mut sql, scope, "organisation.path");
        sql.push(" order by day, special_day.organisation_id");
        let read = |row: &AnyRow| {
            let kind = match word_or_null(row, "taught_as")? {
                Some(date) => DayKind::TaughtAs { date },
                None => DayKind::Off,
            };
            let day = SpecialDay { date: word(row, "day")?, kind, name: row.try_get("name")? };
            Ok((word(row, "organisation_id")?, day))
        };
        sql.all(&self.pool).await?.iter().map(read).collect()
    }

    /// Stores a new bell schedule. False: its organisation is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn insert_bell_schedule(
        &self,
        scope: &Scope,
        schedule: &BellSchedule,
        row: AuditRow,
    ) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let Some(path) = writing.path(scope, schedule.organisation_id).await? else { return Ok(false) };
        let mut sql = Sql::new(
            "insert into bell_schedule (bell_schedule_id, organisation_id, stage, name, from_day, until_day, version)
             values (",
        );
        sql.bind(schedule.bell_schedule_id.to_string()).push(", ").bind(schedule.organisation_id.to_string());
        sql.push(", ").bind(schedule.stage.map(|stage| stage.as_str().to_owned())).push(", ");
        sql.bind(schedule.name.as_str()).push(", ").bind(schedule.season.from.to_string()).push(", ");
        sql.bind(schedule.season.until.to_string()).push(", 1)");
        sql.run(writing.on()).await?;
        writing.insert_bell_periods(schedule).await?;
        writing.commit(&row.at_place(path)).await?;
        Ok(true)
    }

    /// Bell schedules around the scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn bell_schedules(&self, scope: &Scope) -> Result<Vec<Versioned<BellSchedule>>, StoreError> {
        let mut sql = Sql::new(
            "select bell_schedule.bell_schedule_id as bell_schedule_id,
                    bell_schedule.organisation_id as organisation_id, stage, bell_schedule.name as name, from_day,
                    until_day, bell_schedule.version as version, period, starts_min, ends_min
             from bell_schedule
             join organisation on organisation.organisation_id = bell_schedule.organisation_id
             join bell_period on bell_period.bell_schedule_id = bell_schedule.bell_schedule_id
             where ",
        );
        around(&mut sql, scope, "organisation.path");
        sql.push(" order by bell_schedule.organisation_id, bell_schedule.bell_schedule_id, starts_min");
        let mut schedules: Vec<Versioned<BellSchedule>> = Vec::new();
        for row in sql.all(&self.pool).await? {
            let bell_schedule_id = word(&row, "bell_schedule_id")?;
            if schedules.last().is_none_or(|last| last.value.bell_schedule_id != bell_schedule_id) {
                let season = Season { from: word(&row, "from_day")?, until: word(&row, "until_day")? };
                let value = BellSchedule {
                    bell_schedule_id,
                    organisation_id: word(&row, "organisation_id")?,
                    stage: word_or_null(&row, "stage")?,
                    name: row.try_get("name")?,
                    season,
                    periods: Vec::new(),
                };
                schedules.push(Versioned { value, version: row.try_get("version")? });
            }
            if let Some(last) = schedules.last_mut() {
                let (starts, ends) = (minute(&row, "starts_min")?, minute(&row, "ends_min")?);
                last.value.periods.push(Period { name: word(&row, "period")?, starts, ends });
            }
        }
        Ok(schedules)
    }

    /// Calendar and bells of these organisations in a term. An unknown one uses those of the organisations above it.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails, or if stored days contradict each other.
    pub async fn school_times(
        &self,
        scope: &Scope,
        term: &Term,
        paths: &HashMap<OrganisationId, String>,
    ) -> Result<HashMap<OrganisationId, SchoolTime>, StoreError> {
        let schedules: Vec<BellSchedule> =
            self.bell_schedules(scope).await?.into_iter().map(|stored| stored.value).collect();
        let days = self.special_days(scope, term.first_day, term.last_day).await?;
        let zones = self.zones(scope).await?;
        let mut times = HashMap::new();
        for (organisation_id, path) in paths {
            // The path names all ancestors.
            let lineage: Vec<OrganisationId> = path.split('/').rev().filter_map(|id| id.parse().ok()).collect();
            // Farthest first, so that the nearer overrides.
            let own_days = lineage
                .iter()
                .rev()
                .flat_map(|above| days.iter().filter(move |(whose, _)| whose == above).map(|(_, day)| day.clone()));
            let wrong = |error: &dyn std::fmt::Display| StoreError::UnknownWord {
                column: "special_day.taught_as",
                value: error.to_string(),
            };
            let calendar = Calendar::new(term.clone(), own_days).map_err(|error| wrong(&error))?;
            let zone = lineage.iter().find_map(|above| zones.get(above)).map_or(SHANGHAI, String::as_str);
            let zone = Zone::named(zone).map_err(|error| wrong(&error))?;
            let own = schedules.iter().filter(|schedule| lineage.contains(&schedule.organisation_id)).cloned();
            times.insert(*organisation_id, SchoolTime { calendar, bells: Bells::new(&lineage, own), zone });
        }
        Ok(times)
    }

    /// Paths of organisations. Unknown and closed ones are left out. Not scoped: the path of a school is needed to plan
    /// its lessons.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn paths(
        &self,
        _scope: &Scope,
        organisation_ids: impl IntoIterator<Item = OrganisationId>,
    ) -> Result<HashMap<OrganisationId, String>, StoreError> {
        let mut sql = Sql::new(
            "select organisation_id, path from organisation where closed_at_ms is null and organisation_id in ",
        );
        sql.list(organisation_ids.into_iter().map(|id| id.to_string()));
        sql.all(&self.pool).await?.iter().map(|row| Ok((word(row, "organisation_id")?, row.try_get("path")?))).collect()
    }

    /// Organisations with all their ancestors, from their paths.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn lineages(
        &self,
        _scope: &Scope,
        paths: &HashMap<OrganisationId, String>,
    ) -> Result<HashMap<OrganisationId, Lineage>, StoreError> {
        let above: BTreeSet<&str> =
            paths.values().flat_map(|path| path.split('/')).filter(|id| !id.is_empty()).collect();
        let mut sql = Sql::new("select organisation_id, kind from organisation where organisation_id in ");
        sql.list(above);
        let mut kinds: HashMap<OrganisationId, OrganisationKind> = HashMap::new();
        for row in sql.all(&self.pool).await? {
            kinds.insert(word(&row, "organisation_id")?, word(&row, "kind")?);
        }
        let lineage = |path: &String| {
            let ids = path.split('/').rev().filter_map(|id| id.parse::<OrganisationId>().ok());
            Lineage { nearest_first: ids.filter_map(|id| Some((id, *kinds.get(&id)?))).collect() }
        };
        Ok(paths.iter().map(|(id, path)| (*id, lineage(path))).collect())
    }

    async fn zones(&self, scope: &Scope) -> Result<HashMap<OrganisationId, String>, StoreError> {
        let mut sql = Sql::new(
            "select school_zone.organisation_id as organisation_id, zone from school_zone
             join organisation on organisation.organisation_id = school_zone.organisation_id where ",
        );
        around(&mut sql, scope, "organisation.path");
        sql.all(&self.pool).await?.iter().map(|row| Ok((word(row, "organisation_id")?, row.try_get("zone")?))).collect()
    }

    /// Stores a bureau's rule set as its next version. `None`: the organisation is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn set_rules(
        &self,
        scope: &Scope,
        organisation_id: OrganisationId,
        rules: &RuleSet,
        row: AuditRow,
    ) -> Result<Option<RuleSet>, StoreError> {
        let mut writing = self.write().await?;
        let Some(path) = writing.path(scope, organisation_id).await? else { return Ok(None) };
        let mut sql = Sql::new("select coalesce(max(version), 1) as version from rule_set where organisation_id = ");
        sql.bind(organisation_id.to_string());
        let newest = sql.optional_on(writing.on()).await?.map_or(Ok(1), |row| row.try_get::<i64, _>("version"))?;
        let rules = RuleSet { version: u32::try_from(newest).unwrap_or_default() + 1, ..rules.clone() };
        let mut sql = Sql::new("insert into rule_set (organisation_id, version, rules, set_at_ms) values (");
        sql.bind(organisation_id.to_string()).push(", ").bind(i64::from(rules.version)).push(", ");
        sql.bind(serde_json::to_string(&rules).unwrap_or_default()).push(", ").bind(row.at.0).push(")");
        sql.run(writing.on()).await?;
        writing.commit(&row.at_place(path)).await?;
        Ok(Some(rules))
    }

    /// Rule set in force at the organisation with this path: the nearest bureau's newest, or the built-in default.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn rules_at(&self, scope: &Scope, path: &str) -> Result<RuleSet, StoreError> {
        Ok(self.rules_of(scope, [path]).await?.remove(path).unwrap_or_default())
    }

    /// The same for many organisations, by path.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn rules_of<'a>(
        &self,
        _scope: &Scope,
        paths: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashMap<String, RuleSet>, StoreError> {
        let paths: BTreeSet<&str> = paths.into_iter().collect();
        let above: BTreeSet<&str> = paths.iter().flat_map(|path| path.split('/')).filter(|id| !id.is_empty()).collect();
        let mut sql = Sql::new("select organisation_id, rules from rule_set where organisation_id in ");
        sql.list(above.iter().copied()).push(" order by version");
        // Newest last.
        let mut set: HashMap<String, RuleSet> = HashMap::new();
        for row in sql.all(&self.pool).await? {
            let (id, text): (String, String) = (row.try_get("organisation_id")?, row.try_get("rules")?);
            let rules = serde_json::from_str(&text)
                .map_err(|error| StoreError::UnknownWord { column: "rules", value: error.to_string() })?;
            set.insert(id, rules);
        }
        let nearest = |path: &str| path.split('/').rev().find_map(|id| set.get(id)).cloned().unwrap_or_default();
        Ok(paths.into_iter().map(|path| (path.to_owned(), nearest(path))).collect())
    }

    /// Time zones of organisations, from the nearest one at or above them that has one. Those that default to
    /// [`SHANGHAI`] are left out.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn zones_of(
        &self,
        _scope: &Scope,
        organisation_ids: impl IntoIterator<Item = OrganisationId>,
    ) -> Result<HashMap<OrganisationId, String>, StoreError> {
        let mut sql = Sql::new(
            "select own.organisation_id as organisation_id, zone from school_zone
             join organisation above on above.organisation_id = school_zone.organisation_id
             join organisation own on own.path like above.path || '%' where own.organisation_id in ",
        );
        // Nearest last.
        sql.list(organisation_ids.into_iter().map(|id| id.to_string())).push(" order by length(above.path)");
        sql.all(&self.pool).await?.iter().map(|row| Ok((word(row, "organisation_id")?, row.try_get("zone")?))).collect()
    }
}

impl Writing {
    /// Stores the periods of a bell schedule.
    pub(crate) async fn insert_bell_periods(&mut self, schedule: &BellSchedule) -> Result<(), StoreError> {
        let mut sql = Sql::new("insert into bell_period (bell_schedule_id, period, starts_min, ends_min) values ");
        for (n, period) in schedule.periods.iter().enumerate() {
            sql.push(if n == 0 { "(" } else { ", (" }).bind(schedule.bell_schedule_id.to_string()).push(", ");
            sql.bind(period.name.to_string()).push(", ").bind(i64::from(period.starts.after_midnight())).push(", ");
            sql.bind(i64::from(period.ends.after_midnight())).push(")");
        }
        sql.run(self.on()).await?;
        Ok(())
    }
}

fn terms_sql(scope: &Scope) -> Sql {
    let mut sql = Sql::new(
        "select term_id, term.school_year_id as school_year_id, term.name as name, term.first_day as first_day,
                term.last_day as last_day, term.version as version
         from term
         join school_year on school_year.school_year_id = term.school_year_id
         join organisation on organisation.organisation_id = school_year.organisation_id
         where ",
    );
    around(&mut sql, scope, "organisation.path");
    sql
}

fn term_from(row: &AnyRow) -> Result<Versioned<Term>, StoreError> {
    let value = Term {
        term_id: word(row, "term_id")?,
        school_year_id: word::<SchoolYearId>(row, "school_year_id")?,
        name: row.try_get("name")?,
        first_day: word(row, "first_day")?,
        last_day: word(row, "last_day")?,
    };
    Ok(Versioned { value, version: row.try_get("version")? })
}

fn minute(row: &AnyRow, column: &'static str) -> Result<Minute, StoreError> {
    let value: i64 = row.try_get(column)?;
    u16::try_from(value)
        .ok()
        .and_then(Minute::new)
        .ok_or_else(|| StoreError::UnknownWord { column, value: value.to_string() })
}
