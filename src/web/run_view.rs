//! A run, as pages show it: its numbers in words.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::page::{StateView, When, capital, grouped, length};
use crate::item::RunId;
use crate::providers::Description;
use crate::store::{RateUsed, Run, RunState, StreamProgress};

pub struct RunView {
    pub id: RunId,
    pub state: StateView,
    pub headline: String,
    pub live: bool,
    pub streams: Vec<StreamView>,
    /// What all streams have brought together.
    pub read: String,
    pub figures: Vec<Figure>,
    pub problem: Option<String>,
}

/// A stream of a run.
pub struct StreamView {
    pub name: String,
    /// `120`, or `120 of 4,000`.
    pub fetched: String,
    /// How it was read, once it was; the line is full then.
    pub done: Option<&'static str>,
}

/// A number with what it counts.
pub struct Figure {
    pub name: String,
    pub value: String,
    /// In place of the value, where it is a moment.
    pub when: Option<When>,
}

impl Figure {
    fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            when: None,
        }
    }
}

/// What all streams of a run come to.
pub struct Sums {
    pub added: i64,
    pub changed: i64,
    pub unchanged: i64,
    pub removed: i64,
    pub held: i64,
    pub skipped: i64,
    pub calls: i64,
    pub waited: Duration,
    pub unknown: i64,
}

impl Sums {
    pub fn of(run: &Run) -> Self {
        let sum = |count: fn(&StreamProgress) -> i64| run.streams.iter().map(count).sum::<i64>();
        Self {
            added: sum(|it| it.added),
            changed: sum(|it| it.changed),
            unchanged: sum(|it| it.unchanged),
            removed: sum(|it| it.removed),
            held: sum(|it| it.held),
            skipped: sum(|it| it.skipped),
            calls: sum(|it| it.calls),
            waited: Duration::from_millis(sum(|it| it.waited_ms).unsigned_abs()),
            unknown: sum(|it| it.unknown),
        }
    }

    /// How long the provider made the run wait, where that was worth the word.
    pub fn waited(&self) -> Option<String> {
        (self.waited.as_secs() > 0).then(|| length(self.waited))
    }
}

impl RunView {
    pub fn new(run: &Run, provider: &Description, now: DateTime<Utc>) -> Self {
        let live = !run.state.is_finished();
        let asked_to_wait = asked_to_wait(run, provider, now);
        let lines = run.streams.iter();
        Self {
            id: run.id,
            state: match &asked_to_wait {
                Some(_) => StateView {
                    class: "waiting",
                    word: "Waiting",
                },
                None => outcome(run),
            },
            headline: asked_to_wait.unwrap_or_else(|| headline(run.state, provider.name)),
            live,
            streams: lines
                .filter(|stream| is_worth_a_line(stream, provider))
                .map(|stream| StreamView::new(stream, provider))
                .collect(),
            read: grouped(run.streams.iter().map(|stream| stream.fetched).sum()),
            figures: figures(run, provider.name, now),
            problem: run.error_message.clone(),
        }
    }
}

/// How a run stands, in a word.
pub fn outcome(run: &Run) -> StateView {
    match run.state {
        // To call it complete would be more than anybody knows.
        RunState::Done if Sums::of(run).unknown > 0 => StateView {
            class: "connected",
            word: "Read to its end",
        },
        state => state.into(),
    }
}

fn figures(run: &Run, provider: &str, now: DateTime<Utc>) -> Vec<Figure> {
    let sums = Sums::of(run);
    let live = !run.state.is_finished();
    let always = [
        ("Added", sums.added),
        ("Changed", sums.changed),
        ("Unchanged", sums.unchanged),
        ("Removed", sums.removed),
    ];
    let sometimes = [("Held back", sums.held), ("Skipped", sums.skipped)];
    let sometimes = sometimes.into_iter().filter(|(_, n)| *n > 0);
    let counts = always.into_iter().chain(sometimes);
    let mut figures: Vec<Figure> = counts
        .map(|(name, n)| Figure::new(name, grouped(n)))
        .collect();
    figures.push(Figure::new(
        format!("Calls to {provider}"),
        grouped(sums.calls),
    ));
    let waited = sums.waited();
    figures.extend(waited.map(|waited| Figure::new(format!("Waited for {provider}"), waited)));
    if live {
        figures.extend(
            run.pulse
                .rate
                .map(|rate| Figure::new("Rate used", rate_used(rate))),
        );
        figures.extend(time_left(run, now).map(|left| Figure::new("Time left", left)));
    }
    let (name, moment) = match run.finished_at {
        Some(at) => ("Finished", Some(at)),
        None => ("Started", run.started_at),
    };
    figures.extend(moment.map(|at| Figure {
        when: Some(When::new(at, now)),
        ..Figure::new(name, "")
    }));
    if !live {
        figures.extend(took(run).map(|took| Figure::new("Took", took)));
    }
    figures
}

/// How long a run that is over has taken.
pub fn took(run: &Run) -> Option<String> {
    let took = run.finished_at? - run.started_at?;
    Some(length(took.to_std().unwrap_or_default()))
}

/// What is said while it waits for its provider.
pub fn asked_to_wait(run: &Run, provider: &Description, now: DateTime<Utc>) -> Option<String> {
    let wait = countdown(wait(run, now)?);
    Some(format!("{} asked us to wait {wait}", provider.name))
}

/// For how long it still waits for its provider.
fn wait(run: &Run, now: DateTime<Utc>) -> Option<Duration> {
    let until = run
        .pulse
        .waiting_until
        .filter(|_| !run.state.is_finished())?;
    (until - now).to_std().ok().filter(|wait| !wait.is_zero())
}

/// A wait that is told over and over: in steps, so that nobody hears every second of it.
fn countdown(wait: Duration) -> String {
    let seconds = wait.as_secs() + 1;
    length(Duration::from_secs(match seconds {
        ..=10 => seconds,
        _ => seconds.next_multiple_of(5),
    }))
}

/// `92 of 110 calls in 10 seconds`
pub fn rate_used(rate: RateUsed) -> String {
    let window = length(Duration::from_millis(rate.window_ms.unsigned_abs()));
    let (used, allowed) = (grouped(rate.used), grouped(rate.allowed));
    format!("{used} of {allowed} calls in {window}")
}

/// A run tells nothing of its pace before it has read for so long.
const PACE: Duration = Duration::from_secs(5);
/// An estimate beyond this says nothing to anybody.
const FAR: Duration = Duration::from_secs(48 * 3_600);

/// What is left at the pace so far, where every list that is being read has a total.
pub fn time_left(run: &Run, now: DateTime<Utc>) -> Option<String> {
    let open = run.streams.iter().filter(|it| it.done < it.sources);
    let left = open.map(|it| Some((it.total? - it.fetched).max(0) as f64));
    let left = left.sum::<Option<f64>>().filter(|left| *left > 0.0)?;
    let read: i64 = run.streams.iter().map(|it| it.fetched).sum();
    let passed = (now - run.started_at?).to_std().ok()?;
    if read <= 0 || passed < PACE || run.state != RunState::Running {
        return None;
    }
    let left = Duration::try_from_secs_f64(passed.as_secs_f64() * left / read as f64).ok()?;
    (left <= FAR).then(|| about(left.max(wait(run, now).unwrap_or_default())))
}

fn about(left: Duration) -> String {
    let (minutes, hours) = (
        left.as_secs().div_ceil(60),
        (left.as_secs() + 1_800) / 3_600,
    );
    match left.as_secs() {
        ..10 => "a few seconds".into(),
        10..50 => "less than a minute".into(),
        50..90 => "about a minute".into(),
        90..5_400 => format!("about {minutes} minutes"),
        _ => format!("about {hours} hours"),
    }
}

/// Lists that are opened on the way and bring nothing say nothing to anybody.
fn is_worth_a_line(stream: &StreamProgress, provider: &Description) -> bool {
    let root = provider
        .stream(&stream.name)
        .is_some_and(|known| known.root);
    root || stream.fetched > 0 || stream.partial > 0
}

impl StreamView {
    fn new(stream: &StreamProgress, provider: &Description) -> Self {
        let words = provider.stream(&stream.name);
        let fetched = grouped(stream.fetched);
        Self {
            name: capital(words.map_or(stream.name.as_str(), |words| words.many)),
            fetched: match stream.total.filter(|total| *total > stream.fetched) {
                Some(total) => format!("{fetched} of {}", grouped(total)),
                None => fetched,
            },
            done: match stream {
                StreamProgress { partial: 1.., .. } => None,
                StreamProgress { done, sources, .. } if done < sources => None,
                StreamProgress { unknown: 1.., .. } => Some("read to its end"),
                _ => Some("complete"),
            },
        }
    }
}

fn headline(state: RunState, name: &str) -> String {
    match state {
        RunState::Queued => format!("About to import from {name}"),
        RunState::Running => format!("Importing from {name}"),
        RunState::Done => "Import finished".into(),
        RunState::Partial => "Import incomplete".into(),
        RunState::Failed => "Import failed".into(),
        RunState::Cancelled => "Import cancelled".into(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::item::ConnectionId;
    use crate::store::Pulse;

    fn stream(fetched: i64, total: Option<i64>) -> StreamProgress {
        StreamProgress {
            name: "contacts".into(),
            sources: 1,
            done: 0,
            partial: 0,
            unknown: 0,
            fetched,
            total,
            added: fetched,
            changed: 0,
            unchanged: 0,
            removed: 0,
            held: 0,
            skipped: 0,
            calls: 1,
            waited_ms: 0,
        }
    }

    /// A run that began so many seconds before `now`.
    fn begun(seconds: i64, now: DateTime<Utc>, streams: Vec<StreamProgress>) -> Run {
        Run {
            id: RunId(1),
            connection: ConnectionId(1),
            state: RunState::Running,
            cause: "hand".into(),
            full: true,
            pulse: Pulse::default(),
            started_at: Some(now - TimeDelta::seconds(seconds)),
            finished_at: None,
            error_code: None,
            error_message: None,
            streams,
        }
    }

    #[test]
    fn what_is_left_is_told_at_the_pace_so_far() {
        let now = Utc::now();
        let left = |seconds, streams| time_left(&begun(seconds, now, streams), now);
        let says =
            |fetched, total| left(60, vec![stream(fetched, Some(total))]).unwrap_or_default();
        assert_eq!(says(1_000, 1_010), "a few seconds");
        assert_eq!(says(1_000, 1_500), "less than a minute");
        assert_eq!(says(1_000, 2_000), "about a minute");
        assert_eq!(says(1_000, 3_000), "about 2 minutes");
        assert_eq!(says(1_000, 200_000), "about 3 hours");
        let both = vec![stream(500, Some(500)), stream(500, Some(1_500))];
        assert_eq!(left(60, both).as_deref(), Some("about a minute"));
    }

    #[test]
    fn nothing_is_told_of_the_time_left_where_nobody_can_know() {
        let now = Utc::now();
        let left = |seconds, streams| time_left(&begun(seconds, now, streams), now);
        assert_eq!(left(60, vec![stream(10, Some(20)), stream(5, None)]), None);
        assert_eq!(left(60, vec![stream(0, Some(20))]), None, "no pace yet");
        assert_eq!(left(1, vec![stream(10, Some(20))]), None, "too early");
        assert_eq!(
            left(-60, vec![stream(10, Some(20))]),
            None,
            "a clock that went back"
        );
        assert_eq!(
            left(60, vec![stream(30, Some(20))]),
            None,
            "more than there were"
        );
        assert_eq!(left(60, vec![stream(1, Some(i64::MAX))]), None, "never");
        let mut done = stream(10, None);
        done.done = 1;
        let known = left(60, vec![done, stream(10, Some(20))]);
        assert!(known.is_some(), "what is done needs no total");
    }

    #[test]
    fn a_long_wait_counts_into_the_time_left_and_is_told_in_steps() {
        let now = Utc::now();
        let mut run = begun(60, now, vec![stream(1_000, Some(1_001))]);
        run.pulse.waiting_until = Some(now + TimeDelta::seconds(240));
        assert_eq!(time_left(&run, now).as_deref(), Some("about 4 minutes"));
        let told = |seconds: u64| countdown(Duration::from_millis(seconds * 1_000 - 1));
        assert_eq!(told(8), "8 seconds");
        assert_eq!(
            (told(41), told(44)),
            ("45 seconds".into(), "45 seconds".into())
        );
    }
}
