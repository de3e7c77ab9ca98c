//! Reads columns into domain types.

use std::str::FromStr;

use school::base::time::UnixMs;
use sqlx::{Row, any::AnyRow};

use super::StoreError;

/// Reads a text column that holds an id or an enum value.
pub(crate) fn word<T: FromStr>(row: &AnyRow, column: &'static str) -> Result<T, StoreError> {
    let value: String = row.try_get(column)?;
    value.parse().map_err(|_| StoreError::UnknownWord { column, value })
}

/// Reads a nullable text column.
pub(crate) fn word_or_null<T: FromStr>(row: &AnyRow, column: &'static str) -> Result<Option<T>, StoreError> {
    let value: Option<String> = row.try_get(column)?;
    value.map(|value| value.parse().map_err(|_| StoreError::UnknownWord { column, value })).transpose()
}

/// Reads a nullable instant.
pub(crate) fn instant_or_null(row: &AnyRow, column: &str) -> Result<Option<UnixMs>, StoreError> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(UnixMs))
}

pub(crate) fn bound(row: &AnyRow, column: &str) -> Result<Option<u32>, StoreError> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(|bound| u32::try_from(bound).unwrap_or(u32::MAX)))
}

pub(crate) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
