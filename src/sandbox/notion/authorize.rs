use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use url::Url;

use crate::sandbox::accounts::Account;
use crate::sandbox::grants::Consent;
use crate::sandbox::page::{Choice, ConsentPage, ErrorPage, grouped, page};
use crate::sandbox::params::Params;
use crate::sandbox::world::{Client, World};

const PROVIDER: &str = "Notion";
const APP: &str = "Tributary";

/// What the app may do is fixed where it is registered; there are no scopes to ask for.
const CAPABILITIES: [&str; 2] = [
    "Read the pages and databases of the account you choose",
    "Know your name and e-mail address",
];

/// A request for consent that may be put to a person.
struct Ask {
    redirect_uri: String,
    redirect: Url,
    state: Option<String>,
    /// In what way the connection is to be unlike the usual one; only a sandbox is asked this.
    oddities: Vec<String>,
}

/// Shows the consent page, or why there is none.
pub async fn ask(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    match Ask::read(&query(&request), &world.client) {
        Ok(ask) => consent_page(&request, &world, &ask),
        Err(message) => error_page(&message),
    }
}

/// Takes the person's decision back to the app.
pub async fn decide(
    request: HttpRequest,
    world: web::Data<World>,
    body: web::Bytes,
) -> HttpResponse {
    let ask = match Ask::read(&query(&request), &world.client) {
        Ok(ask) => ask,
        Err(message) => return error_page(&message),
    };
    let form = Params::parse(&body);
    match form.get("decision") {
        Some("approve") => match form.get("account").and_then(Account::from_slug) {
            Some(account) => approve(&world, &ask, account),
            None => error_page("Choose one of the accounts of this page."),
        },
        Some("decline") => back(&ask, ("error", "access_denied")),
        _ => error_page("The form did not say whether to approve or to decline."),
    }
}

impl Ask {
    /// A fault is told to the person, never to the app, since an address that was not checked must
    /// not be redirected to.
    fn read(query: &Params, client: &Client) -> Result<Ask, String> {
        if query.get("client_id") != Some(client.id.as_str()) {
            return Err("Missing or invalid client_id.".to_owned());
        }
        let (redirect_uri, redirect) = redirect(query, client)?;
        for (name, value) in [("response_type", "code"), ("owner", "user")] {
            if query.get(name) != Some(value) {
                return Err(format!("The request must say {name}={value}."));
            }
        }
        Ok(Ask {
            redirect_uri,
            redirect,
            state: query.get("state").map(str::to_owned),
            oddities: query.words("sandbox"),
        })
    }
}

fn redirect(query: &Params, client: &Client) -> Result<(String, Url), String> {
    let given = query.get("redirect_uri").unwrap_or_default();
    let registered = client.redirect_uris.iter().any(|uri| uri == given);
    match Url::parse(given) {
        Ok(url) if registered => Ok((given.to_owned(), url)),
        _ => Err("Missing or invalid redirect_uri: it is not one of this app's.".to_owned()),
    }
}

fn approve(world: &World, ask: &Ask, account: Account) -> HttpResponse {
    let consent = Consent {
        account,
        scopes: ask.oddities.clone(),
        redirect_uri: ask.redirect_uri.clone(),
        challenge: None,
        at: Utc::now(),
    };
    let code = world.notion.grants.keep("", consent);
    back(ask, ("code", &code))
}

fn back(ask: &Ask, (name, value): (&str, &str)) -> HttpResponse {
    let mut url = ask.redirect.clone();
    url.query_pairs_mut().append_pair(name, value);
    if let Some(state) = &ask.state {
        url.query_pairs_mut().append_pair("state", state);
    }
    HttpResponse::SeeOther()
        .insert_header((LOCATION, url.as_str()))
        .finish()
}

fn consent_page(request: &HttpRequest, world: &World, ask: &Ask) -> HttpResponse {
    let template = ConsentPage {
        provider: PROVIDER,
        app: APP,
        client_id: &world.client.id,
        destination: ask.redirect.authority(),
        action: &request.uri().to_string(),
        wishes: CAPABILITIES.into(),
        choices: Account::ALL.map(|account| choice(world, account)).into(),
    };
    page(StatusCode::OK, &template)
}

fn choice(world: &World, account: Account) -> Choice {
    let profile = account.profile();
    let count = match world.size(account) {
        0 => "nothing shared".to_owned(),
        pages => format!("{} pages", grouped(pages)),
    };
    Choice {
        slug: profile.slug,
        label: profile.label,
        person: profile.person,
        email: profile.email,
        holds: profile
            .note
            .map_or(count.clone(), |note| format!("{count}, {note}")),
        checked: account == Account::ALL[0],
    }
}

fn error_page(message: &str) -> HttpResponse {
    page(
        StatusCode::BAD_REQUEST,
        &ErrorPage {
            provider: PROVIDER,
            message,
        },
    )
}

fn query(request: &HttpRequest) -> Params {
    Params::parse(request.query_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{authorize_path, notion};
    use crate::sandbox::testing::{REDIRECT, options, parameter};

    #[tokio::test]
    async fn the_consent_page_offers_the_five_accounts() {
        let notion = notion(options());
        let answer = notion.visit.get(&authorize_path(&[])).await;
        assert_eq!(answer.status, 200);
        for slug in ["small", "10k", "100k", "empty", "faults"] {
            assert!(answer.text.contains(&format!("value=\"{slug}\"")));
        }
        assert!(answer.text.contains("nothing shared"));
        assert!(answer.text.contains("not the real Notion"));
    }

    #[tokio::test]
    async fn approving_returns_a_code_and_the_state_to_the_registered_address() {
        let notion = notion(options());
        let back = notion.approve("10k", &[]).await;
        assert!(back.starts_with(REDIRECT));
        assert!(parameter(&back, "code").is_some());
        assert_eq!(parameter(&back, "state").unwrap(), "s/1 &");
    }

    #[tokio::test]
    async fn declining_returns_an_error_and_no_code() {
        let notion = notion(options());
        let form = [("account", "small"), ("decision", "decline")];
        let answer = notion.visit.post(&authorize_path(&[]), &form).await;
        let back = answer.header("location");
        assert_eq!(parameter(back, "error").unwrap(), "access_denied");
        assert_eq!(parameter(back, "state").unwrap(), "s/1 &");
        assert_eq!(parameter(back, "code"), None);
    }

    #[tokio::test]
    async fn what_was_not_registered_or_is_missing_ends_on_an_error_page() {
        let notion = notion(options());
        let nearly = format!("{REDIRECT}/");
        let wrong = [
            ("client_id", "stranger"),
            ("redirect_uri", &nearly),
            ("response_type", "token"),
            ("response_type", ""),
            ("owner", "workspace"),
            ("owner", ""),
        ];
        for (name, value) in wrong {
            let path = authorize_path(&[(name, value)]);
            for answer in [
                notion.visit.get(&path).await,
                notion.visit.post(&path, &[("decision", "decline")]).await,
            ] {
                assert_eq!(answer.status, 400);
                assert!(answer.text.contains(name));
                assert!(!answer.headers.contains_key("location"));
            }
        }
    }

    #[tokio::test]
    async fn what_the_request_says_is_escaped() {
        let notion = notion(options());
        let odd = "\"><script>alert(1)</script>";
        let answer = notion.visit.get(&authorize_path(&[("state", odd)])).await;
        assert!(!answer.text.contains("<script"));
    }
}
