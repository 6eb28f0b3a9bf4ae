//! One item: the record as it came, and what stands in it.

use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;

use super::list::{Above, Filters, ListRow, ROW, Row};
use super::sql::Sql;
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

/// The containers of these connections, or the one that is named. An id may stand in any of them, and the
/// index that has it begins with them: so they are gone through from one to the next, and not the items.
fn push_containers(sql: &mut Sql, connections: &[ConnectionId], named: Option<&str>) {
    let ids = connections.iter().map(|id| id.0);
    if let Some(named) = named {
        sql.push("WITH containers (of_connection, container) AS (SELECT id, CAST(")
            .bind(named)
            .push(" AS TEXT) FROM connections WHERE id IN ")
            .bind_all(ids)
            .push(") ");
        return;
    }
    sql.push(
        "WITH RECURSIVE containers (of_connection, container) AS (
            SELECT id, (SELECT MIN(i.container) FROM items i WHERE i.connection_id = connections.id)
            FROM connections WHERE id IN ",
    );
    sql.bind_all(ids);
    sql.push(
        " UNION ALL SELECT of_connection, (SELECT MIN(i.container) FROM items i
                WHERE i.connection_id = containers.of_connection
                    AND i.container > containers.container)
            FROM containers WHERE container IS NOT NULL) ",
    );
}

impl Store {
    /// An item of the workspace.
    pub async fn item(&self, workspace: WorkspaceId, key: &ItemKey<'_>) -> Result<Option<Whole>> {
        // PostgreSQL refuses to look for what no text can hold.
        if [key.kind, key.id].iter().any(|text| text.contains('\0')) {
            return Ok(None);
        }
        if self.connection(workspace, key.connection).await?.is_none() {
            return Ok(None);
        }
        let mut rows = self
            .called(&[key.connection], key.container, key.id)
            .await?;
        rows.retain(|row| row.kind == key.kind);
        rows.sort_by(|a, b| a.container.cmp(&b.container));
        let Some(row) = rows.into_iter().min_by_key(|row| row.gone.is_some()) else {
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

    /// The items of that id, of whatever types there are.
    async fn called(
        &self,
        connections: &[ConnectionId],
        container: Option<&str>,
        id: &str,
    ) -> Result<Vec<ListRow>> {
        let mut sql = Sql::on(&self.pools.read);
        push_containers(&mut sql, connections, container);
        // One look for each container and type, whatever a database thinks of the table.
        sql.push(
            "SELECT (SELECT i.id FROM items i WHERE i.connection_id = containers.of_connection
                AND i.container = containers.container AND i.type = k.type AND i.provider_id = ",
        );
        sql.bind(id).push(
            ") FROM containers, item_counts k WHERE k.connection_id = containers.of_connection",
        );
        let found: Vec<(Option<i64>,)> = sql.all(&self.pools.read).await?;
        self.rows(found.into_iter().filter_map(|(id,)| id).collect())
            .await
    }

    /// The record of an item as it came.
    pub async fn raw(&self, of: &ListRow) -> Result<Option<Vec<u8>>> {
        on!(self.pools.read, db => sqlx::query_scalar("SELECT raw FROM item_raws WHERE item_id = $1")
            .bind(of.id).fetch_optional(db).await)
    }

    /// What this parent is called here, or its id where it is known only by what stands in it.
    pub async fn name_above(
        &self,
        connections: &[ConnectionId],
        above: &Above,
    ) -> Result<Option<String>> {
        if connections.is_empty() {
            return Ok(None);
        }
        let named = self
            .called(connections, above.container.as_deref(), &above.id)
            .await?;
        if let Some(row) = named.into_iter().next() {
            return Ok(Some(row.name));
        }
        let is_above = self.holds_some(connections, above, false).await?
            || self.holds_some(connections, above, true).await?;
        Ok(is_above.then(|| above.id.clone()))
    }

    /// Whether something that is gone, or is not, stands in this parent.
    async fn holds_some(
        &self,
        connections: &[ConnectionId],
        above: &Above,
        gone: bool,
    ) -> Result<bool> {
        let mut sql = Sql::on(&self.pools.read);
        sql.push("SELECT parent_id FROM items WHERE connection_id IN ")
            .bind_all(connections.iter().map(|id| id.0))
            .push(" AND parent_id = ")
            .bind(above.id.as_str())
            .push(Filters::gone_is(gone));
        if let Some(container) = &above.container {
            sql.push(" AND parent_container = ")
                .bind(container.as_str());
        }
        sql.push(" LIMIT 1");
        let some: Vec<(String,)> = sql.all(&self.pools.read).await?;
        Ok(!some.is_empty())
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
