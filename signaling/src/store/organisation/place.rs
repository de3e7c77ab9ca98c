//! The organisation tree, for administrators.

use crate::store::{
    AuditRow, Sql, Store, StoreError, Writing,
    db::{edit::Edited, list::ListQuery},
    word, word_or_null,
};
use serde::Serialize;
use sqlx::{Row, any::AnyRow};
use utoipa::ToSchema;

use school::{
    account::permission::Scope,
    base::{id::OrganisationId, time::UnixMs},
    organisation::{
        BadPlace, Organisation, OrganisationKind,
        code::{self, BadCode},
    },
};

/// A stored organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Organisation`")]
pub struct StoredOrganisation {
    pub organisation_id: OrganisationId,
    pub parent_id: Option<OrganisationId>,
    pub kind: OrganisationKind,
    pub name: String,
    /// Current code. `null`: none.
    pub code: Option<String>,
    /// Number of open direct children.
    pub children: i64,
    /// When it was closed. `null`: open.
    pub closed_at_ms: Option<i64>,
    /// Number of edits: the ETag.
    pub version: i64,
    #[serde(skip)]
    pub path: String,
}

/// Why a change to the tree is refused.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Store error.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Invalid code.
    #[error(transparent)]
    Code(#[from] BadCode),
    /// Invalid place in the tree.
    #[error(transparent)]
    Place(#[from] BadPlace),
}

/// Changes to an organisation. `None`: unchanged.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are those of `Organisation`")]
pub struct OrganisationEdit {
    pub name: Option<String>,
    /// `Some(None)`: its code ends.
    pub code: Option<Option<String>>,
    pub parent_id: Option<OrganisationId>,
    /// Closes it permanently.
    pub close: bool,
}

pub(crate) const SELECT_ORGANISATION: &str = "
    select organisation.organisation_id as organisation_id, parent_id, kind, name, path, closed_at_ms, version, code,
           (select count(*) from organisation below
            where below.parent_id = organisation.organisation_id and below.closed_at_ms is null) as children
    from organisation
    left join organisation_code on organisation_code.organisation_id = organisation.organisation_id
                               and until_ms is null
    where ";

impl Store {
    /// Organisations in scope, by id.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn organisations(&self, scope: &Scope, ask: &ListQuery) -> Result<Vec<StoredOrganisation>, StoreError> {
        let mut sql = Sql::new(SELECT_ORGANISATION);
        sql.within(scope, "path");
        if let Some(parent_id) = ask.parent_id {
            sql.push(" and organisation.parent_id = ").bind(parent_id.to_string());
        }
        ask.finish(&mut sql, scope, "organisation", "organisation.organisation_id", &["name", "code"]);
        sql.all(&self.pool).await?.iter().map(organisation_from).collect()
    }

    /// One organisation. `None`: not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn organisation(
        &self,
        scope: &Scope,
        id: OrganisationId,
    ) -> Result<Option<StoredOrganisation>, StoreError> {
        let mut sql = Sql::new(SELECT_ORGANISATION);
        sql.within(scope, "path").push(" and organisation.organisation_id = ").bind(id.to_string());
        sql.all(&self.pool).await?.first().map(organisation_from).transpose()
    }

    /// Adds an organisation. `None`: its parent is not in scope.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub async fn add_organisation(
        &self,
        scope: &Scope,
        organisation: &Organisation,
        row: AuditRow,
    ) -> Result<Option<StoredOrganisation>, PlaceError> {
        let mut writing = self.write().await?;
        let Some(path) = writing.add_organisation(scope, organisation, row.at).await? else { return Ok(None) };
        let stored = writing.organisation(organisation.organisation_id).await?;
        writing.commit(&row.at_place(path)).await?;
        Ok(stored)
    }

    /// Changes an organisation's name, code or place in the tree with its whole subtree, or closes it.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub async fn edit_organisation(
        &self,
        scope: &Scope,
        id: OrganisationId,
        version: i64,
        edit: &OrganisationEdit,
        row: AuditRow,
    ) -> Result<Edited<StoredOrganisation>, PlaceError> {
        let mut writing = self.write().await?;
        if writing.path(scope, id).await?.is_none() {
            return Ok(Edited::Gone);
        }
        let Some(before) = writing.organisation(id).await? else { return Ok(Edited::Gone) };
        if !writing.take_version("organisation", "organisation_id", &id.to_string(), version).await? {
            return Ok(Edited::OtherVersion);
        }
        if !writing.edit_organisation(scope, &before, edit, row.at).await? {
            return Ok(Edited::Gone);
        }
        let Some(stored) = writing.organisation(id).await? else { return Ok(Edited::Gone) };
        writing.commit(&row.at_place(stored.path.as_str())).await?;
        Ok(Edited::Done(stored))
    }
}

impl Writing {
    /// Increments the version and locks the row until the end of the transaction. False: `version` is outdated.
    pub(crate) async fn take_version(
        &mut self,
        table: &str,
        id_column: &str,
        id: &str,
        version: i64,
    ) -> Result<bool, StoreError> {
        let mut sql = Sql::new("update ");
        sql.push(table).push(" set version = version + 1 where ").push(id_column).push(" = ").bind(id);
        sql.push(" and version = ").bind(version);
        Ok(sql.run(self.on()).await? == 1)
    }

    pub(crate) async fn organisation(&mut self, id: OrganisationId) -> Result<Option<StoredOrganisation>, StoreError> {
        let mut sql = Sql::new(SELECT_ORGANISATION);
        sql.push("organisation.organisation_id = ").bind(id.to_string());
        sql.optional_on(self.on()).await?.as_ref().map(organisation_from).transpose()
    }

    /// Adds an organisation whose kind and code fit its parent's. `None`: the parent is not in scope.
    pub(crate) async fn add_organisation(
        &mut self,
        scope: &Scope,
        organisation: &Organisation,
        now: UnixMs,
    ) -> Result<Option<String>, PlaceError> {
        let parent = match organisation.parent_id {
            None => None,
            Some(id) if self.path(scope, id).await?.is_none() => return Ok(None),
            Some(id) => self.organisation(id).await?,
        };
        if !organisation.kind.may_stand_below(parent.as_ref().map(|parent| parent.kind)) {
            return Err(BadPlace::NotBelowThere.into());
        }
        if let Some(code) = &organisation.code {
            code::check(organisation.kind, code, parent.as_ref().and_then(|parent| parent.code.as_deref()))?;
        }
        Ok(self.insert_organisation(scope, organisation, now).await?)
    }

    /// False: the new parent is not in scope.
    pub(crate) async fn edit_organisation(
        &mut self,
        scope: &Scope,
        before: &StoredOrganisation,
        edit: &OrganisationEdit,
        now: UnixMs,
    ) -> Result<bool, PlaceError> {
        let id = before.organisation_id;
        let parent_id = edit.parent_id.or(before.parent_id);
        let parent = match parent_id {
            Some(parent_id) => self.organisation(parent_id).await?,
            None => None,
        };
        if let Some(parent_id) = edit.parent_id.filter(|parent_id| Some(*parent_id) != before.parent_id) {
            let Some(above) = self.path(scope, parent_id).await? else { return Ok(false) };
            if above.starts_with(&before.path) {
                return Err(BadPlace::BelowItself.into());
            }
            if !before.kind.may_stand_below(parent.as_ref().map(|parent| parent.kind)) {
                return Err(BadPlace::NotBelowThere.into());
            }
            self.move_below(before, parent_id, &above).await?;
        }
        if let Some(code) = &edit.code
            && *code != before.code
        {
            match code {
                None => self.end_code(id, now).await?,
                Some(code) => {
                    code::check(before.kind, code, parent.as_ref().and_then(|parent| parent.code.as_deref()))?;
                    self.give_code(id, code, before.kind, now).await?;
                }
            }
        }
        let mut sql = Sql::new("update organisation set version = version");
        if let Some(name) = &edit.name {
            sql.push(", name = ").bind(name.as_str());
        }
        if edit.close && before.closed_at_ms.is_none() {
            self.needs_to_be_empty(id).await?;
            self.end_code(id, now).await?;
            sql.push(", closed_at_ms = ").bind(now.0);
        }
        sql.push(" where organisation_id = ").bind(id.to_string());
        sql.run(self.on()).await?;
        Ok(true)
    }

    async fn move_below(
        &mut self,
        before: &StoredOrganisation,
        parent_id: OrganisationId,
        above: &str,
    ) -> Result<(), StoreError> {
        let path = format!("{above}{}/", before.organisation_id);
        let stored = i64::try_from(before.path.len()).unwrap_or_default() + 1;
        let mut sql = Sql::new("update organisation set path = ");
        sql.bind(path).push(" || substr(path, ").push(&stored.to_string()).push(") where path like ");
        sql.bind(format!("{}%", before.path));
        sql.run(self.on()).await?;
        let mut sql = Sql::new("update organisation set parent_id = ");
        sql.bind(parent_id.to_string()).push(" where organisation_id = ").bind(before.organisation_id.to_string());
        sql.run(self.on()).await?;
        Ok(())
    }

    async fn needs_to_be_empty(&mut self, id: OrganisationId) -> Result<(), PlaceError> {
        for (table, column) in
            [("organisation", "parent_id"), ("classroom", "organisation_id"), ("school_class", "organisation_id")]
        {
            let mut sql = Sql::new("select 1 from ");
            sql.push(table).push(" where closed_at_ms is null and ").push(column).push(" = ").bind(id.to_string());
            sql.push(" limit 1");
            if sql.optional_on(self.on()).await?.is_some() {
                return Err(BadPlace::NotEmpty.into());
            }
        }
        Ok(())
    }

    /// Refuses bureaus: they have no classrooms and no classes.
    pub(crate) async fn needs_a_school(&mut self, id: OrganisationId) -> Result<(), PlaceError> {
        let teaches = self.organisation(id).await?.is_some_and(|organisation| organisation.kind.teaches());
        if teaches { Ok(()) } else { Err(BadPlace::NotBelowThere.into()) }
    }
}

pub(crate) fn organisation_from(row: &AnyRow) -> Result<StoredOrganisation, StoreError> {
    Ok(StoredOrganisation {
        organisation_id: word(row, "organisation_id")?,
        parent_id: word_or_null(row, "parent_id")?,
        kind: word(row, "kind")?,
        name: row.try_get("name")?,
        code: row.try_get("code")?,
        children: row.try_get("children")?,
        closed_at_ms: row.try_get("closed_at_ms")?,
        version: row.try_get("version")?,
        path: row.try_get("path")?,
    })
}
