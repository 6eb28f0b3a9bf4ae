//! One item: the record as it came, and what stands in it.

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;

use super::list::{ListRow, ROW, Row};
use super::{Result, Store, on, time};
use crate::item::{ConnectionId, WorkspaceId};

/// What names an item. Where an id stands in several containers and none is named, it is the first.
pub struct ItemKey<'a> {
    pub connection: ConnectionId,
    pub kind: &'a str,
    pub id: &'a str,
    pub container: Option<&'a str>,
}

/// An item with all that is kept of it.
pub struct Whole {
    pub row: ListRow,
    /// As it came, byte for byte.
    pub raw: Vec<u8>,
    /// When an import last met it; `None` for one that a person had kept.
    pub seen_at: Option<DateTime<Utc>>,
}

/// Something that stands in an item, by what its provider calls it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Child {
    pub kind: String,
    pub id: String,
}

impl Store {
    /// An item of the workspace.
    pub async fn item(&self, workspace: WorkspaceId, key: &ItemKey<'_>) -> Result<Option<Whole>> {
        // PostgreSQL refuses to look for what no text can hold.
        if [key.kind, key.id].iter().any(|text| text.contains('\0')) {
            return Ok(None);
        }
        let row: Option<Row> = on!(self.pools.read, db => {
            let mut sql = QueryBuilder::new("SELECT ");
            sql.push(ROW).push(
                " FROM items i WHERE EXISTS (SELECT 1 FROM connections c WHERE c.id = i.connection_id
                    AND c.disconnected_at IS NULL AND c.workspace_id = ").push_bind(workspace)
                .push(") AND i.connection_id = ").push_bind(key.connection)
                .push(" AND i.type = ").push_bind(key.kind)
                .push(" AND i.provider_id = ").push_bind(key.id);
            if let Some(container) = key.container {
                sql.push(" AND i.container = ").push_bind(container);
            }
            sql.push(" ORDER BY i.gone_at IS NOT NULL, i.container LIMIT 1")
                .build_query_as().fetch_optional(db).await
        })?;
        let Some(row) = row.map(ListRow::from) else {
            return Ok(None);
        };
        let kept: Option<(Vec<u8>, Option<i64>)> = on!(self.pools.read, db => sqlx::query_as(
            "SELECT w.raw, r.started_at FROM items i JOIN item_raws w ON w.item_id = i.id
             LEFT JOIN runs r ON r.id = i.seen_run WHERE i.id = $1")
            .bind(row.id).fetch_optional(db).await)?;
        Ok(kept.map(|(raw, seen_at)| Whole {
            row,
            raw,
            seen_at: seen_at.map(time),
        }))
    }

    /// The record of an item as it came.
    pub async fn raw(&self, of: &ListRow) -> Result<Option<Vec<u8>>> {
        on!(self.pools.read, db => sqlx::query_scalar("SELECT raw FROM item_raws WHERE item_id = $1")
            .bind(of.id).fetch_optional(db).await)
    }

    /// Some of what stands in an item, the latest changed first.
    pub async fn children_of(&self, of: &ListRow, limit: usize) -> Result<Vec<Child>> {
        on!(self.pools.read, db => sqlx::query_as(
            "SELECT type AS kind, provider_id AS id FROM items
             WHERE connection_id = $1 AND parent_id = $2 AND parent_kind = $3 AND parent_container = $4
                AND gone_at IS NULL ORDER BY modified_at DESC, id DESC LIMIT $5")
            .bind(of.connection).bind(&of.provider_id).bind(&of.kind).bind(&of.container)
            .bind(limit as i64).fetch_all(db).await)
    }

    /// Items of these types that stand in nothing that is here: where a tree begins.
    pub async fn roots(
        &self,
        connection: ConnectionId,
        kinds: &[&str],
        limit: usize,
    ) -> Result<Vec<ListRow>> {
        let mut roots = Vec::new();
        for kind in kinds {
            let rows: Vec<Row> = on!(self.pools.read, db => {
                let mut sql = QueryBuilder::new("SELECT ");
                sql.push(ROW).push(
                    " FROM items i WHERE i.gone_at IS NULL AND i.connection_id = ").push_bind(connection)
                    .push(" AND i.type = ").push_bind(*kind)
                    .push(" AND NOT EXISTS (SELECT 1 FROM items p WHERE p.connection_id = i.connection_id
                        AND p.container = i.parent_container AND p.type = i.parent_kind
                        AND p.provider_id = i.parent_id AND p.gone_at IS NULL)
                     ORDER BY i.sort_name, i.id LIMIT ").push_bind(limit as i64)
                    .build_query_as().fetch_all(db).await
            })?;
            roots.extend(rows.into_iter().map(ListRow::from));
        }
        roots.truncate(limit);
        Ok(roots)
    }
}
