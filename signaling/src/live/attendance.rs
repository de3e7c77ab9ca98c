//! Attendance on its way from the roll to the store.

use school::account::system_scope;

use super::registry::Registry;
use crate::store::StoreError;

impl Registry {
    /// Writes down what was seen.
    ///
    /// # Errors
    /// [`StoreError`] where the store does not answer.
    pub async fn flush_attendance(&self) -> Result<(), StoreError> {
        loop {
            let rows = self.sample_buffer(|sample_buffer| sample_buffer.on_their_way(ROWS_AT_ONCE));
            if rows.is_empty() {
                return Ok(());
            }
            let minutes: Vec<_> = rows.iter().map(|row| row.minute.clone()).collect();
            self.shared.store.save_minutes(&system_scope::bell(), &minutes).await?;
            self.sample_buffer(|sample_buffer| sample_buffer.arrived(&rows));
            if rows.len() < ROWS_AT_ONCE {
                return Ok(());
            }
        }
    }
}

/// Rows of one transaction: a county's lessons of two seconds, or what has waited while the store was away.
const ROWS_AT_ONCE: usize = 2_000;
