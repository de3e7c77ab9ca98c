//! Writes attendance samples from the buffer to the store.

use school::account::system_scope;

use super::registry::Registry;
use crate::store::StoreError;

impl Registry {
    /// Writes the buffered attendance samples to the store.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not answer.
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

/// Rows per transaction: two seconds of a county's lessons, or the backlog after a store outage.
const ROWS_AT_ONCE: usize = 2_000;
