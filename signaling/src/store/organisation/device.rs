//! Classroom devices: enrolment by a displayed code, sign-in with the device's own key.

use serde::Serialize;
use sqlx::{Row, any::AnyRow};
use utoipa::ToSchema;

use crate::store::{
    AuditRow, Sql, Store, StoreError, Writing,
    db::{edit::Edited, list::ListQuery},
    word, word_or_null,
};
use school::{
    account::permission::Scope,
    base::{
        id::{ClassroomId, DeviceId, EnrolmentId, PersonId, SessionId},
        time::UnixMs,
        words::words,
    },
};

words!(
    /// Signature algorithm of a device. The browser makes the key pair; the private key never leaves it.
    KeyAlgorithm {
        /// Ed25519 (RFC 8032).
        Ed25519 = "ed25519",
        /// ECDSA on P-256 with SHA-256.
        P256 = "p256",
    }
);

/// A stored device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StoredDevice {
    pub device_id: DeviceId,
    pub classroom_id: ClassroomId,
    /// Name of its classroom.
    pub classroom: String,
    /// Name of its school.
    pub school: String,
    pub name: String,
    pub algorithm: KeyAlgorithm,
    pub enrolled_at_ms: i64,
    /// Last sign-in. `null`: none yet.
    pub seen_at_ms: Option<i64>,
    /// When it was revoked. `null`: not revoked.
    pub revoked_at_ms: Option<i64>,
    /// Number of edits: the ETag.
    pub version: i64,
    #[serde(skip)]
    pub public_key: String,
    #[serde(skip)]
    pub path: String,
}

/// A device that waits for enrolment.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct NewEnrolment<'a> {
    pub enrolment_id: EnrolmentId,
    pub code_sha256: &'a str,
    pub algorithm: KeyAlgorithm,
    pub public_key: &'a str,
    pub expires_at: UnixMs,
}

/// Most devices that may wait at once. A county that opens all its schools on one morning has fewer.
const WAITING_MAX: i64 = 2_000;

const SELECT_DEVICE: &str = "
    select device_id, device.classroom_id as classroom_id, classroom.name as classroom, organisation.name as school,
           device.name as name, algorithm, public_key, enrolled_at_ms, seen_at_ms, revoked_at_ms,
           device.version as version, path
    from device
    join classroom on classroom.classroom_id = device.classroom_id
    join organisation on organisation.organisation_id = classroom.organisation_id
    where ";

impl Store {
    /// Stores a waiting device. False: too many wait.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn insert_enrolment(&self, enrolment: &NewEnrolment<'_>, row: &AuditRow) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new("delete from enrolment where expires_at_ms <= ");
        sql.bind(row.at.0).run(writing.on()).await?;
        let waiting: i64 = sqlx::query_scalar("select count(*) from enrolment").fetch_one(writing.on()).await?;
        if waiting >= WAITING_MAX {
            return Ok(false);
        }
        let mut sql =
            Sql::new("insert into enrolment (enrolment_id, code_sha256, algorithm, public_key, created_at_ms,");
        sql.push(" expires_at_ms) values (").bind(enrolment.enrolment_id.to_string()).push(", ");
        sql.bind(enrolment.code_sha256).push(", ").bind(enrolment.algorithm.as_str()).push(", ");
        sql.bind(enrolment.public_key).push(", ").bind(row.at.0).push(", ").bind(enrolment.expires_at.0).push(")");
        sql.run(writing.on()).await?;
        writing.commit(row).await?;
        Ok(true)
    }

    /// State of an enrolment. `None`: its code has expired. `Some(None)`: it still waits.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn enrolment(&self, id: EnrolmentId, now: UnixMs) -> Result<Option<Option<DeviceId>>, StoreError> {
        let mut sql = Sql::new("select device_id from enrolment where enrolment_id = ");
        sql.bind(id.to_string()).push(" and expires_at_ms > ").bind(now.0);
        sql.all(&self.pool).await?.first().map(|row| word_or_null(row, "device_id")).transpose()
    }

    /// Enrols the device that shows this code. `None`: no waiting device shows it, or the classroom is not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn enrol(
        &self,
        scope: &Scope,
        code_sha256: &str,
        (device_id, name): (DeviceId, &str),
        classroom_id: ClassroomId,
        row: AuditRow,
    ) -> Result<Option<StoredDevice>, StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new(
            "select 1 from classroom
             join organisation on organisation.organisation_id = classroom.organisation_id
             where classroom.closed_at_ms is null and classroom_id = ",
        );
        sql.bind(classroom_id.to_string()).push(" and ").within(scope, "path");
        if sql.optional_on(writing.on()).await?.is_none() {
            return Ok(None);
        }
        let mut sql = Sql::new("insert into device (device_id, classroom_id, name, algorithm, public_key,");
        sql.push(" enrolled_at_ms, version) select ").bind(device_id.to_string()).push(", ");
        sql.bind(classroom_id.to_string()).push(", ").bind(name).push(", algorithm, public_key, ");
        sql.push("cast(")
            .bind(row.at.0)
            .push(" as bigint), 1 from enrolment where device_id is null and code_sha256 = ");
        sql.bind(code_sha256).push(" and expires_at_ms > ").bind(row.at.0);
        if sql.run(writing.on()).await? == 0 {
            return Ok(None);
        }
        let mut sql = Sql::new("update enrolment set device_id = ");
        sql.bind(device_id.to_string()).push(" where code_sha256 = ").bind(code_sha256);
        sql.run(writing.on()).await?;
        let stored = writing.device(scope, device_id).await?;
        let path = stored.as_ref().map(|stored| stored.path.clone()).unwrap_or_default();
        writing.commit(&row.at_place(path)).await?;
        Ok(stored)
    }

    /// Devices in scope, by id; only one classroom's if `classroom_id` is given.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn devices(&self, scope: &Scope, ask: &ListQuery) -> Result<Vec<StoredDevice>, StoreError> {
        let mut sql = Sql::new(SELECT_DEVICE);
        sql.within(scope, "path");
        if !ask.closed {
            sql.push(" and revoked_at_ms is null");
        }
        let ask = ListQuery { closed: true, ..ask.clone() };
        ask.finish(&mut sql, scope, "device", "device_id", &["device.name", "classroom.name"]);
        sql.all(&self.pool).await?.iter().map(device_from).collect()
    }

    /// One device. `None`: not in scope.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn device(&self, scope: &Scope, id: DeviceId) -> Result<Option<StoredDevice>, StoreError> {
        let mut sql = Sql::new(SELECT_DEVICE);
        sql.within(scope, "path").push(" and device_id = ").bind(id.to_string());
        sql.all(&self.pool).await?.first().map(device_from).transpose()
    }

    /// Classroom and public key of a device that signs in, hence without a scope. `None`: unknown or revoked.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn device_at_the_door(
        &self,
        id: DeviceId,
    ) -> Result<Option<(ClassroomId, KeyAlgorithm, String)>, StoreError> {
        let mut sql = Sql::new(SELECT_DEVICE);
        sql.push("revoked_at_ms is null and classroom.closed_at_ms is null and device_id = ").bind(id.to_string());
        let device = sql.all(&self.pool).await?.first().map(device_from).transpose()?;
        Ok(device.map(|device| (device.classroom_id, device.algorithm, device.public_key)))
    }

    /// Renames or revokes a device; revoking ends its sessions.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn edit_device(
        &self,
        scope: &Scope,
        id: DeviceId,
        version: i64,
        (name, revoke): (Option<&str>, bool),
        row: AuditRow,
    ) -> Result<Edited<StoredDevice>, StoreError> {
        let mut writing = self.write().await?;
        if writing.device(scope, id).await?.is_none() {
            return Ok(Edited::Gone);
        }
        if !writing.take_version("device", "device_id", &id.to_string(), version).await? {
            return Ok(Edited::OtherVersion);
        }
        if let Some(name) = name {
            let mut sql = Sql::new("update device set name = ");
            sql.bind(name).push(" where device_id = ").bind(id.to_string()).run(writing.on()).await?;
        }
        if revoke {
            let mut sql = Sql::new("update device set revoked_at_ms = ");
            sql.bind(row.at.0).push(" where revoked_at_ms is null and device_id = ").bind(id.to_string());
            sql.run(writing.on()).await?;
            let mut sql = Sql::new("delete from session where device_id = ");
            sql.bind(id.to_string()).run(writing.on()).await?;
        }
        let Some(stored) = writing.device(scope, id).await? else { return Ok(Edited::Gone) };
        writing.commit(&row.at_place(stored.path.as_str())).await?;
        Ok(Edited::Done(stored))
    }

    /// People who may now be assistant teacher in a classroom, by name.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn assistants_of(&self, id: ClassroomId, now: UnixMs) -> Result<Vec<(PersonId, String)>, StoreError> {
        let mut sql = Sql::new(
            "select distinct person.person_id as person_id, person.name as name
             from classroom
             join organisation school on school.organisation_id = classroom.organisation_id
             join organisation place on school.path like place.path || '%'
             join role_grant on role_grant.organisation_id = place.organisation_id
             join person on person.person_id = role_grant.person_id
             where role in ('assistant', 'lead_teacher') and person.closed_at_ms is null and classroom_id = ",
        );
        sql.bind(id.to_string()).push(" and from_ms <= ").bind(now.0).push(" and (until_ms is null or until_ms > ");
        sql.bind(now.0).push(") order by person.name, person.person_id limit 200");
        let rows = sql.all(&self.pool).await?;
        rows.iter().map(|row| Ok((word(row, "person_id")?, row.try_get("name")?))).collect()
    }

    /// Sets the assistant teacher present in this session's classroom. `None`: none any more.
    ///
    /// # Errors
    /// [`StoreError`] if the database fails.
    pub async fn name_assistant(
        &self,
        session_id: SessionId,
        assistant: Option<PersonId>,
        row: &AuditRow,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let mut sql = Sql::new("update session set assistant_id = ");
        sql.bind(assistant.map(|id| id.to_string())).push(" where session_id = ").bind(session_id.to_string());
        sql.run(writing.on()).await?;
        writing.commit(row).await
    }
}

impl Writing {
    async fn device(&mut self, scope: &Scope, id: DeviceId) -> Result<Option<StoredDevice>, StoreError> {
        let mut sql = Sql::new(SELECT_DEVICE);
        sql.within(scope, "path").push(" and device_id = ").bind(id.to_string());
        sql.optional_on(self.on()).await?.as_ref().map(device_from).transpose()
    }

    /// Updates the time of last use of a device.
    pub(crate) async fn device_seen(&mut self, id: DeviceId, now: UnixMs) -> Result<(), StoreError> {
        let mut sql = Sql::new("update device set seen_at_ms = ");
        sql.bind(now.0).push(" where device_id = ").bind(id.to_string());
        sql.run(self.on()).await?;
        Ok(())
    }
}

fn device_from(row: &AnyRow) -> Result<StoredDevice, StoreError> {
    Ok(StoredDevice {
        device_id: word(row, "device_id")?,
        classroom_id: word(row, "classroom_id")?,
        classroom: row.try_get("classroom")?,
        school: row.try_get("school")?,
        name: row.try_get("name")?,
        algorithm: word(row, "algorithm")?,
        enrolled_at_ms: row.try_get("enrolled_at_ms")?,
        seen_at_ms: row.try_get("seen_at_ms")?,
        revoked_at_ms: row.try_get("revoked_at_ms")?,
        version: row.try_get("version")?,
        public_key: row.try_get("public_key")?,
        path: row.try_get("path")?,
    })
}
