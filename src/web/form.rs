//! What forms bring, by the rules that hold for all of them: unknown fields are ignored, one that is given
//! twice or cannot be kept is named. What is not taken comes back with what was typed.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{Error, FromRequest, HttpRequest, HttpResponse, web};
use url::form_urlencoded;

use super::errors::{Result, WebError};
use super::fragment;
use super::page::Choice;
use super::parameters::{NOTHING_HAS_IT, TWICE};

/// What was sent, in its order.
#[derive(Debug, Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    pub fn read(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// Everything that is given by this name, several things too.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let given = self.0.iter().filter(move |(given, _)| given == name);
        given.map(|(_, value)| value.as_str())
    }

    /// The one thing that is given by this name, empty or not.
    pub fn one(&self, name: &'static str) -> Result<Option<&str>> {
        let refused = |said: &str| Err(WebError::BadForm(name, said.into()));
        let mut given = self.all(name);
        match (given.next(), given.next()) {
            (_, Some(_)) => refused(TWICE),
            (Some(value), _) if value.contains('\0') => refused(NOTHING_HAS_IT),
            (one, None) => Ok(one),
        }
    }

    /// The same, where an empty field says as little as none.
    pub fn filled(&self, name: &'static str) -> Result<Option<&str>> {
        Ok(self.one(name)?.filter(|value| !value.is_empty()))
    }
}

impl FromRequest for Form {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = std::result::Result<Self, Error>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = web::Bytes::from_request(req, payload);
        Box::pin(async { Ok(Self::read(&body.await?)) })
    }
}

/// A form as its page draws it: new, or as it was sent, where it was not taken, and why not.
#[derive(Default)]
pub struct Draft(Option<Refused>);

struct Refused {
    sent: Form,
    field: &'static str,
    said: String,
}

impl Draft {
    /// What was not taken because of one of these fields, which the page has; what else went wrong goes on.
    pub fn refused(sent: Form, fields: &[&str], error: WebError) -> Result<Self> {
        match error {
            WebError::BadForm(field, said) if fields.contains(&field) => {
                Ok(Self(Some(Refused { sent, field, said })))
            }
            other => Err(other),
        }
    }

    /// What was typed into a field; what it usually shows in a new form.
    pub fn typed<'a>(&'a self, name: &str, usual: &'a str) -> &'a str {
        match &self.0 {
            Some(refused) => refused.sent.all(name).next().unwrap_or_default(),
            None => usual,
        }
    }

    /// Whether this was chosen in a field that takes several; `usual` in a new form.
    pub fn has(&self, name: &str, value: &str, usual: bool) -> bool {
        self.0.as_ref().map_or(usual, |refused| {
            let mut words = refused.sent.all(name).flat_map(str::split_whitespace);
            words.any(|word| word == value)
        })
    }

    /// What there is to choose in a field, and what was sent in their place.
    pub fn choices(&self, name: &str, usual: &str, known: &[(&str, &str)]) -> Vec<Choice> {
        let typed = self.typed(name, usual);
        Choice::among(known, typed, typed)
    }

    /// What is wrong with a field.
    pub fn problem(&self, name: &str) -> Option<&str> {
        let refused = self.0.as_ref().filter(|refused| refused.field == name);
        refused.map(|refused| refused.said.as_str())
    }

    /// The page with this form on it.
    pub fn answer(&self, page: String) -> HttpResponse {
        let mut response = fragment::html(page);
        if self.0.is_some() {
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_given_once_and_others_are_passed_over() {
        let form = Form::read(b"name=a+b&empty=&twice=1&twice=1&zero=%00&other=1");
        assert_eq!(form.one("name").unwrap(), Some("a b"));
        assert_eq!(form.one("empty").unwrap(), Some(""));
        assert_eq!(form.filled("empty").unwrap(), None);
        assert_eq!(form.one("absent").unwrap(), None);
        assert_eq!(form.all("twice").count(), 2);
        for wrong in ["twice", "zero"] {
            let refused = form.one(wrong).unwrap_err();
            assert!(matches!(refused, WebError::BadForm(name, _) if name == wrong));
        }
    }

    #[test]
    fn what_was_not_taken_is_there_again_and_what_was_left_out_is_not() {
        let sent = Form::read(b"name=x&scope=read+import&days=soon");
        let error = WebError::BadForm("name", "is short".into());
        let draft = Draft::refused(sent, &["name"], error).unwrap();
        assert_eq!(draft.typed("name", "usual"), "x");
        assert_eq!(draft.typed("left out", "usual"), "");
        assert!(draft.has("scope", "import", false) && !draft.has("scope", "write", true));
        assert_eq!(draft.problem("name"), Some("is short"));
        assert_eq!(draft.problem("scope"), None);
        let days = draft.choices("days", "1", &[("1", "A day")]);
        let chosen = |it: &Choice| (it.label.clone(), it.chosen);
        assert_eq!(
            days.iter().map(chosen).collect::<Vec<_>>(),
            [("A day".into(), false), ("soon".into(), true)]
        );
    }

    #[test]
    fn what_no_field_of_the_page_is_at_fault_for_goes_on() {
        let error = WebError::BadForm("role", "is odd".into());
        assert!(Draft::refused(Form::default(), &["name"], error).is_err());
        assert!(Draft::refused(Form::default(), &["name"], WebError::OwnersOnly).is_err());
    }
}
