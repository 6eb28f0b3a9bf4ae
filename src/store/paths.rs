//! What stands above an item.

use std::collections::{HashMap, HashSet};

use super::sql::Sql;
use super::{ListRow, Result, Store};

/// How far up a path is followed; what is deeper shows its last steps.
const DEEPEST: i64 = 60;

#[derive(sqlx::FromRow)]
struct Step {
    item: i64,
    above: i64,
    name: String,
}

impl Store {
    /// The names of what each of these items stands in, outermost first.
    pub async fn paths(&self, items: &[i64]) -> Result<HashMap<i64, Vec<String>>> {
        let names = |steps: Vec<Step>| steps.into_iter().map(|step| step.name).collect();
        let ways = self.ways_up(items).await?.into_iter();
        Ok(ways.map(|(item, steps)| (item, names(steps))).collect())
    }

    /// What an item stands in, outermost first.
    pub async fn above(&self, item: &ListRow) -> Result<Vec<ListRow>> {
        let steps = self.ways_up(&[item.id]).await?.remove(&item.id);
        let above = steps.iter().flatten().map(|step| step.above);
        self.rows(above.collect()).await
    }

    /// What each of these items stands in, outermost first. It is looked up as it is now, so a renamed
    /// parent is right everywhere; one that is not here ends the way.
    async fn ways_up(&self, items: &[i64]) -> Result<HashMap<i64, Vec<Step>>> {
        if items.is_empty() {
            return Ok(HashMap::new());
        }
        let mut sql = Sql::on(&self.pools.read);
        sql.push(
            "WITH RECURSIVE up (item, depth, above) AS (
                SELECT id, 0, id FROM items WHERE parent_id IS NOT NULL AND ",
        );
        sql.id_in(items.to_vec());
        sql.push(
            " UNION ALL
                SELECT up.item, up.depth + 1, p.id FROM up JOIN items i ON i.id = up.above
                JOIN items p ON p.connection_id = i.connection_id AND p.container = i.parent_container
                    AND p.type = i.parent_kind AND p.provider_id = i.parent_id AND p.gone_at IS NULL
                WHERE up.depth < ",
        );
        sql.bind(DEEPEST).push(
            ") SELECT up.item, up.above, i.name FROM up JOIN items i ON i.id = up.above
            WHERE up.depth > 0 ORDER BY up.item, up.depth",
        );
        Ok(ways(sql.all(&self.pools.read).await?))
    }
}

/// Steps come from the inside out. Pages may name each other as parent: a way ends before it comes
/// round.
fn ways(steps: Vec<Step>) -> HashMap<i64, Vec<Step>> {
    let mut ways: HashMap<i64, Vec<Step>> = HashMap::new();
    let mut passed: HashSet<(i64, i64)> = HashSet::new();
    let mut round: HashSet<i64> = HashSet::new();
    for step in steps {
        let (item, above) = (step.item, step.above);
        if above == item || round.contains(&item) || !passed.insert((item, above)) {
            round.insert(item);
        } else {
            ways.entry(item).or_default().push(step);
        }
    }
    ways.values_mut().for_each(|way| way.reverse());
    ways
}
