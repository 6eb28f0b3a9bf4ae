//! How often connections are imported from, and when each is next.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::RngExt;

use crate::providers::Providers;
use crate::store::{self, Due, Store};

/// Connections looked at in one step.
const STEP: i64 = 100;
/// How long only what has changed is asked for, before everything is read again.
const WHOLE: Duration = Duration::from_secs(7 * 24 * 3_600);
/// After failures the pause doubles with each, so many times, and to no more than this.
const DOUBLINGS: u32 = 6;
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3_600);

/// How often: `15m`, `12h`, or `off` for by hand only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Every(pub Option<Duration>);

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "must be a number with s, m, h or d, at least 10s, or off".to_owned();
        if text == "off" {
            return Ok(Self(None));
        }
        let last = text.char_indices().next_back().map_or(0, |(at, _)| at);
        let (number, unit) = text.split_at(last);
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let whole = number
            .checked_mul(seconds)
            .filter(|whole| (10..=3_153_600_000).contains(whole));
        whole
            .map(|whole| Self(Some(Duration::from_secs(whole))))
            .ok_or_else(wrong)
    }
}

/// In the largest unit that says it exactly.
impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(every) = self.0 else {
            return f.write_str("off");
        };
        let seconds = every.as_secs();
        let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
        let unit = units
            .into_iter()
            .find(|(unit, _)| seconds.is_multiple_of(*unit));
        let (unit, name) = unit.unwrap_or((1, "s"));
        write!(f, "{}{name}", seconds / unit)
    }
}

impl Every {
    /// As a connection keeps it; zero for by hand only.
    pub fn to_ms(self) -> i64 {
        let ms = self.0.map_or(0, |every| every.as_millis());
        i64::try_from(ms).unwrap_or(i64::MAX)
    }

    pub fn from_ms(ms: i64) -> Self {
        let ms = u64::try_from(ms).ok().filter(|ms| *ms > 0);
        Self(ms.map(Duration::from_millis))
    }
}

/// Queues the imports whose time has come, and plans those that have none.
pub async fn queue_due(
    store: &Store,
    providers: &Providers,
    installation: Option<Every>,
) -> store::Result<()> {
    for due in store.due(STEP).await? {
        let Some(every) = every(&due, providers, installation) else {
            continue;
        };
        if due.is_planned() {
            store.queue_due(&due, wants_all(&due, Utc::now())).await?;
        } else {
            let pause = every.0.map(|every| pause(every, due.failures));
            let at = pause.map(|pause| Utc::now() + jittered(pause));
            store.plan_import(due.id, at).await?;
        }
    }
    Ok(())
}

/// The connection's own, the installation's, or the provider's. `None` where the provider is off: then
/// nothing can be imported.
fn every(due: &Due, providers: &Providers, installation: Option<Every>) -> Option<Every> {
    let provider = providers.find(&due.provider)?.description();
    let own = due.every_ms.map(Every::from_ms);
    Some(own.or(installation).unwrap_or(Every(Some(provider.every))))
}

fn wants_all(due: &Due, now: DateTime<Utc>) -> bool {
    due.full_at()
        .is_none_or(|at| now - at > chrono::TimeDelta::from_std(WHOLE).expect("a week"))
}

fn pause(every: Duration, failures: i64) -> Duration {
    let doublings = u32::try_from(failures).unwrap_or(0).min(DOUBLINGS);
    let longer = every.saturating_mul(2u32.pow(doublings));
    longer.min(LONGEST_PAUSE.max(every))
}

/// A tenth more or less, so that what was connected together does not stay together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(0.9..=1.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_often_is_read_and_written_alike() {
        for text in ["10s", "90s", "15m", "12h", "7d", "off"] {
            assert_eq!(text.parse::<Every>().unwrap().to_string(), text);
        }
        assert_eq!("60s".parse::<Every>().unwrap().to_string(), "1m");
        for wrong in ["", "9s", "0", "-5m", "5", "m", "1.5h", "5é", "99999999999d"] {
            assert!(wrong.parse::<Every>().is_err(), "{wrong}");
        }
        for text in ["10s", "off"] {
            let every: Every = text.parse().unwrap();
            assert_eq!(Every::from_ms(every.to_ms()), every);
        }
    }

    #[test]
    fn failures_make_the_pause_longer_and_never_longer_than_a_day_unless_asked_for() {
        let minute = Duration::from_secs(60);
        assert_eq!(
            [0, 1, 3].map(|n| pause(minute, n)),
            [minute, minute * 2, minute * 8]
        );
        assert_eq!(pause(minute, 99), minute * 64);
        assert_eq!(pause(minute * 600, 5), LONGEST_PAUSE);
        assert_eq!(pause(LONGEST_PAUSE * 7, 3), LONGEST_PAUSE * 7);
        let jittered = jittered(minute).as_secs_f64();
        assert!((54.0..=66.0).contains(&jittered));
    }
}
