//! Which part of a list is asked for.

use school::{account::permission::Scope, base::id::OrganisationId};

use super::sql::Sql;

/// Which part of a list is asked for.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Begin behind this id.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
    /// Only what belongs to this organisation or to one below it: the organisation itself too.
    pub organisation_id: Option<OrganisationId>,
    /// Only organisations right below this one.
    pub parent_id: Option<OrganisationId>,
    /// Only what has this in its name or code.
    pub text: Option<String>,
    /// What is closed as well.
    pub closed: bool,
}

impl ListQuery {
    /// Conditions, order and limit. `table` names the closed column's table, `id` orders, and `organisation` is joined.
    pub(crate) fn finish(&self, sql: &mut Sql, scope: &Scope, table: &str, id: &str, searched: &[&str]) {
        if !self.closed {
            sql.push(" and ").push(table).push(".closed_at_ms is null");
        }
        if let Some(organisation_id) = self.organisation_id {
            // A path is ids and slashes: no character of it means anything to `like`. A top out of scope has nothing.
            sql.push(" and organisation.path like (select path || '%' from organisation top where organisation_id = ");
            sql.bind(organisation_id.to_string()).push(" and ").within(scope, "top.path").push(")");
        }
        if let Some(text) = self.text.as_deref().filter(|text| !text.is_empty()) {
            sql.push(" and (1 = 0");
            // Whatever was typed means itself.
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
