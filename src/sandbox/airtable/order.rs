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
        (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
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
    cell.as_ref().map(Value::to_string).unwrap_or_default()
}
