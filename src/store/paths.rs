//! What stands above an item.

use std::collections::{HashMap, HashSet};

use sqlx::QueryBuilder;

use super::db::on;
use super::{Result, Store};

/// How far up a path is followed; what is deeper shows its last steps.
pub(super) const DEEPEST: i32 = 60;

#[derive(sqlx::FromRow)]
struct Step {
    item: i64,
    above: i64,
    name: String,
}

impl Store {
    /// The names of what each of these items stands in, outermost first. They are looked up as they are
    /// now, so a renamed parent is right everywhere; one that is not here ends the path.
    pub async fn paths(&self, items: &[i64]) -> Result<HashMap<i64, Vec<String>>> {
        if items.is_empty() {
            return Ok(HashMap::new());
        }
        let steps: Vec<Step> = on!(self.pools.read, db => {
            let mut sql = QueryBuilder::new(
                "WITH RECURSIVE up (item, depth, above) AS (
                    SELECT i.id, 0, i.id FROM items i WHERE i.parent_id IS NOT NULL AND i.id IN (");
            let mut list = sql.separated(", ");
            items.iter().for_each(|id| { list.push_bind(*id); });
            sql.push(") UNION ALL
                    SELECT up.item, up.depth + 1, p.id FROM up JOIN items i ON i.id = up.above
                    JOIN items p ON p.connection_id = i.connection_id AND p.container = i.parent_container
                        AND p.type = i.parent_kind AND p.provider_id = i.parent_id AND p.gone_at IS NULL
                    WHERE up.depth < ").push_bind(DEEPEST)
                .push(") SELECT up.item, up.above, i.name FROM up JOIN items i ON i.id = up.above
                    WHERE up.depth > 0 ORDER BY up.item, up.depth");
            sql.build_query_as().fetch_all(db).await
        })?;
        Ok(paths(steps))
    }
}

/// Steps come from the inside out. Pages may name each other as parent: a path ends before it comes
/// round.
fn paths(steps: Vec<Step>) -> HashMap<i64, Vec<String>> {
    let mut paths: HashMap<i64, Vec<String>> = HashMap::new();
    let mut passed: HashSet<(i64, i64)> = HashSet::new();
    let mut round: HashSet<i64> = HashSet::new();
    for Step { item, above, name } in steps {
        if above == item || round.contains(&item) || !passed.insert((item, above)) {
            round.insert(item);
        } else {
            paths.entry(item).or_default().push(name);
        }
    }
    paths.values_mut().for_each(|path| path.reverse());
    paths
}
