use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpResponse, web};
use askama::Template;

/// `form-action` is left out: Chromium holds it against every redirect after a form post, the way
/// back to the app too.
const POLICY: &str = "default-src 'none'; style-src 'self'; frame-ancestors 'none'";
const STYLE: &str = include_str!("../../static/sandbox.css");

/// Where an app asks a person for consent.
#[derive(Template)]
#[template(path = "sandbox/consent.html")]
pub struct ConsentPage<'a> {
    pub provider: &'a str,
    pub app: &'a str,
    pub client_id: &'a str,
    /// Where the person is sent afterwards.
    pub destination: &'a str,
    /// Where the form goes: the page's own address, whose query holds what is asked.
    pub action: &'a str,
    /// What the app asks for, in words.
    pub wishes: Vec<&'a str>,
    pub choices: Vec<Choice>,
}

/// One account on a consent page.
pub struct Choice {
    pub slug: &'static str,
    pub label: &'static str,
    pub person: &'static str,
    pub email: &'static str,
    /// What is in it.
    pub holds: String,
    pub checked: bool,
}

/// Where a request for consent ends that cannot be asked, without a way back.
#[derive(Template)]
#[template(path = "sandbox/error.html")]
pub struct ErrorPage<'a> {
    pub provider: &'a str,
    pub message: &'a str,
}

/// What templates can do to a value.
mod filters {
    use askama::{Result, Values};

    /// The letter that stands for a name.
    #[askama::filter_fn]
    pub fn initial(name: &str, _: &dyn Values) -> Result<String> {
        Ok(name.chars().take(1).collect())
    }
}

/// What every page needs.
pub fn routes(config: &mut web::ServiceConfig) {
    config.route("/sandbox.css", web::get().to(style));
}

/// Draws a page.
pub fn page(status: StatusCode, template: &impl Template) -> HttpResponse {
    let Ok(html) = template.render() else {
        return HttpResponse::InternalServerError().finish();
    };
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(html)
}

/// A count as people write it: `10,000`.
pub fn grouped(count: u32) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(STYLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        let written = [0, 120, 2_000, 100_000, 1_234_567].map(grouped);
        assert_eq!(written, ["0", "120", "2,000", "100,000", "1,234,567"]);
    }
}
