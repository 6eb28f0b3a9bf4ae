//! `POST /appearance`: light, dark, or as the system has it. It is a browser's own choice and kept in a
//! cookie: it is no secret, and holds for whoever sits there, signed in or not.

use actix_web::body::MessageBody;
use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, web};
use url::Url;

use super::errors::Result;
use super::form::Form;
use super::{App, fragment, headers, urls};

/// Browsers keep no cookie for longer.
const KEPT: Duration = Duration::days(400);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Scheme {
    Light,
    Dark,
    #[default]
    System,
}

impl Scheme {
    /// What there is to choose.
    pub const LABELS: [(&str, &str); 3] =
        [("light", "Light"), ("dark", "Dark"), ("system", "System")];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
            Self::System => "system",
        }
    }

    /// As `<meta name="color-scheme">` has it.
    pub fn as_meta(self) -> &'static str {
        match self {
            Self::System => "light dark",
            chosen => chosen.as_str(),
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }
}

/// What the frame of a page takes from the request that it answers.
#[derive(Clone, Default)]
pub struct Asked {
    pub scheme: Scheme,
    /// The page's own address, where it can be come back to.
    pub page: String,
}

tokio::task_local! {
    /// Every page has a frame, those of errors too; so no handler has to hand this on to it.
    static ASKED: Asked;
}

impl Asked {
    /// Of the request that is being answered.
    pub fn now() -> Self {
        ASKED.try_with(Self::clone).unwrap_or_default()
    }

    fn by(req: &ServiceRequest) -> Self {
        let cookie = req.cookie(cookie_name(headers::is_https(req)));
        let page = req.uri().path_and_query();
        let page = page.filter(|_| req.method() == Method::GET);
        Self {
            scheme: cookie.map_or(Scheme::System, |it| Scheme::parse(it.value())),
            page: page.map(ToString::to_string).unwrap_or_default(),
        }
    }
}

/// Has what is asked known to whatever is drawn as the answer.
pub async fn noted(
    req: ServiceRequest,
    next: Next<impl MessageBody>,
) -> std::result::Result<ServiceResponse<impl MessageBody>, Error> {
    ASKED.scope(Asked::by(&req), next.call(req)).await
}

/// `POST /appearance`
pub async fn appearance_choose(
    req: HttpRequest,
    app: web::Data<App>,
    sent: Form,
) -> Result<HttpResponse> {
    let scheme = Scheme::parse(sent.one("scheme")?.unwrap_or_default());
    let page = back(&app.public_url, sent.one("from")?.unwrap_or_default());
    let mut response = fragment::redirect(&req, &page);
    let kept = response.add_cookie(&cookie(scheme, app.is_https()));
    kept.map_err(|error| super::WebError::Broken(error.to_string()))?;
    Ok(response)
}

/// The system's is no choice: nothing is kept of it.
fn cookie(scheme: Scheme, https: bool) -> Cookie<'static> {
    let life = match scheme {
        Scheme::System => Duration::ZERO,
        _ => KEPT,
    };
    Cookie::build(cookie_name(https), scheme.as_str())
        .path("/")
        .http_only(true)
        .secure(https)
        .same_site(SameSite::Lax)
        .max_age(life)
        .finish()
}

fn cookie_name(https: bool) -> &'static str {
    if https {
        "__Host-tributary-scheme"
    } else {
        "tributary-scheme"
    }
}

/// The page that was come from, as long as it is one of ours: read as a browser will read it.
fn back(site: &Url, from: &str) -> String {
    let page = site.join(from).ok().filter(|page| {
        let ours = page.origin() == site.origin() && from.starts_with('/');
        // Before another slash it would be the name of a host.
        ours && !page.path().starts_with("//")
    });
    page.map_or(urls::home().into(), |page| match page.query() {
        Some(query) => format!("{}?{query}", page.path()),
        None => page.path().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_leads_to_a_page_of_ours_and_nowhere_else() {
        let site = Url::parse("https://ledger.example").unwrap();
        for page in ["/items?q=a%20b&type=page", "/", "/join/abc"] {
            assert_eq!(back(&site, page), page);
        }
        for elsewhere in [
            "",
            "items",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/.//evil.example",
            "/x/..//evil.example",
            "https://evil.example/",
            "https://ledger.example/items",
            "javascript:alert(1)",
        ] {
            assert_eq!(back(&site, elsewhere), "/", "{elsewhere}");
        }
        assert_eq!(back(&site, "/a\r\nSet-Cookie: x"), "/aSet-Cookie:%20x");
    }
}
