//! Pairings and listening rights.

use sqlx::{Row, any::AnyRow};

use crate::store::{
    AuditRow, Sql, Store, StoreError, Versioned, Writing, db::column::instant_or_null, word, word_or_null,
};
use school::{
    account::permission::Scope,
    base::{
        id::{ClassId, ListeningRightId, OrganisationId, PairingId, TermId},
        time::UnixMs,
    },
    timetable::pairing::{Extent, ListeningRight, PairedAlready, Pairing, StandingAct, WrongStanding},
};

/// Why an agreement is refused.
#[derive(Debug, thiserror::Error)]
pub enum AgreementError {
    /// Not in scope.
    #[error("there is no such agreement, school or class here")]
    NotFound,
    /// Another one for the same class is in force.
    #[error(transparent)]
    PairedAlready(#[from] PairedAlready),
    /// Already cancelled.
    #[error(transparent)]
    WrongStanding(#[from] WrongStanding),
    /// Store error.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Stores a new pairing and the listening rights that it grants. The teaching school and every class must be in
    /// scope.
    ///
    /// # Errors
    /// [`AgreementError`].
    pub async fn insert_pairing(
        &self,
        scope: &Scope,
        pairing: &Pairing,
        row: AuditRow,
    ) -> Result<Vec<ListeningRight>, AgreementError> {
        let mut writing = self.write().await?;
        let path = writing.path(scope, pairing.teaching_id).await?.ok_or(AgreementError::NotFound)?;
        writing.hold_term(pairing.term_id).await?;
        for class_id in &pairing.class_ids {
            writing.class_in(scope, *class_id).await?;
        }
        pairing.check(&writing.pairings_of(pairing.term_id).await?)?;
        let mut sql = Sql::new(
            "insert into pairing (pairing_id, term_id, topology, teaching_id, subjects, standing, version) values (",
        );
        sql.bind(pairing.pairing_id.to_string()).push(", ").bind(pairing.term_id.to_string()).push(", ");
        sql.bind(pairing.topology.as_str()).push(", ").bind(pairing.teaching_id.to_string()).push(", ");
        sql.bind(write_extent(&pairing.extent)).push(", ").bind(pairing.standing.as_str()).push(", 1)");
        sql.run(writing.on()).await?;
        let rights = pairing.rights();
        for right in &rights {
            let mut sql = Sql::new("insert into pairing_class (pairing_id, class_id) values (");
            sql.bind(pairing.pairing_id.to_string()).push(", ").bind(right.class_id.to_string()).push(")");
            sql.run(writing.on()).await?;
            writing.insert_right(right).await?;
        }
        writing.commit(&row.at_place(path)).await?;
        Ok(rights)
    }

    /// Freezes, resumes or cancels a pairing with all its rights.
    ///
    /// # Errors
    /// [`AgreementError`].
    pub async fn change_pairing(
        &self,
        scope: &Scope,
        pairing_id: PairingId,
        act: StandingAct,
        row: AuditRow,
    ) -> Result<Versioned<Pairing>, AgreementError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new(
            "select pairing_id, term_id, topology, teaching_id, subjects, standing, pairing.version as version, path
             from pairing join organisation on organisation.organisation_id = teaching_id where pairing_id = ",
        );
        sql.bind(pairing_id.to_string()).push(" and ").within(scope, "path");
        let found = sql.optional_on(writing.on()).await?.ok_or(AgreementError::NotFound)?;
        let path: String = found.try_get("path").map_err(StoreError::from)?;
        let mut stored = pairing_from(&found)?;
        stored.value.standing = stored.value.standing.after(act)?;
        stored.version += 1;
        let mut sql = Sql::new("update pairing set version = version + 1, standing = ");
        sql.bind(stored.value.standing.as_str()).push(" where pairing_id = ").bind(pairing_id.to_string());
        sql.run(writing.on()).await?;
        let mut changed = Vec::new();
        for right in writing.rights_of_pairing(pairing_id).await? {
            // A right that was cancelled separately stays cancelled.
            if let Ok(after) = right.after(act, row.at) {
                writing.change_right(&after).await?;
                changed.push(after);
            }
        }
        let row = self.released(scope, &mut writing, act, &changed, row.at_place(path)).await?;
        writing.commit(&row).await?;
        Ok(stored)
    }

    /// Pairings of a term, taught by schools in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn pairings(&self, scope: &Scope, term_id: TermId) -> Result<Vec<Versioned<Pairing>>, StoreError> {
        let mut sql = Sql::new(
            "select pairing_id, term_id, topology, teaching_id, subjects, standing, pairing.version as version
             from pairing join organisation on organisation.organisation_id = teaching_id where term_id = ",
        );
        sql.bind(term_id.to_string()).push(" and ").within(scope, "path").push(" order by pairing_id");
        let mut pairings = sql.all(&self.pool).await?.iter().map(pairing_from).collect::<Result<Vec<_>, _>>()?;
        let mut sql = Sql::new(
            "select pairing_class.pairing_id as pairing_id, class_id from pairing_class
             join pairing on pairing.pairing_id = pairing_class.pairing_id where term_id = ",
        );
        sql.bind(term_id.to_string()).push(" order by class_id");
        for row in sql.all(&self.pool).await? {
            let pairing_id: PairingId = word(&row, "pairing_id")?;
            if let Some(stored) = pairings.iter_mut().find(|stored| stored.value.pairing_id == pairing_id) {
                stored.value.class_ids.push(word(&row, "class_id")?);
            }
        }
        Ok(pairings)
    }

    /// Grants a class a listening right of its own. Class and teaching school must be in scope.
    ///
    /// # Errors
    /// [`AgreementError`].
    pub async fn insert_listening_right(
        &self,
        scope: &Scope,
        right: &ListeningRight,
        row: AuditRow,
    ) -> Result<(), AgreementError> {
        let mut writing = self.write().await?;
        let path = writing.path(scope, right.teaching_id).await?.ok_or(AgreementError::NotFound)?;
        writing.hold_term(right.term_id).await?;
        writing.class_in(scope, right.class_id).await?;
        writing.insert_right(right).await?;
        Ok(writing.commit(&row.at_place(path)).await?)
    }

    /// Freezes, resumes or cancels one right.
    ///
    /// # Errors
    /// [`AgreementError`].
    pub async fn change_listening_right(
        &self,
        scope: &Scope,
        listening_right_id: ListeningRightId,
        act: StandingAct,
        row: AuditRow,
    ) -> Result<ListeningRight, AgreementError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new(SELECT_RIGHT);
        sql.push("listening_right_id = ").bind(listening_right_id.to_string()).push(" and ").within(scope, "path");
        let found = sql.optional_on(writing.on()).await?.ok_or(AgreementError::NotFound)?;
        let path: String = found.try_get("path").map_err(StoreError::from)?;
        let after = right_from(&found)?.after(act, row.at)?;
        writing.change_right(&after).await?;
        let changed = std::slice::from_ref(&after);
        let row = self.released(scope, &mut writing, act, changed, row.at_place(path)).await?;
        writing.commit(&row).await?;
        Ok(after)
    }

    /// Cancelling also removes the class from coming lessons; the audit row says from how many. Freezing can be undone,
    /// and its lessons stay planned.
    async fn released(
        &self,
        scope: &Scope,
        writing: &mut Writing,
        act: StandingAct,
        changed: &[ListeningRight],
        row: AuditRow,
    ) -> Result<AuditRow, StoreError> {
        if act != StandingAct::Cancel {
            return Ok(row);
        }
        let rules = self.rules_at(scope, &row.place).await?;
        let lessons = writing.revoke_lessons(&rules, changed, row.at).await?;
        let said = format!("{} lessons={lessons}", row.detail);
        Ok(row.saying(said))
    }

    /// Rights of a term whose class or teaching school is in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn listening_rights(
        &self,
        scope: &Scope,
        term_id: TermId,
        after: Option<ListeningRightId>,
        limit: i64,
    ) -> Result<Vec<ListeningRight>, StoreError> {
        let mut sql = Sql::new(SELECT_RIGHT);
        sql.push("listening_right.term_id = ").bind(term_id.to_string()).push(" and (").within(scope, "path");
        sql.push(
            " or class_id in (select class_id from school_class
                              join organisation home on home.organisation_id = school_class.organisation_id where ",
        );
        sql.within(scope, "home.path").push("))");
        if let Some(after) = after {
            sql.push(" and listening_right_id > ").bind(after.to_string());
        }
        sql.push(" order by listening_right_id limit ").bind(limit);
        sql.all(&self.pool).await?.iter().map(right_from).collect()
    }

    /// Every right of these classes in a term, in any state: for [`school::timetable::pairing::may_listen`].
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn rights_of_classes(
        &self,
        _scope: &Scope,
        term_id: TermId,
        class_ids: &[ClassId],
    ) -> Result<Vec<ListeningRight>, StoreError> {
        rights_sql(term_id, class_ids).all(&self.pool).await?.iter().map(right_from).collect()
    }
}

impl Writing {
    /// Locks the term row: agreements of one term are made one at a time.
    async fn hold_term(&mut self, term_id: TermId) -> Result<(), AgreementError> {
        let mut sql = Sql::new("update term set version = version where term_id = ");
        sql.bind(term_id.to_string());
        if sql.run(self.on()).await? == 0 { Err(AgreementError::NotFound) } else { Ok(()) }
    }

    async fn class_in(&mut self, scope: &Scope, class_id: ClassId) -> Result<(), AgreementError> {
        let mut sql = Sql::new(
            "select 1 as one from school_class
             join organisation on organisation.organisation_id = school_class.organisation_id where class_id = ",
        );
        sql.bind(class_id.to_string()).push(" and ").within(scope, "path");
        sql.optional_on(self.on()).await?.map(|_| ()).ok_or(AgreementError::NotFound)
    }

    async fn pairings_of(&mut self, term_id: TermId) -> Result<Vec<Pairing>, StoreError> {
        let mut pairings: Vec<Pairing> = Vec::new();
        let rows = sqlx::query(
            "select pairing.pairing_id as pairing_id, term_id, topology, teaching_id, subjects, standing, version, class_id
             from pairing join pairing_class on pairing_class.pairing_id = pairing.pairing_id
             where term_id = $1 and standing <> 'cancelled' order by pairing.pairing_id",
        )
        .bind(term_id.to_string())
        .fetch_all(self.on())
        .await?;
        for row in rows {
            let pairing = pairing_from(&row)?.value;
            if pairings.last().is_none_or(|last| last.pairing_id != pairing.pairing_id) {
                pairings.push(pairing);
            }
            if let Some(last) = pairings.last_mut() {
                last.class_ids.push(word(&row, "class_id")?);
            }
        }
        Ok(pairings)
    }

    async fn rights_of_pairing(&mut self, pairing_id: PairingId) -> Result<Vec<ListeningRight>, StoreError> {
        let rows = sqlx::query(&format!("{SELECT_RIGHT} pairing_id = $1"))
            .bind(pairing_id.to_string())
            .fetch_all(self.on())
            .await?;
        rows.iter().map(right_from).collect()
    }

    async fn insert_right(&mut self, right: &ListeningRight) -> Result<(), StoreError> {
        let mut sql = Sql::new(
            "insert into listening_right (listening_right_id, term_id, teaching_id, class_id, pairing_id, subjects,
                                          standing, ended_at_ms, version) values (",
        );
        sql.bind(right.listening_right_id.to_string()).push(", ").bind(right.term_id.to_string()).push(", ");
        sql.bind(right.teaching_id.to_string()).push(", ").bind(right.class_id.to_string()).push(", ");
        sql.bind(right.pairing_id.map(|id| id.to_string())).push(", ").bind(write_extent(&right.extent)).push(", ");
        sql.bind(right.standing.as_str()).push(", ").bind(right.ended_at.map(|at| at.0)).push(", 1)");
        sql.run(self.on()).await?;
        Ok(())
    }

    async fn change_right(&mut self, right: &ListeningRight) -> Result<(), StoreError> {
        let mut sql = Sql::new("update listening_right set version = version + 1, standing = ");
        sql.bind(right.standing.as_str()).push(", ended_at_ms = ").bind(right.ended_at.map(|at: UnixMs| at.0));
        sql.push(" where listening_right_id = ").bind(right.listening_right_id.to_string());
        sql.run(self.on()).await?;
        Ok(())
    }
}

/// Every right of these classes in a term.
pub(crate) fn rights_sql(term_id: TermId, class_ids: &[ClassId]) -> Sql {
    let mut sql = Sql::new(SELECT_RIGHT);
    sql.push("listening_right.term_id = ").bind(term_id.to_string()).push(" and class_id in ");
    sql.list(class_ids.iter().map(ToString::to_string));
    sql
}

const SELECT_RIGHT: &str = "
    select listening_right_id, term_id, teaching_id, class_id, pairing_id, subjects, standing, ended_at_ms, path
    from listening_right join organisation on organisation.organisation_id = teaching_id where ";

fn pairing_from(row: &AnyRow) -> Result<Versioned<Pairing>, StoreError> {
    let value = Pairing {
        pairing_id: word(row, "pairing_id")?,
        term_id: word(row, "term_id")?,
        topology: word(row, "topology")?,
        teaching_id: word::<OrganisationId>(row, "teaching_id")?,
        class_ids: Vec::new(),
        extent: read_extent(row)?,
        standing: word(row, "standing")?,
    };
    Ok(Versioned { value, version: row.try_get("version")? })
}

pub(crate) fn right_from(row: &AnyRow) -> Result<ListeningRight, StoreError> {
    Ok(ListeningRight {
        listening_right_id: word(row, "listening_right_id")?,
        term_id: word(row, "term_id")?,
        teaching_id: word(row, "teaching_id")?,
        class_id: word(row, "class_id")?,
        pairing_id: word_or_null(row, "pairing_id")?,
        extent: read_extent(row)?,
        standing: word(row, "standing")?,
        ended_at: instant_or_null(row, "ended_at_ms")?,
    })
}

fn write_extent(extent: &Extent) -> Option<String> {
    match extent {
        Extent::WholeClass => None,
        Extent::Subjects(subjects) => Some(subjects.join("\n")),
    }
}

fn read_extent(row: &AnyRow) -> Result<Extent, StoreError> {
    let subjects: Option<String> = row.try_get("subjects")?;
    Ok(match subjects {
        None => Extent::WholeClass,
        Some(subjects) => Extent::Subjects(subjects.lines().map(str::to_owned).collect()),
    })
}
