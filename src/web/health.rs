//! For load balancers: alive, and ready.

use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, web};

use super::App;

/// `GET /healthz`: the process answers.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: both stores answer, or which does not.
pub async fn ready(app: web::Data<App>) -> HttpResponse {
    let (sql, ephemeral) = tokio::join!(app.store.ping(), app.ephemeral.ping());
    let mut away = Vec::new();
    if let Err(error) = sql {
        tracing::warn!(%error, "not ready");
        away.push("database");
    }
    if let Err(error) = ephemeral {
        tracing::warn!(%error, "not ready");
        away.push("ephemeral store");
    }
    if away.is_empty() {
        return HttpResponse::Ok()
            .content_type("text/plain")
            .body("ready\n");
    }
    HttpResponse::ServiceUnavailable()
        .insert_header((RETRY_AFTER, "2"))
        .content_type("text/plain")
        .body(format!("away: {}\n", away.join(", ")))
}
