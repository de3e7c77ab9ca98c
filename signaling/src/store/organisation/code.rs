//! Codes of organisations, with history. A code is never reused.

use sqlx::Row;

use crate::store::{Sql, Store, StoreError, Writing};
use school::{
    account::permission::Scope,
    base::{id::OrganisationId, time::UnixMs},
    organisation::{
        OrganisationKind,
        code::{CodeInUse, Scheme},
    },
};

impl Writing {
    /// Assigns a code, and ends the previous one. A code that was ever assigned is refused by a table rule.
    pub(crate) async fn give_code(
        &mut self,
        organisation_id: OrganisationId,
        code: &str,
        kind: OrganisationKind,
        now: UnixMs,
    ) -> Result<(), StoreError> {
        self.end_code(organisation_id, now).await?;
        let mut sql = Sql::new("insert into organisation_code (code, organisation_id, scheme, from_ms) values (");
        sql.bind(code).push(", ").bind(organisation_id.to_string()).push(", ");
        sql.bind(Scheme::of(kind, code).as_str()).push(", ").bind(now.0).push(")");
        sql.run(self.on()).await?;
        Ok(())
    }

    /// Ends the current code, if any. It stays in the history and is never reused.
    pub(crate) async fn end_code(&mut self, organisation_id: OrganisationId, now: UnixMs) -> Result<(), StoreError> {
        let mut sql = Sql::new("update organisation_code set until_ms = ");
        sql.bind(now.0).push(" where until_ms is null and organisation_id = ").bind(organisation_id.to_string());
        sql.run(self.on()).await?;
        Ok(())
    }
}

impl Store {
    /// All codes that an organisation has had, oldest first. Also empty if it is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn codes(&self, scope: &Scope, id: OrganisationId) -> Result<Vec<CodeInUse>, StoreError> {
        let mut sql = Sql::new(
            "select code, scheme, from_ms, until_ms
             from organisation_code
             join organisation on organisation.organisation_id = organisation_code.organisation_id
             where organisation_code.organisation_id = ",
        );
        sql.bind(id.to_string()).push(" and ").within(scope, "organisation.path").push(" order by from_ms, code");
        let rows = sql.all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(CodeInUse {
                    code: row.try_get("code")?,
                    scheme: crate::store::word(row, "scheme")?,
                    from: UnixMs(row.try_get("from_ms")?),
                    until: row.try_get::<Option<i64>, _>("until_ms")?.map(UnixMs),
                })
            })
            .collect()
    }
}
