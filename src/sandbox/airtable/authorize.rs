use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use url::Url;

use super::scopes;
use crate::sandbox::accounts::Account;
use crate::sandbox::grants::Consent;
use crate::sandbox::page::{Choice, ConsentPage, ErrorPage, grouped, page};
use crate::sandbox::params::Params;
use crate::sandbox::world::{Client, World};

const PROVIDER: &str = "Airtable";
const APP: &str = "Tributary";

/// How long a state must at least be, and how long it may be.
const STATE: std::ops::RangeInclusive<usize> = 16..=1024;

/// As long as base64url of a SHA-256 without padding is.
const CHALLENGE: usize = 43;

/// A request for consent that may be put to a person.
struct Ask {
    back: Back,
    challenge: String,
    scopes: Vec<String>,
}

/// The way back to the app, and what is said there in any case.
#[derive(Clone)]
struct Back {
    redirect_uri: String,
    url: Url,
    said: Vec<(&'static str, String)>,
}

/// Why nobody is asked.
enum Refusal {
    /// Told to the person: where to send them is unknown.
    Page(&'static str),
    /// Told to the app, in the words of RFC 6749.
    Back(Box<Back>, &'static str, &'static str),
}

/// Shows the consent page, or why there is none.
pub async fn ask(request: HttpRequest, world: web::Data<World>) -> HttpResponse {
    match Ask::read(&query(&request), &world.client) {
        Ok(ask) => consent_page(&request, &world, &ask),
        Err(refusal) => refusal.answer(),
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
        Err(refusal) => return refusal.answer(),
    };
    let form = Params::parse(&body);
    match form.get("decision") {
        Some("approve") => match form.get("account").and_then(Account::from_slug) {
            Some(account) => approve(&world, &ask, account, &form.words("scope")),
            None => error_page("Choose one of the accounts of this page."),
        },
        Some("decline") => ask
            .back
            .refuse("access_denied", "The user denied the request"),
        _ => error_page("The form did not say whether to approve or to decline."),
    }
}

impl Ask {
    /// Client and address are checked first: an address that was not checked must not be redirected
    /// to.
    fn read(query: &Params, client: &Client) -> Result<Ask, Refusal> {
        if query.get("client_id") != Some(client.id.as_str()) {
            return Err(Refusal::Page(
                "No integration is registered under this client ID (client_id).",
            ));
        }
        let back = Back::read(query, client)?;
        match read_rest(query) {
            Ok((challenge, scopes)) => Ok(Ask {
                back,
                challenge,
                scopes,
            }),
            Err((error, why)) => Err(Refusal::Back(Box::new(back), error, why)),
        }
    }

    fn wishes(&self) -> Vec<&'static str> {
        let scopes = self.scopes.iter();
        scopes.filter_map(|scope| scopes::in_words(scope)).collect()
    }
}

impl Back {
    fn read(query: &Params, client: &Client) -> Result<Back, Refusal> {
        let given = query.get("redirect_uri").unwrap_or_default();
        let registered = client.redirect_uris.iter().any(|uri| uri == given);
        let url = Url::parse(given).ok().filter(|_| registered);
        let url = url.ok_or(Refusal::Page(
            "The redirect URI (redirect_uri) is not one of those registered for this integration.",
        ))?;
        // What was not sent is not sent back.
        let said = ["state", "code_challenge", "code_challenge_method"];
        let said = said.map(|name| query.get(name).map(|value| (name, value.to_owned())));
        Ok(Back {
            redirect_uri: given.to_owned(),
            url,
            said: said.into_iter().flatten().collect(),
        })
    }

    fn refuse(&self, error: &str, why: &str) -> HttpResponse {
        let state = self.said.iter().filter(|(name, _)| *name == "state");
        let answer = [("error", error), ("error_description", why)];
        self.go(&answer, state)
    }

    fn go<'a>(
        &self,
        answer: &[(&str, &str)],
        said: impl Iterator<Item = &'a (&'static str, String)>,
    ) -> HttpResponse {
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .extend_pairs(answer)
            .extend_pairs(said);
        HttpResponse::SeeOther()
            .insert_header((LOCATION, url.as_str()))
            .finish()
    }
}

impl Refusal {
    fn answer(self) -> HttpResponse {
        match self {
            Refusal::Page(message) => error_page(message),
            Refusal::Back(back, error, why) => back.refuse(error, why),
        }
    }
}

/// Challenge and scopes, or what is wrong with the request.
fn read_rest(query: &Params) -> Result<(String, Vec<String>), (&'static str, &'static str)> {
    let invalid = |why| Err(("invalid_request", why));
    if query.has_repeated() {
        return invalid("a parameter was repeated");
    }
    if !query.get("state").is_some_and(is_safe_state) {
        return invalid("state must be 16 to 1024 characters of a-z, A-Z, 0-9, '.', '-' and '_'");
    }
    if query.get("response_type") != Some("code") {
        return Err(("unsupported_response_type", "response_type must be code"));
    }
    let Some(challenge) = query.get("code_challenge").filter(|it| is_challenge(it)) else {
        return invalid("code_challenge must be a SHA-256 in base64url without padding");
    };
    if query.get("code_challenge_method") != Some("S256") {
        return invalid("code_challenge_method must be S256");
    }
    let scopes = query.words("scope");
    if !are_good(&scopes) {
        return Err((
            "invalid_scope",
            "scope must name scopes of this integration, each of them once",
        ));
    }
    Ok((challenge.to_owned(), scopes))
}

fn is_safe_state(state: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    STATE.contains(&state.len()) && state.bytes().all(safe)
}

fn is_challenge(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    text.len() == CHALLENGE && text.bytes().all(letter)
}

fn are_good(scopes: &[String]) -> bool {
    let good = |(at, scope): (usize, &String)| {
        scopes::in_words(scope).is_some() && !scopes[..at].contains(scope)
    };
    !scopes.is_empty() && scopes.iter().enumerate().all(good)
}

/// Grants what was asked for. The page offers no choice of scopes, as Airtable's offers none; a form
/// that names some of them is granted those, for trying what an app does with less.
fn approve(world: &World, ask: &Ask, account: Account, some: &[String]) -> HttpResponse {
    let asked = ask.scopes.iter();
    let scopes = asked.filter(|scope| some.is_empty() || some.contains(scope));
    let scopes: Vec<String> = scopes.cloned().collect();
    if scopes.is_empty() {
        return error_page("None of these scopes was asked for.");
    }
    let consent = Consent {
        account,
        scopes,
        redirect_uri: ask.back.redirect_uri.clone(),
        challenge: Some(ask.challenge.clone()),
        at: Utc::now(),
    };
    let code = world.airtable.grants.keep("", consent);
    ask.back.go(&[("code", &code)], ask.back.said.iter())
}

fn consent_page(request: &HttpRequest, world: &World, ask: &Ask) -> HttpResponse {
    let template = ConsentPage {
        provider: PROVIDER,
        app: APP,
        client_id: &world.client.id,
        destination: ask.back.url.authority(),
        action: &request.uri().to_string(),
        wishes: ask.wishes(),
        choices: Account::ALL.map(|account| choice(world, account)).into(),
    };
    page(StatusCode::OK, &template)
}

fn choice(world: &World, account: Account) -> Choice {
    let profile = account.profile();
    let records = grouped(world.airtable.records(account));
    let workspace = world.workspace(account);
    let (tables, bases) = (workspace.tables(), workspace.bases.len());
    let holds = format!("{records} records in {tables} tables of {bases} bases");
    Choice {
        slug: profile.slug,
        label: profile.label,
        person: profile.person,
        email: profile.email,
        holds: match profile.note {
            Some(note) => format!("{holds}, {note}"),
            None => holds,
        },
        checked: account == Account::ALL[0],
    }
}

fn error_page(message: &str) -> HttpResponse {
    let template = ErrorPage {
        provider: PROVIDER,
        message,
    };
    page(StatusCode::BAD_REQUEST, &template)
}

fn query(request: &HttpRequest) -> Params {
    Params::parse(request.query_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{CHALLENGE, STATE, approve, authorize_path};
    use crate::sandbox::testing::{Answer, REDIRECT, Visit, options, parameter, visit};

    async fn sent_back(visit: &Visit, more: &[(&str, &str)]) -> String {
        let answer = visit.get(&authorize_path(more)).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        answer.header("location").to_owned()
    }

    async fn decide(visit: &Visit, form: &[(&str, &str)]) -> Answer {
        visit.post(&authorize_path(&[]), form).await
    }

    #[tokio::test]
    async fn the_page_says_what_is_asked_and_what_each_account_holds() {
        let visit = visit(options());
        let page = visit.get(&authorize_path(&[])).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("wants to read from Airtable"));
        assert!(
            page.text
                .contains("See the records of the bases you choose")
        );
        assert!(page.text.contains("12,500 records in 30 tables of 7 bases"));
        assert!(page.text.contains("0 records in 0 tables of 0 bases"));
        assert!(!page.text.contains("<script"));
    }

    #[tokio::test]
    async fn approving_sends_code_state_and_challenge_back() {
        let visit = visit(options());
        let back = approve(&visit, "small", &[]).await;
        assert!(back.starts_with(REDIRECT));
        assert!(parameter(&back, "code").is_some());
        assert_eq!(parameter(&back, "state").unwrap(), STATE);
        assert_eq!(parameter(&back, "code_challenge").unwrap(), CHALLENGE);
        assert_eq!(parameter(&back, "code_challenge_method").unwrap(), "S256");
    }

    #[tokio::test]
    async fn declining_sends_an_error_back_and_no_code() {
        let visit = visit(options());
        let answer = decide(&visit, &[("account", "small"), ("decision", "decline")]).await;
        let back = answer.header("location");
        assert_eq!(parameter(back, "error").unwrap(), "access_denied");
        assert_eq!(parameter(back, "state").unwrap(), STATE);
        assert_eq!(parameter(back, "code"), None);
    }

    #[tokio::test]
    async fn an_unknown_client_or_address_is_redirected_nowhere() {
        let visit = visit(options());
        let nearly = format!("{REDIRECT}/");
        for more in [("client_id", "stranger"), ("redirect_uri", &nearly)] {
            let path = authorize_path(&[more]);
            let form = [("account", "small"), ("decision", "approve")];
            for answer in [visit.get(&path).await, visit.post(&path, &form).await] {
                assert_eq!(answer.status, 400);
                assert!(answer.text.contains(more.0));
                assert!(!answer.headers.contains_key("location"));
            }
        }
    }

    #[tokio::test]
    async fn any_other_fault_is_told_to_the_app() {
        let visit = visit(options());
        let long = "x".repeat(1025);
        for (name, value, error) in [
            ("state", "too-short", "invalid_request"),
            ("state", "with blanks in it and so", "invalid_request"),
            ("state", &long, "invalid_request"),
            ("response_type", "token", "unsupported_response_type"),
            ("response_type", "", "unsupported_response_type"),
            ("code_challenge", "", "invalid_request"),
            ("code_challenge", "short", "invalid_request"),
            ("code_challenge_method", "plain", "invalid_request"),
            ("code_challenge_method", "", "invalid_request"),
            ("scope", "", "invalid_scope"),
            ("scope", "data.records:read everything", "invalid_scope"),
            (
                "scope",
                "data.records:read data.records:read",
                "invalid_scope",
            ),
        ] {
            let back = sent_back(&visit, &[(name, value)]).await;
            assert_eq!(parameter(&back, "error").unwrap(), error, "{name}={value}");
            assert!(parameter(&back, "error_description").is_some());
            let state = if name == "state" { value } else { STATE };
            assert_eq!(parameter(&back, "state").unwrap(), state);
        }
    }

    #[tokio::test]
    async fn without_a_state_none_is_sent_back() {
        let visit = visit(options());
        let back = sent_back(&visit, &[("state", "")]).await;
        assert_eq!(parameter(&back, "error").unwrap(), "invalid_request");
        assert_eq!(parameter(&back, "state"), None);
    }

    #[tokio::test]
    async fn a_parameter_stands_once() {
        let visit = visit(options());
        let path = format!("{}&scope=user.email:read", authorize_path(&[]));
        let back = visit.get(&path).await;
        assert_eq!(
            parameter(back.header("location"), "error").unwrap(),
            "invalid_request"
        );
    }

    #[tokio::test]
    async fn a_form_must_say_who_decides_what() {
        let visit = visit(options());
        for form in [
            &[("account", "nobody"), ("decision", "approve")][..],
            &[("account", "small"), ("decision", "?")],
            &[
                ("account", "small"),
                ("decision", "approve"),
                ("scope", "webhook:manage"),
            ],
        ] {
            assert_eq!(decide(&visit, form).await.status, 400);
        }
    }
}
