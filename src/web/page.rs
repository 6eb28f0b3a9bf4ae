//! What every page has around it, and the small values that templates draw.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::appearance::{Asked, Scheme};
use super::urls;
use crate::providers::Description;
use crate::store::{ConnectionState, GrantLife, ListRow, RunState, SignIn};

/// The frame of a page.
pub struct Chrome {
    /// Without the product's name.
    pub title: String,
    pub here: Here,
    pub person: Option<Person>,
    pub notice: Option<Notice>,
    pub scheme: Scheme,
    /// The page's own address, to come back to.
    pub page: String,
    /// Seconds after which a browser without scripts asks again.
    pub reload_after: Option<u32>,
}

/// Which entry of the navigation is the current one.
#[derive(Clone, Copy, PartialEq)]
pub enum Here {
    Home,
    Items,
    Nowhere,
}

/// Who is signed in.
pub struct Person {
    pub name: String,
    pub workspace: String,
}

/// A sentence at the top of a page about what has just happened.
pub struct Notice {
    pub tone: &'static str,
    pub text: String,
}

impl Chrome {
    pub fn new(title: impl Into<String>, here: Here, sign_in: Option<&SignIn>) -> Self {
        let person = sign_in.map(|sign_in| Person {
            name: sign_in.person.clone(),
            workspace: sign_in.workspace.clone(),
        });
        let Asked { scheme, page } = Asked::now();
        Self {
            scheme,
            page,
            title: title.into(),
            here,
            person,
            notice: None,
            reload_after: None,
        }
    }

    /// The colours there are to choose.
    pub fn schemes(&self) -> Vec<Choice> {
        Choice::among(&Scheme::LABELS, self.scheme.as_str(), "")
    }

    pub fn with_notice(self, notice: Option<Notice>) -> Self {
        Self { notice, ..self }
    }

    /// Has a browser without scripts ask again while something goes on.
    pub fn reloading(self, live: bool) -> Self {
        Self {
            reload_after: live.then_some(2),
            ..self
        }
    }
}

/// A moment, in the three forms that people and machines read.
pub struct When {
    pub iso: String,
    pub relative: String,
    pub exact: String,
}

impl When {
    pub fn new(time: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self {
            iso: time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            relative: relative(time, now),
            exact: exact(time),
        }
    }
}

pub fn exact(time: DateTime<Utc>) -> String {
    time.format("%-d %B %Y, %H:%M UTC").to_string()
}

fn relative(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - time).num_seconds();
    let (n, unit) = match seconds {
        ..-60 => return time.format("%-d %B %Y").to_string(),
        -60..45 => return "just now".into(),
        45..5_400 => ((seconds + 30) / 60, "minute"),
        5_400..129_600 => ((seconds + 1_800) / 3_600, "hour"),
        129_600..2_592_000 => ((seconds + 43_200) / 86_400, "day"),
        _ => return time.format("%-d %B %Y").to_string(),
    };
    let s = if n == 1 { "" } else { "s" };
    format!("{n} {unit}{s} ago")
}

/// What a connection lives on and until when, in words, with a warning where it is about to end.
pub struct LifeView {
    pub text: String,
    pub warns: bool,
}

/// The part of a stated life after which a person is warned: by then it should have been renewed.
const WORRYING: i64 = 75;

impl LifeView {
    pub fn new(life: &GrantLife, provider: &str, now: DateTime<Utc>) -> Self {
        let day = |end: DateTime<Utc>| match end - now < TimeDelta::days(2) {
            true => end.format("%-d %B %Y, %H:%M UTC"),
            false => end.format("%-d %B %Y"),
        };
        let warns = life.spent(now).is_some_and(|spent| spent >= WORRYING);
        let text = match (life.renews, life.lapses_at) {
            (true, Some(end)) if warns => format!(
                "Not renewed for long, and would end on {}. Import now, or reconnect.",
                day(end)
            ),
            (true, Some(end)) => format!("Renews itself; would end on {} if unused.", day(end)),
            (true, None) => format!("Renews itself; {provider} names no end."),
            (false, Some(end)) => format!(
                "Cannot be renewed and ends on {}. Reconnect before then.",
                day(end)
            ),
            (false, None) => format!("Lives until {provider} ends it; then reconnect."),
        };
        Self { text, warns }
    }
}

/// A length of time, as a person says it.
pub fn length(time: Duration) -> String {
    match time.as_secs() {
        0 => "under a second".into(),
        1 => "1 second".into(),
        seconds @ 2..120 => format!("{seconds} seconds"),
        seconds @ 120..7_200 => format!("{} minutes", seconds / 60),
        seconds => format!("{} hours", seconds / 3_600),
    }
}

/// A count with its thousands apart.
pub fn grouped(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if n < 0 {
        out.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The first letter as a capital.
pub fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// A provider as people know it.
#[derive(Clone, Debug)]
pub struct ProviderView {
    pub slug: &'static str,
    pub name: &'static str,
    pub letter: char,
    /// What comes in from it.
    pub brings: String,
}

impl From<&Description> for ProviderView {
    fn from(it: &Description) -> Self {
        let brings: Vec<&str> = it.kinds.iter().map(|kind| kind.many).collect();
        Self {
            slug: it.slug,
            name: it.name,
            letter: it.name.chars().next().unwrap_or('?'),
            brings: capital(&brings.join(", ")),
        }
    }
}

/// One entry of a selection.
pub struct Choice {
    pub value: String,
    pub label: String,
    pub chosen: bool,
}

impl Choice {
    /// These, as value and label; and what is chosen, under a label of its own, where it is none of them.
    pub fn among(known: &[(&str, &str)], chosen: &str, odd: &str) -> Vec<Self> {
        let is_odd = known.iter().all(|(value, _)| *value != chosen);
        let all = known.iter().copied();
        let choice = |(value, label): (&str, &str)| Self {
            value: value.to_owned(),
            label: label.to_owned(),
            chosen: value == chosen,
        };
        all.chain(is_odd.then_some((chosen, odd)))
            .map(choice)
            .collect()
    }
}

/// A state with its icon and its word.
pub struct StateView {
    pub class: &'static str,
    pub word: &'static str,
}

impl From<ConnectionState> for StateView {
    fn from(state: ConnectionState) -> Self {
        match state {
            ConnectionState::Connected => Self {
                class: "connected",
                word: "Connected",
            },
            ConnectionState::Reconnect => Self {
                class: "reconnect",
                word: "Reconnect",
            },
        }
    }
}

impl From<RunState> for StateView {
    fn from(state: RunState) -> Self {
        match state {
            RunState::Queued => Self {
                class: "waiting",
                word: "Starting",
            },
            RunState::Running => Self {
                class: "running",
                word: "Importing",
            },
            RunState::Done => Self {
                class: "connected",
                word: "Complete",
            },
            RunState::Partial => Self {
                class: "waiting",
                word: "Incomplete",
            },
            RunState::Failed => Self {
                class: "reconnect",
                word: "Failed",
            },
            RunState::Cancelled => Self {
                class: "cancelled",
                word: "Cancelled",
            },
        }
    }
}

/// A row of the list.
pub struct ItemRow {
    pub name: String,
    pub kind: String,
    pub provider: ProviderView,
    pub account: String,
    /// What it stands in within the account, outermost first.
    pub path: String,
    /// The name of what it stands in.
    pub parent: Option<String>,
    pub url: Option<String>,
    /// The item's own page.
    pub address: String,
    pub created: Option<When>,
    pub modified: Option<When>,
    /// Since when it is gone at its provider.
    pub gone: Option<When>,
}

impl ItemRow {
    pub fn new(
        row: ListRow,
        provider: &Description,
        account: &str,
        path: Option<Vec<String>>,
        now: DateTime<Utc>,
    ) -> Self {
        let path = path.unwrap_or_default();
        let parent = path.last().cloned();
        let kind = provider
            .kind(&row.kind)
            .map_or(row.kind.as_str(), |kind| kind.one);
        Self {
            address: urls::item(&row),
            kind: capital(kind),
            name: row.name,
            provider: provider.into(),
            account: account.to_owned(),
            path: path.join(" / "),
            parent,
            url: row.url.filter(|url| is_web_link(url)),
            created: row.created.map(|time| When::new(time, now)),
            modified: row.modified.map(|time| When::new(time, now)),
            gone: row.gone.map(|time| When::new(time, now)),
        }
    }
}

/// A link that came with data is shown only where it cannot be a script.
pub fn is_web_link(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_the_words_of_a_person() {
        let now = DateTime::parse_from_rfc3339("2026-11-21T12:00:00Z")
            .unwrap()
            .to_utc();
        let ago = |seconds| relative(now - chrono::TimeDelta::seconds(seconds), now);
        assert_eq!(ago(5), "just now");
        assert_eq!(ago(60), "1 minute ago");
        assert_eq!(ago(3 * 60), "3 minutes ago");
        assert_eq!(ago(2 * 3600), "2 hours ago");
        assert_eq!(ago(3 * 86_400), "3 days ago");
        assert_eq!(ago(60 * 86_400), "22 September 2026");
    }

    #[test]
    fn what_a_connection_lives_on_is_said_and_worried_about_in_time() {
        let now = Utc::now();
        let says = |renews, spent: Option<i64>| {
            let life = GrantLife {
                renews,
                renewed_at: spent.map(|days| now - TimeDelta::days(days)),
                lapses_at: spent.map(|days| now + TimeDelta::days(60 - days)),
            };
            let view = LifeView::new(&life, "Airtable", now);
            (view.text, view.warns)
        };
        let (text, warns) = says(true, Some(3));
        assert!(
            text.starts_with("Renews itself; would end on ") && !warns,
            "{text}"
        );
        assert!(says(true, Some(46)).1 && says(false, Some(59)).1);
        assert!(!says(true, Some(44)).1 && !says(true, None).1 && !says(false, None).1);
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(-1_234_567), "-1,234,567");
    }

    #[test]
    fn only_web_links_are_shown() {
        assert!(is_web_link("https://app.hubspot.com/contacts/1"));
        assert!(!is_web_link("javascript:alert(1)"));
        assert!(!is_web_link("data:text/html,x"));
        assert!(!is_web_link("/relative"));
    }
}
