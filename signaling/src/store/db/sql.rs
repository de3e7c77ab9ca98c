//! Statement builder. sqlx's own builder writes `?`, which PostgreSQL does not accept; this one numbers placeholders.

use sqlx::{Any, AnyConnection, AnyPool, any::AnyArguments, any::AnyRow, query::Query};

use crate::store::StoreError;
use school::account::permission::{Reach, Scope};

/// A statement and the values of its `$1`, `$2`, ….
#[derive(Clone, Debug, Default)]
pub(crate) struct Sql {
    text: String,
    values: Vec<Value>,
}

/// Value of a column.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(Option<String>),
    Integer(Option<i64>),
    /// Floating point.
    Real(Option<f64>),
    /// Null, for a column whose type is not known here.
    Nothing,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(Some(number))
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::String(text) => Self::Text(Some(text)),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(whole) => Self::Integer(Some(whole)),
                None => Self::Real(number.as_f64()),
            },
            _ => Self::Nothing,
        }
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Integer(number)
    }
}

impl Sql {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    /// Appends trusted SQL text. Never user input.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Binds a value as the next `$N`.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        let value = value.into();
        if matches!(value, Value::Nothing) {
            return self.push("null");
        }
        self.values.push(value);
        self.text.push_str(&format!("${}", self.values.len()));
        self
    }

    /// Values in parentheses; without values, a list that matches nothing.
    pub(crate) fn list(&mut self, values: impl IntoIterator<Item = impl Into<Value>>) -> &mut Self {
        self.push("(");
        let mut any = false;
        for value in values {
            if any {
                self.push(", ");
            }
            self.bind(value);
            any = true;
        }
        self.push(if any { ")" } else { "null)" })
    }

    /// True if the path in `column` is within the scope.
    pub(crate) fn within(&mut self, scope: &Scope, column: &str) -> &mut Self {
        let below = match scope.reach() {
            Reach::Everything => return self.push("1 = 1"),
            Reach::Some { below, .. } => below,
        };
        self.push("(1 = 0");
        for path in below {
            // Paths are ids and slashes, with no wildcards for `like`.
            self.push(" or ").push(column).push(" like ").bind(format!("{path}%"));
        }
        self.push(")")
    }

    pub(crate) fn query(&self) -> Query<'_, Any, AnyArguments<'_>> {
        let mut query = sqlx::query(&self.text);
        for value in &self.values {
            query = match value {
                Value::Text(text) => query.bind(text.as_deref()),
                Value::Integer(number) => query.bind(*number),
                Value::Real(number) => query.bind(*number),
                Value::Nothing => unreachable!("written as null"),
            };
        }
        query
    }

    pub(crate) async fn all(&self, from: &AnyPool) -> Result<Vec<AnyRow>, StoreError> {
        Ok(self.query().fetch_all(from).await?)
    }

    pub(crate) async fn optional(&self, from: &AnyPool) -> Result<Option<AnyRow>, StoreError> {
        Ok(self.query().fetch_optional(from).await?)
    }

    pub(crate) async fn optional_on(&self, on: &mut AnyConnection) -> Result<Option<AnyRow>, StoreError> {
        Ok(self.query().fetch_optional(on).await?)
    }

    /// Returns the number of affected rows.
    pub(crate) async fn run(&self, on: &mut AnyConnection) -> Result<u64, StoreError> {
        Ok(self.query().execute(on).await?.rows_affected())
    }
}
