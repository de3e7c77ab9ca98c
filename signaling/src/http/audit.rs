//! The audit: search and CSV export.

pub mod app;
pub mod problem;

use std::{collections::HashMap, fmt::Write};

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use self::problem::AuditReason;
use crate::{
    http::{
        account::identity::Identity,
        audit::app::AuditApp,
        web::{
            extract::QueryParams,
            list::{Listed, limit},
            problem::{ApiError, Problems, common::CommonProblem, invalid},
        },
    },
    store::{
        Outcome,
        audit::{AuditLine, AuditSearch},
    },
};
use school::{
    account::permission::{Permission, Scope},
    base::time::UnixMs,
};

/// Rows per export, at most. A larger export must be split by time.
const EXPORT_MAX: u32 = 50_000;

/// Longest search text in bytes; no stored value of these columns is longer.
const TEXT_BYTES_MAX: usize = 200;

/// Rows read from the store per query.
const BATCH: u32 = 2_000;

/// Search filters. A missing field does not filter.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditListing {
    /// `next` of the page before.
    after: Option<i64>,
    /// Page size, 1 to 200. Missing: 50 in a list, no limit in an export.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `person:<id>`, `classroom:<id>`, `guest`, `publisher` or `system`.
    actor: Option<String>,
    /// For example `sign_in`.
    act: Option<String>,
    /// For example `lesson:<id>`.
    object: Option<String>,
    outcome: Option<Outcome>,
    /// Inclusive.
    from_ms: Option<UnixMs>,
    /// Exclusive.
    until_ms: Option<UnixMs>,
}

/// One audit row.
#[derive(Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `AuditLine`")]
pub struct AuditEntry {
    pub seq: i64,
    pub at_ms: UnixMs,
    pub actor: String,
    /// The actor's current name. `null`: it has none, or the caller may not see it.
    pub actor_name: Option<String>,
    /// The assistant teacher at the device. Empty: none was named.
    pub beside: String,
    pub beside_name: Option<String>,
    pub act: String,
    pub object: String,
    pub object_name: Option<String>,
    pub outcome: Outcome,
    pub detail: String,
    pub address: String,
    /// SHA-256 over this row and the hash of the row before.
    pub sha256: String,
}

impl AuditEntry {
    fn of(line: AuditLine, names: &HashMap<String, String>) -> Self {
        let name = |of: &String| names.get(of).cloned();
        Self {
            seq: line.seq,
            at_ms: line.at,
            actor_name: name(&line.actor),
            beside_name: name(&line.beside),
            object_name: name(&line.object),
            actor: line.actor,
            beside: line.beside,
            act: line.act,
            object: line.object,
            outcome: line.outcome,
            detail: line.detail,
            address: line.address,
            sha256: line.sha256,
        }
    }
}

/// Names of the actors, assistants and objects in these rows.
async fn names(app: &AuditApp, scope: &Scope, lines: &[AuditLine]) -> Result<HashMap<String, String>, ApiError> {
    let named = lines.iter().flat_map(|line| [line.actor.as_str(), &line.beside, &line.object]);
    Ok(app.store.names(scope, named).await?)
}

impl AuditListing {
    fn search(self) -> Result<AuditSearch, ApiError> {
        for text in [&self.actor, &self.act, &self.object].into_iter().flatten() {
            if text.len() > TEXT_BYTES_MAX || text.contains('\0') {
                let why = format!("`actor`, `act` and `object` have at most {TEXT_BYTES_MAX} bytes");
                return Err(CommonProblem::bad_request(why).into());
            }
        }
        Ok(AuditSearch {
            actor: self.actor,
            act: self.act,
            object: self.object,
            outcome: self.outcome,
            from: self.from_ms,
            until: self.until_ms,
        })
    }
}

/// List audit rows, newest first
#[utoipa::path(get, path = "/audit", tag = "audit", params(AuditListing), extensions(("x-act" = json!("see_audit"))),
    responses((status = 200, body = Listed<AuditEntry>), Problems))]
pub async fn list_audit(
    State(app): State<AuditApp>,
    identity: Identity,
    QueryParams(listing): QueryParams<AuditListing>,
) -> Result<Json<Listed<AuditEntry>>, ApiError> {
    let scope = identity.scope(Permission::SeeAudit)?;
    let (limit, after) = (limit(listing.limit)? + 1, listing.after);
    let lines = app.store.audit_lines(&scope, &listing.search()?, after, limit).await?;
    let names = names(&app, &scope, &lines).await?;
    let entries = lines.into_iter().map(|line| AuditEntry::of(line, &names)).collect();
    Ok(Json(Listed::new(entries, limit, |entry: &AuditEntry| entry.seq.to_string())))
}

/// Export audit rows as CSV, newest first; the export itself is audited
#[utoipa::path(get, path = "/exports/audit", tag = "audit", params(AuditListing),
    extensions(("x-act" = json!("see_audit"))),
    responses((status = 200, content_type = "text/csv", body = String), Problems))]
pub async fn export_audit(
    State(app): State<AuditApp>,
    identity: Identity,
    QueryParams(listing): QueryParams<AuditListing>,
) -> Result<Response, ApiError> {
    let scope = identity.scope(Permission::SeeAudit)?;
    // Without a limit all rows; with one, exactly the rows that the list shows.
    let mut left = listing.limit.map(|asked| limit(Some(asked))).transpose()?.unwrap_or(u32::MAX);
    let (mut below, search) = (listing.after, listing.search()?);
    let mut text = String::from(
        "\u{feff}seq,at_ms,actor,actor_name,beside,beside_name,act,object,object_name,outcome,detail,address,sha256\r\n",
    );
    let mut taken = 0;
    while left > 0 {
        let lines = app.store.audit_lines(&scope, &search, below, BATCH.min(left)).await?;
        left -= u32::try_from(lines.len()).unwrap_or(left).min(left);
        let Some(last) = lines.last() else { break };
        below = Some(last.seq);
        let names = names(&app, &scope, &lines).await?;
        let name = |of: &String| names.get(of).map(String::as_str).unwrap_or_default();
        for line in &lines {
            taken += 1;
            let who = [&line.actor, name(&line.actor), &line.beside, name(&line.beside)];
            let cells = [who[0], who[1], who[2], who[3], &line.act, &line.object, name(&line.object)].map(cell);
            let more = [line.outcome.as_str(), &line.detail, &line.address, &line.sha256].map(cell);
            let _ = write!(text, "{},{},{},{}\r\n", line.seq, line.at.0, cells.join(","), more.join(","));
        }
        if taken > EXPORT_MAX {
            return Err(invalid("from_ms", &AuditReason::ExportTooLong { max: EXPORT_MAX }));
        }
    }
    app.store.audit(&identity.row(&app.clock, "export_audit", format!("audit:{taken}"))).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit.csv\""),
    ];
    Ok((headers, text).into_response())
}

/// A CSV cell that no spreadsheet evaluates as a formula. A cell that looks escaped already is escaped once more, so
/// that [`unguarded`] restores the original.
#[must_use]
pub fn cell(text: &str) -> String {
    let guard = if text.trim_start_matches('\'').starts_with(FORMULA) { "'" } else { "" };
    let safe = format!("{guard}{text}");
    if safe.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}

/// Characters that start a formula in a spreadsheet, with the full-width forms that Chinese ones accept.
const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// Inverse of [`cell`]: removes the leading quote before a formula character.
#[must_use]
pub fn unguarded(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| rest.trim_start_matches('\'').starts_with(FORMULA)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_text_and_never_a_formula() {
        let table = [
            ("张老师", "张老师"),
            ("=cmd|'/c calc'!A1", "'=cmd|'/c calc'!A1"),
            ("+1,2", "\"'+1,2\""),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("＝1+1", "'＝1+1"),
            ("'=1", "''=1"),
            ("'引号", "'引号"),
            ("a\"b", "\"a\"\"b\""),
        ];
        for (text, expected) in table {
            assert_eq!(cell(text), expected);
            let bare = expected.trim_matches('"').replace("\"\"", "\"");
            assert_eq!(unguarded(&bare), text);
        }
    }
}
