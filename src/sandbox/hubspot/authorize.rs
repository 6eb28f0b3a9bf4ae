use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use url::Url;

use super::kind::Kind;
use super::portal::{account_with, portal};
use super::scopes;
use crate::sandbox::accounts::Account;
use crate::sandbox::grants::Consent;
use crate::sandbox::page::{Choice, ConsentPage, ErrorPage, grouped, page};
use crate::sandbox::params::Params;
use crate::sandbox::world::{Client, World};

const PROVIDER: &str = "HubSpot";
const APP: &str = "Tributary";

/// A request for consent that may be put to a person.
#[derive(Debug)]
struct Ask {
    redirect_uri: String,
    redirect: Url,
    state: Option<String>,
    challenge: Option<String>,
    required: Vec<String>,
    optional: Vec<String>,
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
        Some("decline") => decline(&ask),
        _ => error_page("The form did not say whether to approve or to decline."),
    }
}

impl Ask {
    /// Checks everything that HubSpot checks before it shows its page; a fault is told to the
    /// person, never to the app, since an address that was not checked must not be redirected to.
    fn read(query: &Params, client: &Client) -> Result<Ask, String> {
        if query.get("client_id") != Some(client.id.as_str()) {
            return Err("No app is registered under this client ID (client_id).".to_owned());
        }
        let (redirect_uri, redirect) = redirect(query, client)?;
        if !matches!(query.get("response_type"), None | Some("code")) {
            return Err("Only response_type=code is possible.".to_owned());
        }
        let optional = [
            query.words("optional_scope"),
            query.words("optional_scopes"),
        ]
        .concat();
        let required = query.words("scope");
        check_scopes(&required, &optional)?;
        Ok(Ask {
            redirect_uri,
            redirect,
            state: query.get("state").map(str::to_owned),
            challenge: challenge(query)?,
            required,
            optional,
        })
    }

    /// What the app is given: all it requires, and of the rest what the account's plan has.
    fn granted(&self, account: Account) -> Result<Vec<String>, String> {
        let lacks = |scope: &String| portal(account).lacks.contains(&scope.as_str());
        if let Some(scope) = self.required.iter().find(|scope| lacks(scope)) {
            return Err(format!(
                "The plan of this account does not include {scope}, which the app requires."
            ));
        }
        let mut granted: Vec<String> = Vec::new();
        for scope in self
            .required
            .iter()
            .chain(self.optional.iter().filter(|scope| !lacks(scope)))
        {
            if !granted.contains(scope) {
                granted.push(scope.clone());
            }
        }
        Ok(granted)
    }

    fn wishes(&self) -> Vec<&'static str> {
        let mut wishes: Vec<&str> = Vec::new();
        for words in self
            .required
            .iter()
            .chain(&self.optional)
            .filter_map(|scope| scopes::in_words(scope))
        {
            if !wishes.contains(&words) {
                wishes.push(words);
            }
        }
        wishes
    }
}

fn redirect(query: &Params, client: &Client) -> Result<(String, Url), String> {
    let given = query.get("redirect_uri").unwrap_or_default();
    let registered = client.redirect_uris.iter().any(|uri| uri == given);
    match Url::parse(given) {
        Ok(url) if registered => Ok((given.to_owned(), url)),
        _ => Err(
            "The redirect URI (redirect_uri) is not one of those registered for this app."
                .to_owned(),
        ),
    }
}

fn check_scopes(required: &[String], optional: &[String]) -> Result<(), String> {
    for scope in scopes::REQUIRED {
        if !required.iter().any(|asked| asked == scope) {
            return Err(format!(
                "The app marks {scope} as required, but the request (scope) leaves it out."
            ));
        }
    }
    match required
        .iter()
        .chain(optional)
        .find(|scope| scopes::in_words(scope).is_none())
    {
        Some(unknown) => Err(format!("The app has no scope called {unknown}.")),
        None => Ok(()),
    }
}

fn challenge(query: &Params) -> Result<Option<String>, String> {
    match (
        query.get("code_challenge"),
        query.get("code_challenge_method"),
    ) {
        (None, _) => Ok(None),
        (Some(challenge), Some("S256")) => Ok(Some(challenge.to_owned())),
        _ => Err("Only code_challenge_method=S256 is possible.".to_owned()),
    }
}

fn approve(world: &World, ask: &Ask, account: Account) -> HttpResponse {
    let scopes = match ask.granted(account) {
        Ok(scopes) => scopes,
        Err(message) => return error_page(&message),
    };
    let consent = Consent {
        account,
        scopes,
        redirect_uri: ask.redirect_uri.clone(),
        challenge: ask.challenge.clone(),
        at: Utc::now(),
    };
    let code = world
        .hubspot
        .grants
        .keep(&portal(account).prefix(), consent);
    back(ask, &[("code", &code)])
}

fn decline(ask: &Ask) -> HttpResponse {
    back(
        ask,
        &[
            ("error", "access_denied"),
            (
                "error_description",
                "The user declined to authorize the app.",
            ),
        ],
    )
}

fn back(ask: &Ask, answer: &[(&str, &str)]) -> HttpResponse {
    let mut url = ask.redirect.clone();
    url.query_pairs_mut().extend_pairs(answer);
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
        wishes: ask.wishes(),
        choices: choices(world, preselected(request)),
    };
    page(StatusCode::OK, &template)
}

/// The account that the address names, else the first one.
fn preselected(request: &HttpRequest) -> Account {
    let hub = request
        .match_info()
        .get("hub")
        .and_then(|hub| hub.parse().ok());
    hub.and_then(account_with).unwrap_or(Account::ALL[0])
}

fn choices(world: &World, chosen: Account) -> Vec<Choice> {
    let choice = |account: Account| {
        let profile = account.profile();
        let count = holds(world.size(account));
        Choice {
            slug: profile.slug,
            label: profile.label,
            person: profile.person,
            email: profile.email,
            holds: profile
                .note
                .map_or(count.clone(), |note| format!("{count}, {note}")),
            checked: account == chosen,
        }
    };
    Account::ALL.map(choice).into()
}

/// What there is of each kind, in words.
fn holds(contacts: u32) -> String {
    let counts = Kind::ALL.map(|kind| {
        let count = grouped(kind.count_beside(contacts));
        format!("{count} {}", kind.plural())
    });
    counts.join(", ")
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
    use crate::sandbox::testing::{
        Answer, CLIENT, REDIRECT, Visit, authorize_path, options, parameter, visit,
    };
    use scraper::{Html, Selector};

    fn texts(answer: &Answer, selector: &str) -> Vec<String> {
        let html = Html::parse_document(&answer.text);
        let selector = Selector::parse(selector).unwrap();
        let found = html.select(&selector);
        found.map(|element| element.text().collect()).collect()
    }

    fn values(answer: &Answer, selector: &str, name: &str) -> Vec<String> {
        let html = Html::parse_document(&answer.text);
        let selector = Selector::parse(selector).unwrap();
        let found = html.select(&selector);
        found
            .filter_map(|element| element.attr(name).map(str::to_owned))
            .collect()
    }

    async fn refused(visit: &Visit, more: &[(&str, &str)]) -> String {
        let answer = visit.get(&authorize_path(more)).await;
        assert_eq!(answer.status, 400);
        assert!(!answer.headers.contains_key("location"));
        texts(&answer, "[role=alert]").concat()
    }

    #[tokio::test]
    async fn the_consent_page_is_a_form_that_needs_no_script() {
        let visit = visit(options());
        let answer = visit.get(&authorize_path(&[])).await;
        assert_eq!(answer.status, 200);
        let radios = values(&answer, "input[type=radio][name=account]", "value");
        assert_eq!(radios, ["small", "10k", "100k", "empty", "faults"]);
        assert_eq!(values(&answer, "input[checked]", "value"), ["small"]);
        let decisions = values(&answer, "form[method=post] button[name=decision]", "value");
        assert_eq!(decisions, ["approve", "decline"]);
        assert_eq!(texts(&answer, "button"), ["Approve", "Decline"]);
        assert!(texts(&answer, "script").is_empty());
        assert!(
            answer
                .header("content-security-policy")
                .starts_with("default-src 'none'")
        );
        assert_eq!(
            visit.get("/sandbox.css").await.header("content-type"),
            "text/css; charset=utf-8"
        );
    }

    #[tokio::test]
    async fn approving_returns_a_code_and_the_state_to_the_registered_address() {
        let visit = visit(options());
        let back = visit.approve("10k", &[]).await;
        assert!(back.starts_with(REDIRECT));
        assert!(parameter(&back, "code").unwrap().starts_with("eu1-"));
        assert_eq!(parameter(&back, "state").unwrap(), "s/1 &");
        assert_eq!(parameter(&back, "from").unwrap(), "sandbox");
    }

    #[tokio::test]
    async fn the_form_goes_where_the_page_says() {
        let visit = visit(options());
        let page = visit.get(&authorize_path(&[])).await;
        let action = values(&page, "form", "action").concat();
        let answer = visit
            .post(&action, &[("account", "small"), ("decision", "approve")])
            .await;
        assert_eq!(answer.status, 303);
    }

    #[tokio::test]
    async fn declining_returns_an_error_and_no_code() {
        let visit = visit(options());
        let answer = visit
            .post(
                &authorize_path(&[]),
                &[("account", "small"), ("decision", "decline")],
            )
            .await;
        assert_eq!(answer.status, 303);
        let back = answer.header("location");
        assert_eq!(parameter(back, "error").unwrap(), "access_denied");
        assert!(parameter(back, "error_description").is_some());
        assert_eq!(parameter(back, "state").unwrap(), "s/1 &");
        assert_eq!(parameter(back, "code"), None);
    }

    #[tokio::test]
    async fn what_was_not_registered_ends_on_an_error_page() {
        let visit = visit(options());
        assert!(
            refused(&visit, &[("client_id", "stranger")])
                .await
                .contains("client_id")
        );
        let nearly = format!("{REDIRECT}/");
        assert!(
            refused(&visit, &[("redirect_uri", &nearly)])
                .await
                .contains("redirect_uri")
        );
        assert!(
            refused(&visit, &[("response_type", "token")])
                .await
                .contains("response_type")
        );
        let plain = [("code_challenge", "x"), ("code_challenge_method", "plain")];
        assert!(refused(&visit, &plain).await.contains("S256"));
    }

    #[tokio::test]
    async fn a_scope_the_app_requires_must_be_asked_for() {
        let visit = visit(options());
        assert!(
            refused(&visit, &[("scope", "oauth")])
                .await
                .contains("crm.objects.contacts.read")
        );
        assert!(
            refused(&visit, &[("scope", "crm.objects.contacts.read")])
                .await
                .contains("oauth")
        );
        let more = "oauth crm.objects.contacts.read everything";
        assert!(
            refused(&visit, &[("scope", more)])
                .await
                .contains("everything")
        );
    }

    #[tokio::test]
    async fn a_post_is_checked_like_the_page() {
        let visit = visit(options());
        let path = authorize_path(&[("client_id", "stranger")]);
        let answer = visit
            .post(&path, &[("account", "small"), ("decision", "approve")])
            .await;
        assert_eq!(answer.status, 400);
        for form in [
            [("account", "nobody"), ("decision", "approve")],
            [("account", "small"), ("decision", "?")],
        ] {
            assert_eq!(visit.post(&authorize_path(&[]), &form).await.status, 400);
        }
    }

    #[tokio::test]
    async fn an_address_with_a_hub_id_chooses_that_account() {
        let visit = visit(options());
        let path = authorize_path(&[]).replace("/oauth/", "/oauth/146310442/");
        let answer = visit.get(&path).await;
        assert_eq!(values(&answer, "input[checked]", "value"), ["10k"]);
    }

    #[tokio::test]
    async fn what_the_request_says_is_escaped() {
        let visit = visit(options());
        let odd = "\"><script>alert(1)</script>";
        let scope = format!("oauth crm.objects.contacts.read {odd}");
        for more in [[("state", odd)], [("scope", &scope)]] {
            let answer = visit.get(&authorize_path(&more)).await;
            assert!(texts(&answer, "script").is_empty());
        }
    }

    #[tokio::test]
    async fn optional_scopes_are_dropped_where_the_plan_lacks_them() {
        let visit = visit(options());
        let more = [(
            "optional_scope",
            "crm.objects.companies.read crm.objects.deals.read",
        )];
        let mut granted = Vec::new();
        for account in ["small", "empty"] {
            let code = parameter(&visit.approve(account, &more).await, "code").unwrap();
            let tokens = visit.exchange(&code, &[]).await.json();
            granted.push(tokens["scopes"].as_array().unwrap().len());
        }
        assert_eq!(granted, [4, 3]);
    }

    #[tokio::test]
    async fn a_required_scope_the_plan_lacks_cannot_be_approved() {
        let visit = visit(options());
        let scope = "oauth crm.objects.contacts.read crm.objects.deals.read";
        let path = authorize_path(&[("scope", scope)]);
        let answer = visit
            .post(&path, &[("account", "empty"), ("decision", "approve")])
            .await;
        assert_eq!(answer.status, 400);
        assert!(
            texts(&answer, "[role=alert]")
                .concat()
                .contains("crm.objects.deals.read")
        );
    }

    #[tokio::test]
    async fn the_page_says_who_asks_and_how_much_an_account_holds() {
        let visit = visit(crate::sandbox::Options {
            contacts: Some(12_345),
            ..options()
        });
        let answer = visit.get(&authorize_path(&[])).await;
        assert!(texts(&answer, "header").concat().contains(CLIENT));
        let holds = texts(&answer, ".holds");
        assert!(holds[0].starts_with("12,345 contacts, 2,469 companies, 1,234 deals"));
        assert!(holds[3].starts_with("0 contacts"));
    }
}
