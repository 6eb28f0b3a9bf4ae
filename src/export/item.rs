//! An item as other programs get it: over the API, in the feed and in every export.

use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::item::ConnectionId;
use crate::providers::Providers;
use crate::store::{self, Connection, ListRow, Store};

/// What stands between the parts of a path.
const BETWEEN: &str = " / ";

/// One record of one provider.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Item)]
pub struct ItemJson {
    /// The provider's own id.
    pub id: String,
    pub provider: String,
    pub connection_id: String,
    /// Where one id stands in several, which of them this is; empty elsewhere.
    pub container: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    #[schema(format = DateTime, required = true)]
    pub creation_time: Option<String>,
    #[schema(format = DateTime, required = true)]
    pub last_modified_time: Option<String>,
    /// Where a person opens it at its provider.
    #[schema(required = true)]
    pub url: Option<String>,
    #[schema(required = true)]
    pub parent_id: Option<String>,
    /// What it stands in, outermost first, with ` / ` between the names.
    #[schema(required = true)]
    pub parent_path_or_name: Option<String>,
    /// Whether others can stand in it.
    pub directory: bool,
    /// No provider that is known names one.
    #[schema(required = true)]
    pub mime_type: Option<String>,
    /// False for what its provider has no more.
    pub visibility: bool,
}

/// The names of what [`ItemJson::cells`] holds.
pub const COLUMNS: [&str; 14] = [
    "id",
    "provider",
    "connection_id",
    "container",
    "type",
    "name",
    "creation_time",
    "last_modified_time",
    "url",
    "parent_id",
    "parent_path_or_name",
    "directory",
    "mime_type",
    "visibility",
];

/// A moment as programs read it.
pub fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl ItemJson {
    /// These rows of a workspace, with what they stand in as it is called now. A row of no connection of
    /// the workspace, such as one that was removed just now, is left out.
    pub async fn all(
        store: &Store,
        providers: &Providers,
        connections: &[Connection],
        rows: Vec<ListRow>,
    ) -> store::Result<Vec<Self>> {
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        let paths = store.paths(&ids).await?;
        let known: HashMap<ConnectionId, &Connection> =
            connections.iter().map(|it| (it.id, it)).collect();
        let item = |row: ListRow| {
            let connection = known.get(&row.connection)?;
            let path = paths.get(&row.id);
            Some(Self::new(row, &connection.provider, path, providers))
        };
        Ok(rows.into_iter().filter_map(item).collect())
    }

    fn new(
        row: ListRow,
        provider: &str,
        path: Option<&Vec<String>>,
        providers: &Providers,
    ) -> Self {
        let description = providers.describe(provider);
        let kind = description.and_then(|it| it.kind(&row.kind));
        Self {
            id: row.provider_id,
            provider: provider.to_owned(),
            connection_id: row.connection.to_string(),
            container: row.container,
            kind: row.kind,
            name: row.name,
            creation_time: row.created.map(time),
            last_modified_time: row.modified.map(time),
            url: row.url,
            parent_id: row.parent_id,
            parent_path_or_name: path.map(|path| path.join(BETWEEN)),
            directory: kind.is_some_and(|kind| kind.directory),
            mime_type: None,
            visibility: row.gone.is_none(),
        }
    }

    /// The values of a row in a table, in the order of [`COLUMNS`]; what is null is empty.
    pub fn cells(&self) -> [&str; COLUMNS.len()] {
        let yes_no = |yes| if yes { "true" } else { "false" };
        [
            &self.id,
            &self.provider,
            &self.connection_id,
            &self.container,
            &self.kind,
            &self.name,
            or_empty(&self.creation_time),
            or_empty(&self.last_modified_time),
            or_empty(&self.url),
            or_empty(&self.parent_id),
            or_empty(&self.parent_path_or_name),
            yes_no(self.directory),
            or_empty(&self.mime_type),
            yes_no(self.visibility),
        ]
    }
}

fn or_empty(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_the_columns_that_an_item_has_as_json_in_their_order() {
        let item = ItemJson {
            id: "id".into(),
            provider: "provider".into(),
            connection_id: "connection_id".into(),
            container: "container".into(),
            kind: "type".into(),
            name: "name".into(),
            creation_time: Some("creation_time".into()),
            last_modified_time: Some("last_modified_time".into()),
            url: Some("url".into()),
            parent_id: Some("parent_id".into()),
            parent_path_or_name: Some("parent_path_or_name".into()),
            directory: true,
            mime_type: Some("mime_type".into()),
            visibility: false,
        };
        let json = serde_json::to_string(&item).unwrap();
        let places = COLUMNS.map(|name| json.find(&format!("\"{name}\":")));
        assert!(places.iter().all(Option::is_some) && places.is_sorted());
        let mut expected = COLUMNS;
        (expected[11], expected[13]) = ("true", "false");
        assert_eq!(item.cells(), expected);
    }
}
