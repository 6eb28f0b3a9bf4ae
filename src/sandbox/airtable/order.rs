use std::cmp::Ordering;

use serde_json::Value;

use super::ask::Sort;
use super::errors::{self, ApiError};
use super::rows::Rows;

/// The indexes of a table's records, sorted; ties stay in the table's own order.
pub fn sorted(
    rows: Rows<'_>,
    indexes: impl Iterator<Item = u32>,
    sort: &[Sort],
) -> Result<Vec<u32>, ApiError> {
    let mut keys = Vec::new();
    for by in sort {
        let field = rows
            .table
            .field(&by.field)
            .ok_or_else(|| errors::unknown_field(&by.field))?;
        keys.push((field, by.descends()?));
    }
    let cells = |index| {
        keys.iter()
            .map(|(field, _)| rows.cell(index, field))
            .collect()
    };
    let mut keyed: Vec<(Vec<Option<Value>>, u32)> =
        indexes.map(|index| (cells(index), index)).collect();
    keyed.sort_by(|(a, _), (b, _)| {
        let pairs = a.iter().zip(b).zip(&keys);
        let orders = pairs.map(|((a, b), (_, descends))| match descends {
            true => compare(b, a),
            false => compare(a, b),
        });
        orders.fold(Ordering::Equal, Ordering::then)
    });
    Ok(keyed.into_iter().map(|(_, index)| index).collect())
}

/// Empty cells come first, then numbers, then everything else by its text.
fn compare(a: &Option<Value>, b: &Option<Value>) -> Ordering {
    match (a, b) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => {
            let number = |it: &serde_json::Number| it.as_f64().unwrap_or_default();
            number(a).total_cmp(&number(b))
        }
        _ => rank(a).cmp(&rank(b)).then_with(|| text(a).cmp(&text(b))),
    }
}

fn rank(cell: &Option<Value>) -> u8 {
    match cell {
        None => 0,
        Some(Value::Number(_)) => 1,
        Some(_) => 2,
    }
}

fn text(cell: &Option<Value>) -> String {
    match cell {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::accounts::Account;
    use crate::sandbox::airtable::odd_names::odd_name;
    use crate::sandbox::airtable::workspace::Workspace;
    use crate::sandbox::overlay::Overlay;

    #[test]
    fn cells_of_every_kind_have_one_order() {
        let workspace = Workspace::of(Account::Small, 120, Overlay::default());
        let rows = workspace.rows(&workspace.bases[0].tables[1]);
        let by_name = |direction: &str| Sort {
            field: "Name".to_owned(),
            direction: Some(direction.to_owned()),
        };
        let up = sorted(rows, rows.from(0), &[by_name("asc")]).unwrap();
        let mut down = sorted(rows, rows.from(0), &[by_name("desc")]).unwrap();
        down.reverse();
        assert_eq!(up, down);
        assert_eq!(odd_name(up[0]).0, "nothing");
        let numbers = up[1..8].iter().map(|index| odd_name(*index).1.unwrap());
        assert!(numbers.map(|it| it.as_f64().unwrap()).is_sorted());
        assert!(sorted(rows, rows.from(0), &[by_name("round")]).is_err());
    }
}
