//! Retention policies of bureaus.

use std::{collections::HashMap, time::Duration};

use school::retention::{DataClass, RetentionPolicy};
use sqlx::any::AnyRow;

use crate::store::{StoreError, db::column::bound};

/// All policies that bureaus have set.
#[derive(Clone, Debug, Default)]
pub struct Policies(pub(super) HashMap<String, RetentionPolicy>);

impl Policies {
    /// Policy in force at a path: the nearest one set at or above it, else the built-in default.
    #[must_use]
    pub fn at(&self, path: &str) -> RetentionPolicy {
        path.split('/').rev().find_map(|id| self.0.get(id)).copied().unwrap_or_default()
    }

    /// Shortest retention of a class in any policy. `None`: unlimited everywhere.
    #[must_use]
    pub fn shortest(&self, class: DataClass) -> Option<Duration> {
        let came_with = RetentionPolicy::default();
        self.0.values().chain([&came_with]).filter_map(|policy| policy.kept(class)).min()
    }
}

pub(super) fn policy_from(row: &AnyRow) -> Result<RetentionPolicy, StoreError> {
    Ok(RetentionPolicy {
        recordings_days: bound(row, "recordings_days")?,
        clips_days: bound(row, "clips_days")?,
        samples_days: bound(row, "samples_days")?,
        attendance_days: bound(row, "attendance_days")?,
    })
}
