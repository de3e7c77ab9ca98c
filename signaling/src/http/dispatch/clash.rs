//! What lessons clash with, as a problem and a dry run show it.

use std::collections::BTreeSet;

use school::{
    account::permission::Scope,
    base::{id::LessonId, time::UnixMs},
    dispatch::booking::Clash,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::{Store, StoreError};

/// Two lessons want the same at the same time.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Clash`")]
pub struct ClashView {
    pub lesson_id: LessonId,
    /// What it is called. Empty: it is not kept yet.
    pub title: String,
    /// `teacher`, `classroom`, `class` or `device`
    pub resource: String,
    pub resource_id: String,
    /// The lesson that has it.
    pub with: LessonId,
    /// What that one is called. Empty: it is not the asker's to know.
    pub with_title: String,
    pub starts_at_ms: UnixMs,
    pub ends_at_ms: UnixMs,
}

impl ClashView {
    /// With the titles of the lessons that have what is wanted.
    ///
    /// # Errors
    /// [`StoreError`] where the database refuses.
    pub async fn of(store: &Store, scope: &Scope, clashes: &[Clash]) -> Result<Vec<Self>, StoreError> {
        let clashes = &clashes[..clashes.len().min(CLASHES_SHOWN_MAX)];
        let ids: BTreeSet<LessonId> = clashes.iter().flat_map(|clash| [clash.lesson_id, clash.with]).collect();
        let titles = store.titles(scope, &ids.into_iter().collect::<Vec<_>>()).await?;
        let view = |clash: &Clash| Self {
            lesson_id: clash.lesson_id,
            title: titles.get(&clash.lesson_id).cloned().unwrap_or_default(),
            resource: clash.resource.kind().into(),
            resource_id: clash.resource.id(),
            with: clash.with,
            with_title: titles.get(&clash.with).cloned().unwrap_or_default(),
            starts_at_ms: clash.span.starts_at,
            ends_at_ms: clash.span.ends_at,
        };
        Ok(clashes.iter().map(view).collect())
    }
}

/// Nobody reads more of them.
const CLASHES_SHOWN_MAX: usize = 200;
