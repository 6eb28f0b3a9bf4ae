//! A statement that is put together from pieces, for either database.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, Row};

use super::Result;
use super::db::{Either, Pool, deadline};
use crate::item::ConnectionId;

/// What stands behind a placeholder.
pub enum Value {
    Number(i64),
    Text(String),
    /// Many ids at once, more than there may be placeholders.
    Ids(Vec<i64>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Text of our own, and values that came from outside behind placeholders.
pub struct Sql {
    text: String,
    values: Vec<Value>,
    postgres: bool,
}

impl Sql {
    /// An empty statement for the database behind `pool`.
    pub fn on(pool: &Pool) -> Self {
        Self {
            text: String::new(),
            values: Vec::new(),
            postgres: matches!(pool, Either::Postgres(_)),
        }
    }

    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        let placeholder = format!("${}", self.values.len());
        self.push(&placeholder)
    }

    /// Values in parentheses with commas between them.
    pub fn bind_all(&mut self, values: impl IntoIterator<Item = i64>) -> &mut Self {
        self.push("(");
        for (at, value) in values.into_iter().enumerate() {
            self.push(if at == 0 { "" } else { ", " }).bind(value);
        }
        self.push(")")
    }

    /// `id` is one of these.
    pub fn id_in(&mut self, ids: Vec<i64>) -> &mut Self {
        let [before, behind] = match self.postgres {
            true => ["id = ANY(", ")"],
            false => ["id IN (SELECT value FROM json_each(", "))"],
        };
        self.push(before).bind(Value::Ids(ids)).push(behind)
    }

    /// The ids that the statement answers with, by connection.
    pub async fn ids(mut self, pool: &Pool) -> Result<Vec<(ConnectionId, Vec<i64>)>> {
        let together = match self.postgres {
            true => "array_agg",
            false => "json_group_array",
        };
        self.text = format!(
            "SELECT connection_id, {together}(id) FROM ({}) AS these GROUP BY connection_id",
            self.text
        );
        let ids: Vec<Together> = self.all(pool).await?;
        Ok(ids.into_iter().map(|it| (it.of, it.ids)).collect())
    }

    /// The rows that the statement answers with.
    pub async fn all<T>(self, pool: &Pool) -> Result<Vec<T>>
    where
        T: Send + Unpin + for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow>,
    {
        let Self { text, values, .. } = self;
        let text = AssertSqlSafe(text);
        deadline(async {
            match pool {
                Either::Sqlite(db) => {
                    let bound = values
                        .into_iter()
                        .fold(sqlx::query_as(text), |query, value| match value {
                            Value::Number(number) => query.bind(number),
                            Value::Text(text) => query.bind(text),
                            Value::Ids(ids) => query.bind(json(&ids)),
                        });
                    bound.fetch_all(db).await
                }
                Either::Postgres(db) => {
                    let bound = values
                        .into_iter()
                        .fold(sqlx::query_as(text), |query, value| match value {
                            Value::Number(number) => query.bind(number),
                            Value::Text(text) => query.bind(text),
                            Value::Ids(ids) => query.bind(ids),
                        });
                    bound.fetch_all(db).await
                }
            }
        })
        .await
    }
}

/// Ids in one row, for a row each would take longer to hand over than to find.
struct Together {
    of: ConnectionId,
    ids: Vec<i64>,
}

impl FromRow<'_, SqliteRow> for Together {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let ids: &str = row.try_get(1)?;
        let ids = serde_json::from_str(ids).map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(Self {
            of: row.try_get(0)?,
            ids,
        })
    }
}

impl FromRow<'_, PgRow> for Together {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            of: row.try_get(0)?,
            ids: row.try_get(1)?,
        })
    }
}

/// SQLite has no arrays, but reads JSON as a table.
fn json(ids: &[i64]) -> String {
    serde_json::to_string(ids).expect("numbers are JSON")
}
