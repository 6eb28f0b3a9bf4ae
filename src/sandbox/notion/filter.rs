use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::Value;

use super::errors::{self, ApiError};

/// Groups may stand in groups, but not deeper than this.
const DEEPEST: u32 = 2;

/// A condition on the rows of a data source. Of those that Notion has, the ones on times.
#[derive(Debug)]
pub enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Time {
        stamp: Stamp,
        test: Test,
        at: DateTime<Utc>,
    },
}

/// The two times that everything has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    Created,
    Edited,
}

#[derive(Clone, Copy, Debug)]
pub enum Test {
    Equals,
    Before,
    After,
    OnOrBefore,
    OnOrAfter,
}

impl Stamp {
    pub fn parse(name: &Value) -> Option<Stamp> {
        match name.as_str()? {
            "created_time" => Some(Stamp::Created),
            "last_edited_time" => Some(Stamp::Edited),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Stamp::Created => "created_time",
            Stamp::Edited => "last_edited_time",
        }
    }
}

impl Filter {
    pub fn parse(filter: &Value) -> Result<Filter, ApiError> {
        Filter::parse_at(filter, 0)
    }

    fn parse_at(filter: &Value, depth: u32) -> Result<Filter, ApiError> {
        let group = |name: &str| filter[name].as_array().filter(|_| depth <= DEEPEST);
        let parts = |list: &Vec<Value>| {
            let parts = list.iter().map(|part| Filter::parse_at(part, depth + 1));
            parts.collect::<Result<Vec<Filter>, ApiError>>()
        };
        match (group("and"), group("or")) {
            (Some(list), None) => Ok(Filter::All(parts(list)?)),
            (None, Some(list)) => Ok(Filter::Any(parts(list)?)),
            _ => condition(filter).ok_or_else(|| unusable(filter)),
        }
    }

    /// Whether something with these times is wanted.
    pub fn admits(&self, created: DateTime<Utc>, edited: DateTime<Utc>) -> bool {
        match self {
            Filter::All(parts) => parts.iter().all(|part| part.admits(created, edited)),
            Filter::Any(parts) => parts.iter().any(|part| part.admits(created, edited)),
            Filter::Time { stamp, test, at } => {
                let time = match stamp {
                    Stamp::Created => created,
                    Stamp::Edited => edited,
                };
                test.holds(time, *at)
            }
        }
    }
}

impl Test {
    fn holds(self, time: DateTime<Utc>, at: DateTime<Utc>) -> bool {
        match self {
            Test::Equals => time == at,
            Test::Before => time < at,
            Test::After => time > at,
            Test::OnOrBefore => time <= at,
            Test::OnOrAfter => time >= at,
        }
    }
}

fn condition(filter: &Value) -> Option<Filter> {
    let stamp = Stamp::parse(&filter["timestamp"])?;
    let tests = filter[stamp.name()].as_object()?;
    let (name, value) = tests.iter().next().filter(|_| tests.len() == 1)?;
    let test = match name.as_str() {
        "equals" => Test::Equals,
        "before" => Test::Before,
        "after" => Test::After,
        "on_or_before" => Test::OnOrBefore,
        "on_or_after" => Test::OnOrAfter,
        _ => return None,
    };
    let at = time(value.as_str()?)?;
    Some(Filter::Time { stamp, test, at })
}

/// A time, or a day, which means its beginning.
fn time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    let day: NaiveDate = text.parse().ok()?;
    Some(day.and_time(NaiveTime::MIN).and_utc())
}

fn unusable(filter: &Value) -> ApiError {
    errors::invalid(&format!(
        "body failed validation: body.filter is not one this API can use, instead was `{filter}`."
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn admits(filter: &Value, created: &str, edited: &str) -> bool {
        let (created, edited) = (time(created).unwrap(), time(edited).unwrap());
        Filter::parse(filter).unwrap().admits(created, edited)
    }

    fn edited(test: &str, at: &str) -> Value {
        json!({ "timestamp": "last_edited_time", "last_edited_time": { test: at } })
    }

    #[test]
    fn bounds_are_inside_or_outside_as_they_say() {
        let at = "2026-05-02T08:11:00.000Z";
        let holds = |test: &str| admits(&edited(test, at), "2026-01-01", at);
        let inside = ["equals", "on_or_before", "on_or_after"].map(holds);
        assert_eq!(inside, [true; 3]);
        assert_eq!(["before", "after"].map(holds), [false; 2]);
    }

    #[test]
    fn groups_join_conditions_and_may_stand_in_each_other() {
        let both = json!({ "and": [
            { "timestamp": "created_time", "created_time": { "on_or_after": "2026-01-01" } },
            { "or": [edited("after", "2026-06-01"), edited("before", "2026-02-01T00:00:00+01:00")] },
        ] });
        assert!(admits(&both, "2026-01-01", "2026-07-01"));
        assert!(admits(&both, "2026-01-01", "2026-01-02"));
        assert!(!admits(&both, "2026-01-01", "2026-05-01"));
        assert!(!admits(&both, "2025-12-31", "2026-07-01"));
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        let deep = json!({ "and": [{ "or": [{ "and": [{ "or": [] }] }] }] });
        let bad = [
            json!({}),
            json!({ "property": "Status", "select": { "equals": "Open" } }),
            edited("on_or_after", "yesterday"),
            edited("past_week", "2026-01-01"),
            deep,
        ];
        for filter in bad {
            assert!(Filter::parse(&filter).is_err(), "{filter}");
        }
    }
}
