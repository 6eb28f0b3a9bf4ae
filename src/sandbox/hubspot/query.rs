use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::errors::{self, ApiError};
use super::fields::has_property;
use super::kind::Kind;
use super::records::Records;

const MOST_GROUPS: usize = 5;
const MOST_IN_GROUP: usize = 6;
const MOST_FILTERS: usize = 18;

/// Filters of which one group must hold, and of that group each.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Query {
    filter_groups: Vec<Group>,
    sorts: Vec<Value>,
    /// Words that stand anywhere in what a person would call the record.
    query: Option<String>,
}

#[derive(Deserialize)]
struct Group {
    filters: Vec<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    property_name: String,
    operator: Operator,
    value: Option<String>,
    high_value: Option<String>,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Operator {
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
    Between,
    In,
    NotIn,
    HasProperty,
    NotHasProperty,
}

/// A value as filters and sorts see it.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
enum Comparable {
    Absent,
    Number(f64),
    /// Ids are longer than a double is exact.
    Whole(i128),
    Text(String),
}

struct Sort {
    property: String,
    descending: bool,
}

impl Query {
    /// The indices of the records that match, in the order that is asked for.
    pub fn run(&self, records: &Records, now: DateTime<Utc>) -> Result<Vec<u32>, ApiError> {
        self.check(records.kind)?;
        let sort = self.sort(records.kind)?;
        let places = 0..records.count();
        let mut found: Vec<u32> = places
            .map(|place| records.index(place))
            .filter(|index| records.is_indexed(*index, now) && self.matches(records, *index))
            .collect();
        if let Some(sort) = sort {
            sort.apply(records, &mut found);
        }
        Ok(found)
    }

    fn check(&self, kind: Kind) -> Result<(), ApiError> {
        let too_many = self.filter_groups.len() > MOST_GROUPS
            || self.groups().any(|filters| filters.len() > MOST_IN_GROUP)
            || self.groups().map(<[Filter]>::len).sum::<usize>() > MOST_FILTERS;
        if too_many {
            return Err(errors::invalid(
                "filterGroups",
                "there are too many filters or groups of filters",
            ));
        }
        for filter in self.groups().flatten() {
            filter.check(kind)?;
        }
        Ok(())
    }

    fn groups(&self) -> impl Iterator<Item = &[Filter]> {
        self.filter_groups
            .iter()
            .map(|group| group.filters.as_slice())
    }

    fn matches(&self, records: &Records, index: u32) -> bool {
        let fits = |filters: &[Filter]| filters.iter().all(|it| it.matches(records, index));
        let in_a_group = self.filter_groups.is_empty() || self.groups().any(fits);
        in_a_group && self.has_words(records, index)
    }

    fn has_words(&self, records: &Records, index: u32) -> bool {
        let Some(query) = &self.query else {
            return true;
        };
        let record = records.record(index);
        let searched = record.fields.iter();
        let searched = searched.filter(|(name, _)| records.kind.usual_properties().contains(name));
        let values = searched.filter_map(|(_, value)| value.as_deref());
        let text = values.collect::<Vec<_>>().join(" ").to_lowercase();
        let query = query.to_lowercase();
        query.split_whitespace().all(|word| text.contains(word))
    }

    /// One sort is possible. Clients send it as an object or, the older ones, as text.
    fn sort(&self, kind: Kind) -> Result<Option<Sort>, ApiError> {
        let sort = match self.sorts.as_slice() {
            [] => return Ok(None),
            [sort] => Sort::read(sort),
            _ => return Err(errors::invalid("sorts", "only one sort is possible")),
        };
        match sort {
            Some(sort) if is_known(kind, &sort.property) => Ok(Some(sort)),
            _ => Err(errors::invalid("sorts", "there is no such property")),
        }
    }
}

impl Sort {
    fn read(sort: &Value) -> Option<Sort> {
        if let Some(text) = sort.as_str() {
            let property = text.strip_prefix('-');
            return Some(Sort {
                property: property.unwrap_or(text).to_owned(),
                descending: property.is_some(),
            });
        }
        Some(Sort {
            property: sort["propertyName"].as_str()?.to_owned(),
            descending: sort["direction"] == "DESCENDING",
        })
    }

    /// What is equal stays in the order of the ids.
    fn apply(&self, records: &Records, found: &mut Vec<u32>) {
        let keyed = found.iter();
        let mut keyed: Vec<(Comparable, u32)> = keyed
            .map(|index| (value_of(records, *index, &self.property), *index))
            .collect();
        keyed.sort_by(|(one, _), (other, _)| {
            let order = one.partial_cmp(other);
            let order = order.unwrap_or(std::cmp::Ordering::Equal);
            if self.descending {
                order.reverse()
            } else {
                order
            }
        });
        *found = keyed.into_iter().map(|(_, index)| index).collect();
    }
}

impl Filter {
    fn check(&self, kind: Kind) -> Result<(), ApiError> {
        if !is_known(kind, &self.property_name) {
            let message = format!("Property {} does not exist", self.property_name);
            return Err(errors::invalid("filterGroups", &message));
        }
        if !self
            .values()
            .all(|text| is_possible(kind, &self.property_name, text))
        {
            let message = format!("{} is no number and no time", self.property_name);
            return Err(errors::invalid("filterGroups", &message));
        }
        let complete = match self.operator {
            Operator::HasProperty | Operator::NotHasProperty => true,
            Operator::In | Operator::NotIn => !self.values.is_empty(),
            Operator::Between => self.value.is_some() && self.high_value.is_some(),
            _ => self.value.is_some(),
        };
        if complete {
            return Ok(());
        }
        let message = format!("the filter on {} lacks a value", self.property_name);
        Err(errors::invalid("filterGroups", &message))
    }

    fn values(&self) -> impl Iterator<Item = &String> {
        let single = [&self.value, &self.high_value].into_iter().flatten();
        single.chain(&self.values)
    }

    fn matches(&self, records: &Records, index: u32) -> bool {
        let is = value_of(records, index, &self.property_name);
        if is == Comparable::Absent {
            let without = [Operator::NotHasProperty, Operator::Neq, Operator::NotIn];
            // A property of another kind is nobody's: a filter on it finds nothing at all.
            return without.contains(&self.operator)
                && has_property(records.kind, &self.property_name);
        }
        let value = |text: &Option<String>| wanted(text.as_deref().unwrap_or_default(), &is);
        let low = value(&self.value);
        match self.operator {
            Operator::Eq => is == low,
            Operator::Neq => is != low,
            Operator::Lt => is < low,
            Operator::Lte => is <= low,
            Operator::Gt => is > low,
            Operator::Gte => is >= low,
            Operator::Between => is >= low && is <= value(&self.high_value),
            Operator::In => self.values.iter().any(|text| is == wanted(text, &is)),
            Operator::NotIn => !self.values.iter().any(|text| is == wanted(text, &is)),
            Operator::HasProperty => true,
            Operator::NotHasProperty => false,
        }
    }
}

/// The other kinds' name for the time of the last change is not refused: it finds nothing.
fn is_known(kind: Kind, property: &str) -> bool {
    has_property(kind, property) || ["lastmodifieddate", "hs_lastmodifieddate"].contains(&property)
}

fn is_possible(kind: Kind, property: &str, text: &str) -> bool {
    let whole = ["hs_object_id", "createdate", kind.modified_property()];
    !whole.contains(&property) || wanted(text, &Comparable::Whole(0)) != Comparable::Absent
}

/// Times and ids are worked out without the rest of the record, since nearly every search is about
/// them.
fn value_of(records: &Records, index: u32, property: &str) -> Comparable {
    if property == "hs_object_id" {
        return Comparable::Whole(records.id(index).into());
    }
    if property == "createdate" {
        return millis(records.times(index).0);
    }
    if property == records.kind.modified_property() {
        return millis(records.times(index).1);
    }
    let record = records.record(index);
    let value = record
        .fields
        .into_iter()
        .find(|(name, _)| *name == property);
    match value.and_then(|(_, value)| value) {
        None => Comparable::Absent,
        Some(text) if text.is_empty() => Comparable::Absent,
        Some(text) => match (property, text.parse()) {
            ("amount" | "numberofemployees", Ok(number)) => Comparable::Number(number),
            _ => Comparable::Text(text.to_lowercase()),
        },
    }
}

fn millis(at: DateTime<Utc>) -> Comparable {
    Comparable::Whole(at.timestamp_millis().into())
}

/// A filter's value, as what it is compared with: times may be milliseconds since 1970 or ISO 8601.
fn wanted(text: &str, like: &Comparable) -> Comparable {
    match like {
        Comparable::Whole(_) => match (text.parse(), DateTime::parse_from_rfc3339(text)) {
            (Ok(number), _) => Comparable::Whole(number),
            (_, Ok(at)) => millis(at.to_utc()),
            _ => Comparable::Absent,
        },
        Comparable::Number(_) => text.parse().map_or(Comparable::Absent, Comparable::Number),
        _ => Comparable::Text(text.to_lowercase()),
    }
}
