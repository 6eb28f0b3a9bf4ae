//! `POST /connections/{connection}/removals`: what becomes of items that a provider has no more, where they
//! are too many to be removed without a person's yes.

use actix_web::{HttpRequest, HttpResponse, web};

use super::errors::{Result, WebError};
use super::form::Form;
use super::guard::SignedIn;
use super::page::grouped;
use super::{App, fragment, urls};
use crate::item::ConnectionId;
use crate::providers::Description;
use crate::store::{Answer, Question};

/// Listings that a question names.
const NAMED: usize = 5;

/// What is asked about one stream.
pub struct RemovalView {
    pub stream: String,
    pub absent: String,
    pub words: String,
}

impl RemovalView {
    /// One for each stream, whatever the number of its listings.
    pub fn all(questions: &[Question], provider: &Description) -> Vec<Self> {
        let mut streams: Vec<&str> = questions.iter().map(|it| it.stream.as_str()).collect();
        streams.sort_unstable();
        streams.dedup();
        let of = |stream| questions.iter().filter(move |it| it.stream == stream);
        let view = |stream| Self::new(stream, &of(stream).collect::<Vec<_>>(), provider);
        streams.into_iter().map(view).collect()
    }

    fn new(stream: &str, questions: &[&Question], provider: &Description) -> Self {
        let sum =
            |count: fn(&Question) -> i64| -> i64 { questions.iter().map(|it| count(it)).sum() };
        let (absent, of) = (grouped(sum(|it| it.absent)), grouped(sum(|it| it.of)));
        let name = provider.name;
        let labels = questions.iter().map(|it| it.label.as_str());
        let labels: Vec<&str> = labels
            .filter(|label| !label.is_empty())
            .take(NAMED)
            .collect();
        let place = match (labels.as_slice(), questions.len()) {
            ([], _) => String::new(),
            (named, n) if named.len() < n => format!(" ({} and others)", named.join(", ")),
            (named, _) => format!(" ({})", named.join(", ")),
        };
        Self {
            stream: stream.to_owned(),
            words: format!(
                "{name} no longer has {absent} of {of} items{place}. That is a lot at once, so nothing \
                 was removed here. Were they deleted in {name}? If you are not sure, look there first."
            ),
            absent,
        }
    }
}

/// `POST /connections/{connection}/removals`
pub async fn connection_removals(
    req: HttpRequest,
    app: web::Data<App>,
    SignedIn(sign_in): SignedIn,
    id: web::Path<String>,
    form: Form,
) -> Result<HttpResponse> {
    let id: ConnectionId = id.parse().map_err(|_| WebError::NotFound)?;
    let workspace = sign_in.workspace_id;
    let known = app.store.connection(workspace, id).await?;
    known.ok_or(WebError::NotFound)?;
    let missing = |name| WebError::BadForm(name, "is missing".into());
    let stream = form.one("stream")?.ok_or_else(|| missing("stream"))?;
    let answer = form.one("answer")?.ok_or_else(|| missing("answer"))?;
    let answer = Answer::parse(answer)
        .ok_or_else(|| WebError::BadForm("answer", "must be drop or keep".into()))?;
    let unknown = || {
        let said = "is nothing that is asked about; it may have been answered already".into();
        WebError::BadForm("stream", said)
    };
    let answered = app
        .store
        .answer_questions(workspace, sign_in.user_id, id, stream, answer)
        .await?;
    if !answered {
        return Err(unknown());
    }
    app.engine.carry_out();
    Ok(fragment::redirect(&req, &urls::connection(id)))
}
