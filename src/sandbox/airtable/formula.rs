//! As much of Airtable's formulas as a filter needs to ask what changed, or for records by id:
//! `IS_AFTER` with `LAST_MODIFIED_TIME()` or `CREATED_TIME()`, `RECORD_ID()='rec…'`, and `OR` of
//! these.

use chrono::{DateTime, NaiveDate, Utc};

use super::rows::Rows;

/// Which records a list is about.
#[derive(Debug, PartialEq)]
pub enum Filter {
    ChangedAfter(DateTime<Utc>),
    CreatedAfter(DateTime<Utc>),
    /// The record at this index; none, where the id is no record's of the table.
    Is(Option<u32>),
    Any(Vec<Filter>),
}

impl Filter {
    /// Reads a formula, asking `place` where the records that it names stand; the error says what
    /// is wrong with it.
    pub fn parse(text: &str, place: impl Fn(&str) -> Option<u32>) -> Result<Filter, String> {
        let mut reader = Reader {
            rest: text,
            place: &place,
        };
        let filter = reader.filter()?;
        match reader.skip_blanks() {
            "" => Ok(filter),
            rest => Err(format!("nothing was expected at {rest}")),
        }
    }

    pub fn admits(&self, rows: Rows<'_>, index: u32) -> bool {
        match self {
            Filter::ChangedAfter(at) => rows.modified(index) > *at,
            Filter::CreatedAfter(at) => rows.created(index) > *at,
            Filter::Is(place) => *place == Some(index),
            Filter::Any(filters) => filters.iter().any(|filter| filter.admits(rows, index)),
        }
    }
}

/// What is left of a formula.
struct Reader<'a> {
    rest: &'a str,
    place: &'a dyn Fn(&str) -> Option<u32>,
}

impl<'a> Reader<'a> {
    fn filter(&mut self) -> Result<Filter, String> {
        match self.name().to_uppercase().as_str() {
            "OR" => self.any(),
            "IS_AFTER" => self.after(),
            "RECORD_ID" => self.record(),
            other => Err(format!("{other} is not known here")),
        }
    }

    fn any(&mut self) -> Result<Filter, String> {
        self.expect("(")?;
        let mut filters = vec![self.filter()?];
        while self.has(",") {
            filters.push(self.filter()?);
        }
        self.expect(")")?;
        Ok(Filter::Any(filters))
    }

    fn after(&mut self) -> Result<Filter, String> {
        self.expect("(")?;
        let stamp = self.name().to_uppercase();
        self.expect("(")?;
        self.expect(")")?;
        self.expect(",")?;
        let at = self.moment()?;
        self.expect(")")?;
        match stamp.as_str() {
            "LAST_MODIFIED_TIME" => Ok(Filter::ChangedAfter(at)),
            "CREATED_TIME" => Ok(Filter::CreatedAfter(at)),
            other => Err(format!("{other} is no time that is known here")),
        }
    }

    fn record(&mut self) -> Result<Filter, String> {
        self.expect("(")?;
        self.expect(")")?;
        self.expect("=")?;
        let id = self.text()?;
        Ok(Filter::Is((self.place)(id)))
    }

    /// A time as text, in `DATETIME_PARSE` or alone.
    fn moment(&mut self) -> Result<DateTime<Utc>, String> {
        let text = if self.skip_blanks().starts_with(['\'', '"']) {
            self.text()?
        } else {
            self.parsed()?
        };
        moment(text).ok_or_else(|| format!("{text} is no time"))
    }

    fn parsed(&mut self) -> Result<&'a str, String> {
        match self.name().to_uppercase().as_str() {
            "DATETIME_PARSE" => {}
            other => return Err(format!("{other} is no time that is known here")),
        }
        self.expect("(")?;
        let text = self.text()?;
        self.expect(")")?;
        Ok(text)
    }

    fn name(&mut self) -> &'a str {
        let text = self.skip_blanks();
        let end = text.find(|c: char| !c.is_ascii_alphabetic() && c != '_');
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        self.rest = rest;
        name
    }

    fn text(&mut self) -> Result<&'a str, String> {
        let text = self.skip_blanks();
        let quoted = ['\'', '"']
            .into_iter()
            .find_map(|quote| text.strip_prefix(quote)?.split_once(quote));
        let (inside, rest) = quoted.ok_or_else(|| format!("a text was expected at {text}"))?;
        self.rest = rest;
        Ok(inside)
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        match self.has(sign) {
            true => Ok(()),
            false => Err(format!("{sign} was expected at {}", self.rest)),
        }
    }

    fn has(&mut self, sign: &str) -> bool {
        match self.skip_blanks().strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_blanks(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        self.rest
    }
}

/// A time with its zone, or a date, which begins at midnight in UTC.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let date = |text: &str| text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0);
    match DateTime::parse_from_rfc3339(text) {
        Ok(at) => Some(at.to_utc()),
        Err(_) => date(text).map(|at| at.and_utc()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In this table the record "rec7" stands at 7, and so on.
    fn parse(formula: &str) -> Result<Filter, String> {
        Filter::parse(formula, |id| id.strip_prefix("rec")?.parse().ok())
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn changes_and_new_records_are_asked_for_by_time() {
        let changed = "IS_AFTER(LAST_MODIFIED_TIME(),'2026-09-30T10:00:00.000Z')";
        let time = at("2026-09-30T10:00:00Z");
        assert_eq!(parse(changed), Ok(Filter::ChangedAfter(time)));
        let parsed =
            " is_after( CREATED_TIME( ), DATETIME_PARSE( \"2026-09-30T12:00:00+02:00\" ) ) ";
        assert_eq!(parse(parsed), Ok(Filter::CreatedAfter(time)));
        let date = "IS_AFTER(CREATED_TIME(),'2026-09-30')";
        assert_eq!(
            parse(date),
            Ok(Filter::CreatedAfter(at("2026-09-30T00:00:00Z")))
        );
    }

    #[test]
    fn several_conditions_stand_in_an_or() {
        let formula = "OR(RECORD_ID()='rec1', RECORD_ID() = \"rec2\", OR(RECORD_ID()='recX'))";
        let is = Filter::Is;
        let expected = Filter::Any(vec![is(Some(1)), is(Some(2)), Filter::Any(vec![is(None)])]);
        assert_eq!(parse(formula), Ok(expected));
    }

    #[test]
    fn any_other_formula_is_refused() {
        let bad = [
            "",
            "1",
            "{Name}='x'",
            "OR()",
            "OR(RECORD_ID()='recA'",
            "RECORD_ID()='recA",
            "RECORD_ID()='recA' x",
            "AND(RECORD_ID()='recA')",
            "IS_AFTER(TODAY(),'2026-09-30')",
            "IS_AFTER(CREATED_TIME(),'soon')",
            "IS_AFTER(CREATED_TIME(),TODAY())",
            "IS_AFTER(LAST_MODIFIED_TIME({Name}),'2026-09-30')",
        ];
        for formula in bad {
            assert!(parse(formula).is_err(), "{formula}");
        }
    }
}
