//! What is said of each error: what happened, what was kept, and the one thing to do next.

use actix_web::http::StatusCode;

use super::errors::{WebError, whole};
use super::page::{ProviderView, length};
use super::urls;
use crate::store;

pub struct Told {
    pub status: StatusCode,
    pub title: String,
    pub what: String,
    pub kept: String,
    pub action: Action,
}

/// The one thing to do next.
pub enum Action {
    Link { label: String, href: String },
    Connect(ProviderView),
}

impl Action {
    fn home(label: &str) -> Self {
        Self::Link {
            label: label.into(),
            href: urls::home().into(),
        }
    }
}

impl WebError {
    pub(super) fn told(&self) -> Told {
        let nothing = "Nothing was stored.".to_owned();
        match self {
            Self::CrossOrigin => Told {
                status: StatusCode::FORBIDDEN,
                title: "This form came from somewhere else".into(),
                what: "Tributary takes forms from its own pages only, and this one was sent by another site.".into(),
                kept: "Nothing was changed.".into(),
                action: Action::home("Go to Tributary"),
            },
            Self::NotFound => Told {
                status: StatusCode::NOT_FOUND,
                title: "There is nothing here".into(),
                what: "The address may be mistyped, or what it named belongs to another workspace or has been removed.".into(),
                kept: String::new(),
                action: Action::home("Go to the start"),
            },
            Self::SignedOut => Told {
                status: StatusCode::UNAUTHORIZED,
                title: "You are not signed in".into(),
                what: "Connect an account to sign in.".into(),
                kept: String::new(),
                action: Action::home("Go to the start"),
            },
            Self::NotPending(provider) => Told {
                status: StatusCode::BAD_REQUEST,
                title: format!("This approval of {} cannot be used", provider.name),
                what: "It was not begun in this browser, took longer than ten minutes, or has been used already, as when the page is loaded again.".into(),
                kept: nothing,
                action: Action::Connect(provider.clone()),
            },
            Self::ProviderRefused(provider, said) => Told {
                status: StatusCode::BAD_GATEWAY,
                title: format!("{} did not connect", provider.name),
                what: match said.as_str() {
                    "" => format!("{} refused and gave no reason.", provider.name),
                    said => format!("{} said: “{said}”.", provider.name),
                },
                kept: nothing,
                action: Action::Connect(provider.clone()),
            },
            Self::ProviderAway(provider, said) => Told {
                status: StatusCode::BAD_GATEWAY,
                title: format!("{} cannot be reached", provider.name),
                what: format!("We asked {} to finish the approval and got no usable answer: {said}.", provider.name),
                kept: nothing,
                action: Action::Connect(provider.clone()),
            },
            Self::Nobody(provider) => Told {
                status: StatusCode::BAD_GATEWAY,
                title: format!("{} did not say who you are", provider.name),
                what: "An account can be connected without that, but it cannot sign anybody in. Sign in with another account first, then connect this one.".into(),
                kept: nothing,
                action: Action::home("Go to the start"),
            },
            Self::NotAllowed => Told {
                status: StatusCode::FORBIDDEN,
                title: "You are not on the list".into(),
                what: "Whoever hosts this Tributary decides who may sign in, and this account is not among them. Ask them to add you.".into(),
                kept: nothing,
                action: Action::home("Go to the start"),
            },
            Self::BadQuery(name, problem) => Told {
                status: StatusCode::BAD_REQUEST,
                title: "This address cannot be read".into(),
                what: format!("Its parameter “{name}” {problem}."),
                kept: String::new(),
                action: Action::home("Go to the start"),
            },
            Self::BadForm(name, problem) => Told {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                title: "This form cannot be taken".into(),
                what: format!("Its field “{name}” {problem}."),
                kept: "Nothing was changed.".into(),
                action: Action::home("Go to the start"),
            },
            Self::LinkUsed => Told {
                status: StatusCode::NOT_FOUND,
                title: "This link cannot be used".into(),
                what: "It has been used already, is older than fifteen minutes, or is not whole. Ask whoever hosts this Tributary for another one.".into(),
                kept: String::new(),
                action: Action::home("Go to the start"),
            },
            Self::NotYours => Told {
                status: StatusCode::CONFLICT,
                title: "This account cannot sign you in".into(),
                what: "It signs somebody else in already, or somebody else approved it. A way in is never taken from anybody.".into(),
                kept: "Nothing was changed; the connection works as before.".into(),
                action: Action::home("Go to the start"),
            },
            Self::LastWayIn => Told {
                status: StatusCode::CONFLICT,
                title: "This is your last way in".into(),
                what: "Without it you could not sign in again. Add another one first.".into(),
                kept: "Nothing was changed.".into(),
                action: Action::Link { label: "Show sign-ins".into(), href: urls::sessions().into() },
            },
            Self::OwnersOnly => Told {
                status: StatusCode::FORBIDDEN,
                title: "Owners only".into(),
                what: "Who belongs to a workspace, and what it is called, is for its owners to say. Ask one of them.".into(),
                kept: "Nothing was changed.".into(),
                action: Action::Link { label: "Show the workspace".into(), href: urls::workspace().into() },
            },
            Self::LastOwner => Told {
                status: StatusCode::CONFLICT,
                title: "A workspace needs an owner".into(),
                what: "This is the last one. Make somebody else an owner first.".into(),
                kept: "Nothing was changed.".into(),
                action: Action::Link { label: "Show the workspace".into(), href: urls::workspace().into() },
            },
            Self::InvitationUsed => Told {
                status: StatusCode::NOT_FOUND,
                title: "This invitation has ended".into(),
                what: "It has been used already, is older than three days, was made by somebody who is no owner of the workspace any more, or its link is not whole. Ask an owner for another one.".into(),
                kept: String::new(),
                action: Action::home("Go to the start"),
            },
            Self::LacksScope(scope) => Told {
                status: StatusCode::FORBIDDEN,
                title: "This key is not good for that".into(),
                what: format!("It lacks the scope “{scope}”. Make another key that has it."),
                kept: "Nothing was changed.".into(),
                action: Action::Link { label: "Show API keys".into(), href: urls::keys().into() },
            },
            Self::NoSuchKey => Told {
                status: StatusCode::UNAUTHORIZED,
                title: "This key opens nothing".into(),
                what: "It is unknown, has expired or was revoked. Send a good one as “Authorization: Bearer …”.".into(),
                kept: String::new(),
                action: Action::Link { label: "Show API keys".into(), href: urls::keys().into() },
            },
            Self::CursorTooOld => Told {
                status: StatusCode::GONE,
                title: "This cursor is too old".into(),
                what: format!("Changes are kept for {} days, and some behind this cursor are not there any more. Read the whole list again, and follow the changes from their beginning.", store::CHANGES_KEPT.as_secs() / 86_400),
                kept: String::new(),
                action: Action::home("Go to the start"),
            },
            Self::WrongMethod(allowed) => Told {
                status: StatusCode::METHOD_NOT_ALLOWED,
                title: "This address is asked otherwise".into(),
                what: format!("It takes {allowed}."),
                kept: "Nothing was changed.".into(),
                action: Action::home("Go to the start"),
            },
            Self::TooOften(wait) => Told {
                status: StatusCode::TOO_MANY_REQUESTS,
                title: "That was often".into(),
                what: format!("So many requests came from you in so short a time that this one was turned away. Try again in {}.", length(whole(*wait))),
                kept: "Nothing was changed.".into(),
                action: Action::home("Go to the start"),
            },
            Self::StoreAway(_) => Told {
                status: StatusCode::SERVICE_UNAVAILABLE,
                title: "One moment, please".into(),
                what: "Tributary cannot reach one of its stores just now. Try again in a few seconds.".into(),
                kept: "Everything stored is safe, and imports go on by themselves.".into(),
                action: Action::home("Try again"),
            },
            Self::Broken(_) => Told {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                title: "Something went wrong here".into(),
                what: "It is our fault and it has been noted. Trying again may help.".into(),
                kept: "What was stored before is untouched.".into(),
                action: Action::home("Go to the start"),
            },
            Self::Refused(status) => Told {
                status: *status,
                title: status.canonical_reason().unwrap_or("This cannot be done").into(),
                what: "The request was not one that this address takes.".into(),
                kept: "Nothing was changed.".into(),
                action: Action::home("Go to the start"),
            },
        }
    }
}
