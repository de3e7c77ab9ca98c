//! Clashes of lessons, as shown in a problem or a dry run.

use std::collections::BTreeSet;

use school::{
    account::permission::Scope,
    base::{id::LessonId, time::UnixMs},
    dispatch::booking::Clash,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::{Store, StoreError};

/// Two lessons that need the same resource at the same time.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names are those of `Clash`")]
pub struct ClashView {
    pub lesson_id: LessonId,
    /// Its title. Empty: the lesson is not stored yet.
    pub title: String,
    /// `teacher`, `classroom`, `class` or `device`
    pub resource: String,
    pub resource_id: String,
    /// The lesson that holds the resource.
    pub with: LessonId,
    /// The title of that lesson. Empty: the caller may not see it.
    pub with_title: String,
    pub starts_at_ms: UnixMs,
    pub ends_at_ms: UnixMs,
}

impl ClashView {
    /// Adds the titles of the lessons.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
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

/// Clashes shown at most.
const CLASHES_SHOWN_MAX: usize = 200;
