//! Every way in which an import can end short of its end, in words: what happened, what was kept, and what
//! to do. Programs get the code.

use crate::client::{Failure, FailureKind};
use crate::providers::Configured;
use crate::store::{Connection, Covered};

/// Why something is missing.
pub struct Why {
    pub code: &'static str,
    pub words: String,
}

const KEPT: &str = "What was imported so far is kept.";

fn why(code: &'static str, words: impl Into<String>) -> Why {
    let words = words.into();
    Why { code, words }
}

pub fn unstorable() -> Why {
    why(
        "broken",
        format!(
            "What was read could not be stored, and it is our fault. {KEPT} Tell whoever runs this \
             Tributary."
        ),
    )
}

pub fn provider_off() -> Why {
    why(
        "provider_off",
        "This provider has no credentials here any more. What was imported is kept. Ask whoever hosts \
         this Tributary to set them again.",
    )
}

/// `because` is what the adapter says of it.
pub fn cut_short(because: &str) -> Why {
    why(
        "cut_short",
        format!("Not all of it could be read, because {because}. {KEPT}"),
    )
}

pub fn not_exhaustive(name: &str) -> Why {
    why(
        "not_exhaustive",
        format!("{name} does not promise that its search finds everything."),
    )
}

pub fn left_out(skipped: i64, name: &str) -> Why {
    let (records, were) = match skipped {
        1 => ("record", "was"),
        _ => ("records", "were"),
    };
    why(
        "left_out",
        format!(
            "{skipped} {records} could not be understood and {were} left out; all others are here. It is \
             our fault, not yours: tell whoever runs this Tributary, whose log says which of {name}’s \
             records it is about."
        ),
    )
}

/// The reason of the first of several lists that are not whole.
pub fn of_several(first: Covered, partial: i64) -> Why {
    let reason = first.reason.unwrap_or_default();
    let words = match partial {
        1 => reason,
        2 => format!("{reason} One other list is incomplete too; the report says which and why."),
        more => format!(
            "{reason} {} other lists are incomplete too; the report says which and why.",
            more - 1
        ),
    };
    let code = CODES
        .into_iter()
        .find(|code| first.code.as_deref() == Some(code));
    why(code.unwrap_or("refused"), words)
}

/// The codes that a single list can end with.
const CODES: [&str; 10] = [
    "approval_ended",
    "not_allowed",
    "limited",
    "spent",
    "unreachable",
    "endless",
    "not_found",
    "refused",
    "left_out",
    "cut_short",
];

/// `what` is what was being read, where it was something in particular.
pub fn of_failure(
    failure: &Failure,
    provider: &Configured,
    connection: &Connection,
    what: &str,
) -> Why {
    let name = provider.description().name;
    let said = &failure.said;
    let it = if what.is_empty() { "this" } else { what };
    match failure.kind {
        FailureKind::Unauthorized | FailureKind::NoGrant => why(
            "approval_ended",
            format!(
                "The approval from {name} has ended. {KEPT} Reconnect {name}, then import again."
            ),
        ),
        FailureKind::Forbidden => not_allowed(failure, provider, connection, it),
        FailureKind::Limited => why(
            "limited",
            format!(
                "{name} takes no more requests for {it} for now: “{said}”. {KEPT} Import again later."
            ),
        ),
        FailureKind::Spent => {
            let calls = provider.description().allowance;
            let calls = calls.unwrap_or("the calls that the account may make");
            why(
                "spent",
                format!(
                    "{name} answers nothing more about {it}, for {calls} are used up. {KEPT} Import \
                     again when {name} counts anew, or choose a larger plan there."
                ),
            )
        }
        FailureKind::Passing => why(
            "unreachable",
            format!("{name} could not be read: {said}. {KEPT} Import again later."),
        ),
        FailureKind::Endless => why(
            "endless",
            format!(
                "{name} gave the same pages over and over, so we stopped. {KEPT} Import again; if it \
                 stays so, tell whoever runs this Tributary."
            ),
        ),
        FailureKind::NotFound => why(
            "not_found",
            format!("{name} has {it} no more, or does not share it any longer. {KEPT}"),
        ),
        FailureKind::CursorLost => why(
            "unreachable",
            format!("{name} lost its place in {it} again and again. {KEPT} Import again later."),
        ),
        FailureKind::TooLarge => why(
            "refused",
            format!(
                "{name} {said} when it was asked for {it}, which is more than Tributary reads at once. \
                 {KEPT} Tell whoever runs this Tributary."
            ),
        ),
        FailureKind::Refused | FailureKind::StoreAway => why(
            "refused",
            format!(
                "{name} refused a request: “{said}”. {KEPT} Import again; if it stays so, tell \
                 whoever runs this Tributary."
            ),
        ),
    }
}

/// Names the right that is lacking: the provider's own word for it, else what was asked for and not
/// granted.
fn not_allowed(failure: &Failure, provider: &Configured, connection: &Connection, it: &str) -> Why {
    let name = provider.description().name;
    let granted = &connection.scopes;
    let lacking: Vec<&str> = match failure.lacking.as_slice() {
        [] => provider.missing(granted).collect(),
        named => named.iter().map(String::as_str).collect(),
    };
    let said = &failure.said;
    let words = match lacking.as_slice() {
        [] => format!(
            "{name} does not let Tributary read {it}: “{said}”. {KEPT} Ask an administrator of the \
             account, then import again."
        ),
        lacking => format!(
            "{name} does not let Tributary read {it}, for this was not granted: {}. {KEPT} Connect it \
             again and allow that, or ask an administrator of the account.",
            lacking.join(", ")
        ),
    };
    why("not_allowed", words)
}
