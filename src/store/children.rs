//! What stands in an item.

use super::db::on;
use super::{ListRow, Result, Store};

/// Something that stands in an item, by what its provider calls it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Child {
    pub kind: String,
    pub id: String,
}

impl Store {
    /// Some of what stands in an item, the latest changed first.
    pub async fn children_of(&self, of: &ListRow, limit: usize) -> Result<Vec<Child>> {
        on!(self.pools.read, db => sqlx::query_as(
            "SELECT type AS kind, provider_id AS id FROM items
             WHERE connection_id = $1 AND parent_id = $2 AND parent_kind = $3 AND parent_container = $4
                AND gone_at IS NULL ORDER BY modified_at DESC, id DESC LIMIT $5")
            .bind(of.connection).bind(&of.provider_id).bind(&of.kind).bind(&of.container)
            .bind(limit as i64).fetch_all(db).await)
    }
}
