//! `GET /api/v1/connections`

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::{json, time};
use crate::store::Connection;
use crate::web::App;
use crate::web::errors::Result;
use crate::web::guard::Reader;

#[derive(Serialize)]
struct List {
    connections: Vec<ConnectionJson>,
}

#[derive(Serialize)]
struct ConnectionJson {
    id: String,
    provider: String,
    label: String,
    account: Account,
    state: &'static str,
    reason: Option<String>,
    missing_scopes: Vec<String>,
    granted_scopes: Vec<String>,
    items: i64,
    created_at: String,
    last_import_at: Option<String>,
    next_import_at: Option<String>,
    lapses_at: Option<String>,
}

#[derive(Serialize)]
struct Account {
    id: String,
    name: String,
}

/// `GET /api/v1/connections`
pub async fn connections_list(app: web::Data<App>, Reader(caller): Reader) -> Result<HttpResponse> {
    let all = app.store.connections(caller.workspace_id).await?;
    let connections = all.into_iter().map(|it| ConnectionJson::new(&app, it));
    Ok(json(&List {
        connections: connections.collect(),
    }))
}

impl ConnectionJson {
    fn new(app: &App, connection: Connection) -> Self {
        let provider = app.providers.find(&connection.provider);
        let granted = connection.scopes;
        Self {
            id: connection.id.to_string(),
            provider: connection.provider,
            label: connection.account_name.clone(),
            account: Account {
                id: connection.account_id,
                name: connection.account_name,
            },
            state: connection.state.as_str(),
            reason: connection.reason,
            missing_scopes: match provider {
                // Where the provider does not say what it granted, nothing can be compared.
                Some(provider) if !granted.is_empty() => {
                    provider.missing(&granted).map(str::to_owned).collect()
                }
                _ => Vec::new(),
            },
            granted_scopes: granted,
            items: connection.items,
            created_at: time(connection.created_at),
            last_import_at: connection.last_import_at.map(time),
            next_import_at: connection.next_import_at.map(time),
            lapses_at: connection.life.lapses_at.map(time),
        }
    }
}
