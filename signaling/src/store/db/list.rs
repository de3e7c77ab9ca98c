//! Paging and filters of lists.

use school::{account::permission::Scope, base::id::OrganisationId};

use super::sql::Sql;

/// Page and filters of a list.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Start after this id.
    pub after: Option<String>,
    /// Maximum number of rows.
    pub limit: u32,
    /// Only rows of this organisation and those below it.
    pub organisation_id: Option<OrganisationId>,
    /// Only direct children of this organisation.
    pub parent_id: Option<OrganisationId>,
    /// Only rows whose name or code contains this text.
    pub text: Option<String>,
    /// Includes closed rows.
    pub closed: bool,
}

impl ListQuery {
    /// Conditions, order and limit. `table` has the closed column, `id` sorts, and `organisation` is joined.
    pub(crate) fn finish(&self, sql: &mut Sql, scope: &Scope, table: &str, id: &str, searched: &[&str]) {
        if !self.closed {
            sql.push(" and ").push(table).push(".closed_at_ms is null");
        }
        if let Some(organisation_id) = self.organisation_id {
            // Paths are ids and slashes, with no wildcards for `like`. A top out of scope matches nothing.
            sql.push(" and organisation.path like (select path || '%' from organisation top where organisation_id = ");
            sql.bind(organisation_id.to_string()).push(" and ").within(scope, "top.path").push(")");
        }
        if let Some(text) = self.text.as_deref().filter(|text| !text.is_empty()) {
            sql.push(" and (1 = 0");
            // Escape the wildcards of `like`.
            let pattern = format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
            for column in searched {
                sql.push(" or ").push(column).push(" like ").bind(pattern.as_str()).push(" escape '\\'");
            }
            sql.push(")");
        }
        if let Some(after) = &self.after {
            sql.push(" and ").push(id).push(" > ").bind(after.as_str());
        }
        sql.push(" order by ").push(id).push(" limit ").bind(i64::from(self.limit));
    }
}
