use serde_json::{Map, Value, json};

use super::ask::Ask;
use super::columns::stamp;
use super::errors::{self, ApiError};
use super::rows::Rows;
use super::workspace::{Field, Table};

/// How records are written into an answer.
pub struct Shape<'a> {
    fields: Vec<&'a Field>,
    by_id: bool,
    as_text: bool,
    with_comments: bool,
}

impl<'a> Shape<'a> {
    pub fn read(ask: &Ask, table: &'a Table) -> Result<Shape<'a>, ApiError> {
        let named = ask.fields.iter().map(|name| {
            let field = table.field(name);
            field.ok_or_else(|| errors::unknown_field(name))
        });
        let named: Vec<&Field> = named.collect::<Result<_, _>>()?;
        Ok(Shape {
            fields: if named.is_empty() {
                table.fields.iter().collect()
            } else {
                named
            },
            by_id: ask.return_fields_by_field_id,
            as_text: ask.as_text()?,
            with_comments: ask.with_comments(),
        })
    }

    /// A record in Airtable's shape; its empty cells are left out.
    pub fn record(&self, rows: Rows<'_>, index: u32) -> Value {
        let mut fields = Map::new();
        for field in &self.fields {
            let name = if self.by_id { &*field.id } else { field.name };
            if let Some(cell) = rows.cell(index, field) {
                let cell = if self.as_text {
                    text(&cell).into()
                } else {
                    cell
                };
                fields.insert(name.to_owned(), cell);
            }
        }
        let mut record = json!({
            "id": rows.id(index),
            "createdTime": stamp(rows.created(index)),
            "fields": fields,
        });
        if self.with_comments {
            record["commentCount"] = rows.comments(index).into();
        }
        record
    }
}

/// A cell as people read it.
fn text(cell: &Value) -> String {
    match cell {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "checked".to_owned(),
        Value::Array(parts) => parts.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(members) => {
            let told = [
                "name",
                "text",
                "label",
                "filename",
                "value",
                "error",
                "specialValue",
            ];
            let told = told.iter().find_map(|name| members.get(*name));
            told.map(text).unwrap_or_default()
        }
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
