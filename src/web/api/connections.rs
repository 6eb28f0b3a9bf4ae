//! `GET /api/v1/connections`

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::{json, time};
use crate::store::Connection;
use crate::web::App;
use crate::web::errors::Result;
use crate::web::guard::Reader;
use crate::web::urls;

#[derive(Serialize, ToSchema)]
#[schema(as = Connections)]
pub struct List {
    connections: Vec<ConnectionJson>,
}

/// One approved account.
#[derive(Serialize, ToSchema)]
#[schema(as = Connection)]
struct ConnectionJson {
    id: String,
    provider: String,
    label: String,
    account: Account,
    /// `connected`, or `reconnect` where it wants to be approved again.
    #[schema(schema_with = super::openapi::connection_states)]
    state: &'static str,
    #[schema(required = true)]
    reason: Option<String>,
    missing_scopes: Vec<String>,
    granted_scopes: Vec<String>,
    items: i64,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime, required = true)]
    last_import_at: Option<String>,
    #[schema(format = DateTime, required = true)]
    next_import_at: Option<String>,
    #[schema(format = DateTime, required = true)]
    lapses_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Account {
    id: String,
    name: String,
}

/// The accounts of the workspace
#[utoipa::path(get, path = urls::API_CONNECTIONS, responses((status = 200, body = List)))]
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
            missing_scopes: provider
                .map(|it| it.missing(&granted).map(str::to_owned).collect())
                .unwrap_or_default(),
            granted_scopes: granted,
            items: connection.items,
            created_at: time(connection.created_at),
            last_import_at: connection.last_import_at.map(time),
            next_import_at: connection.next_import_at.map(time),
            lapses_at: connection.life.lapses_at.map(time),
        }
    }
}
