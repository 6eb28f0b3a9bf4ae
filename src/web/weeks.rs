//! The dashboard's chart: how many items were created and changed in each of the last weeks, by provider.

use askama::Template;
use chrono::{DateTime, NaiveDate, Utc};

use super::bars::{Bars, Both};
use super::page::{ProviderView, grouped};
use crate::store::{Week, WeekCount};

/// Weeks that are shown, with the one that is not over.
const WEEKS: i64 = 12;

/// The first and the last week that are shown now.
pub fn shown(now: DateTime<Utc>) -> (Week, Week) {
    let last = Week::of(now);
    (last.back(WEEKS - 1), last)
}

#[derive(Template)]
#[template(path = "_weeks.html")]
pub struct WeeksChart {
    /// The day with which the first week begins.
    since: String,
    /// All of it in one sentence.
    said: String,
    shares: Vec<Share>,
    /// `None` where nothing was created and nothing changed.
    bars: Option<Bars>,
    tables: [Table; 2],
}

/// Drawn by a template, which escapes what is in it.
impl askama::filters::HtmlSafe for WeeksChart {}

/// What came of one provider.
struct Share {
    provider: ProviderView,
    sum: String,
}

/// The same numbers as text: a row to a week, a column to a provider.
struct Table {
    name: &'static str,
    rows: Vec<Row>,
    sums: Vec<String>,
}

struct Row {
    week: String,
    numbers: Vec<String>,
}

impl WeeksChart {
    /// Of these providers, from the weeks that are shown.
    pub fn new(providers: Vec<ProviderView>, counted: &[WeekCount], now: DateTime<Utc>) -> Self {
        let (first, last) = shown(now);
        let of = |week: Week, provider: &ProviderView| {
            let fits = |it: &&WeekCount| it.week == week && it.provider == provider.slug;
            counted
                .iter()
                .find(fits)
                .map(Both::from)
                .unwrap_or_default()
        };
        let weeks: Vec<(NaiveDate, Vec<Both>)> = (0..WEEKS)
            .map(|n| last.back(WEEKS - 1 - n))
            .map(|week| {
                (
                    week.monday(),
                    providers.iter().map(|it| of(week, it)).collect(),
                )
            })
            .collect();
        let sums: Vec<Both> = (0..providers.len())
            .map(|at| weeks.iter().map(|(_, counts)| counts[at]).sum())
            .collect();
        let since = day(first.monday());
        Self {
            said: format!(
                "{} since {since}. The numbers of each week follow.",
                in_words(sums.iter().copied().sum())
            ),
            since,
            bars: Bars::new(&providers, &weeks),
            tables: [
                Table::new("Created", &weeks, &sums, |it| it.created),
                Table::new("Changed", &weeks, &sums, |it| it.changed),
            ],
            shares: providers.into_iter().zip(sums).map(Share::new).collect(),
        }
    }
}

impl Share {
    fn new((provider, sum): (ProviderView, Both)) -> Self {
        Self {
            provider,
            sum: in_words(sum),
        }
    }
}

impl Table {
    fn new(
        name: &'static str,
        weeks: &[(NaiveDate, Vec<Both>)],
        sums: &[Both],
        number: fn(&Both) -> i64,
    ) -> Self {
        let numbers = |counts: &[Both]| counts.iter().map(|it| grouped(number(it))).collect();
        let row = |(monday, counts): &(NaiveDate, Vec<Both>)| Row {
            week: day(*monday),
            numbers: numbers(counts),
        };
        Self {
            name,
            rows: weeks.iter().map(row).collect(),
            sums: numbers(sums),
        }
    }
}

/// In no year: twelve weeks are in no doubt about theirs.
fn day(day: NaiveDate) -> String {
    day.format("%-d %B").to_string()
}

/// What was created and changed, as people say it.
pub fn in_words(both: Both) -> String {
    let Both { created, changed } = both;
    format!("{} created, {} changed", grouped(created), grouped(changed))
}
