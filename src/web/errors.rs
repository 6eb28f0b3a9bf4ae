//! What can go wrong for somebody at the other end.

use std::time::Duration;

use actix_session::storage::{LoadError, SaveError, UpdateError};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};

use super::page::ProviderView;
use crate::ephemeral::Away;
use crate::export::Interrupted;
use crate::oauth::{NotPending, Refusal};
use crate::providers::Configured;
use crate::store;

/// After this a store that is away is worth another try.
const RETRY: Duration = Duration::from_secs(2);

pub type Result<T> = std::result::Result<T, WebError>;

/// Everything a request can end with, in the product's own words.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    #[error("the form came from another origin")]
    CrossOrigin,
    #[error("there is nothing at this address")]
    NotFound,
    #[error("nobody is signed in")]
    SignedOut,
    #[error("the callback's state opens nothing here")]
    NotPending(ProviderView),
    #[error("the provider refused: {1}")]
    ProviderRefused(ProviderView, String),
    #[error("the provider is out of reach: {1}")]
    ProviderAway(ProviderView, String),
    #[error("the provider named no person")]
    Nobody(ProviderView),
    #[error("not allowed to sign in here")]
    NotAllowed,
    #[error("the parameter {0} {1}")]
    BadQuery(&'static str, String),
    #[error("the field {0} {1}")]
    BadForm(&'static str, String),
    #[error("the link is used, expired or not whole")]
    LinkUsed,
    #[error("this account cannot become their way in")]
    NotYours,
    #[error("the last way in stays")]
    LastWayIn,
    #[error("only owners of the workspace may")]
    OwnersOnly,
    #[error("the last owner stays")]
    LastOwner,
    #[error("the invitation is used, expired or not whole")]
    InvitationUsed,
    #[error("the key is not good for {0}")]
    LacksScope(&'static str),
    #[error("the key is unknown, expired or revoked")]
    NoSuchKey,
    #[error("changes behind the cursor are kept no more")]
    CursorTooOld,
    #[error("the address takes {0}")]
    WrongMethod(String),
    #[error("too often; again in {0:?}")]
    TooOften(Duration),
    #[error("a store is away: {0}")]
    StoreAway(String),
    #[error("{0}")]
    Broken(String),
    /// What the framework itself refuses: a body or headers too large, a query that is no query.
    #[error("status {0}")]
    Refused(StatusCode),
}

impl From<store::Error> for WebError {
    fn from(error: store::Error) -> Self {
        if error.is_away() {
            Self::StoreAway(error.to_string())
        } else {
            Self::Broken(error.to_string())
        }
    }
}

impl From<Away> for WebError {
    fn from(error: Away) -> Self {
        Self::StoreAway(error.to_string())
    }
}

impl From<Interrupted> for WebError {
    fn from(error: Interrupted) -> Self {
        match error {
            Interrupted::Store(error) => error.into(),
            Interrupted::Page(_) => Self::Broken(error.to_string()),
        }
    }
}

impl From<askama::Error> for WebError {
    fn from(error: askama::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl WebError {
    /// The error that a session's end is: actix-session knows only its own.
    pub(super) fn of_session(error: &actix_web::Error) -> Option<Self> {
        let away = error
            .as_error::<InternalError<LoadError>>()
            .map(ToString::to_string)
            .or_else(|| {
                error
                    .as_error::<InternalError<SaveError>>()
                    .map(ToString::to_string)
            })
            .or_else(|| {
                error
                    .as_error::<InternalError<UpdateError>>()
                    .map(ToString::to_string)
            })
            .or_else(|| {
                error
                    .as_error::<InternalError<anyhow::Error>>()
                    .map(ToString::to_string)
            });
        away.map(Self::StoreAway)
    }

    /// A callback whose state was looked at and found wanting.
    pub fn not_pending(error: NotPending, provider: &Configured) -> Self {
        match error {
            NotPending::Away(error) => error.into(),
            NotPending::Unknown | NotPending::Crossed => {
                Self::NotPending(provider.description().into())
            }
        }
    }

    /// An approval that ended with nothing stored.
    pub fn refusal(refusal: Refusal, provider: &Configured) -> Self {
        let view = || ProviderView::from(provider.description());
        match refusal {
            Refusal::Refused(said) => Self::ProviderRefused(view(), said),
            Refusal::OutOfReach(said) => Self::ProviderAway(view(), said),
            Refusal::Nobody => Self::Nobody(view()),
            Refusal::NotAllowed => Self::NotAllowed,
            Refusal::Store(error) => error.into(),
        }
    }

    /// What programs know it by.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::CrossOrigin => "cross_origin",
            Self::NotFound => "not_found",
            Self::SignedOut => "signed_out",
            Self::NotPending(_) => "not_pending",
            Self::ProviderRefused(..) => "provider_refused",
            Self::ProviderAway(..) => "provider_away",
            Self::Nobody(_) => "nobody",
            Self::NotAllowed => "not_on_the_list",
            Self::BadQuery(..) | Self::BadForm(..) => "bad_parameter",
            Self::LinkUsed => "link_used",
            Self::NotYours => "not_yours",
            Self::LastWayIn => "last_way_in",
            Self::OwnersOnly => "owners_only",
            Self::LastOwner => "last_owner",
            Self::InvitationUsed => "invitation_used",
            Self::LacksScope(_) => "lacks_scope",
            Self::NoSuchKey => "no_such_key",
            Self::CursorTooOld => "cursor_too_old",
            Self::WrongMethod(_) => "wrong_method",
            Self::TooOften(_) => "too_often",
            Self::StoreAway(_) => "store_away",
            Self::Broken(_) => "broken",
            Self::Refused(_) => "refused",
        }
    }

    /// The parameter at fault, where one is.
    pub(super) fn parameter(&self) -> Option<&'static str> {
        match self {
            Self::BadQuery(name, _) | Self::BadForm(name, _) => Some(name),
            Self::CursorTooOld => Some("cursor"),
            _ => None,
        }
    }

    /// How long to leave us alone before trying again.
    pub(super) fn wait(&self) -> Option<Duration> {
        match self {
            Self::StoreAway(_) => Some(RETRY),
            Self::TooOften(wait) => Some(whole(*wait)),
            _ => None,
        }
    }
}

impl ResponseError for WebError {
    fn status_code(&self) -> StatusCode {
        self.told().status
    }

    /// Drawn again by [`super::error_page::draw`], which knows who asks.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

/// A length of time in whole seconds, not shorter than it was.
pub(super) fn whole(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0))
}
