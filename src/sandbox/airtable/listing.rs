use chrono::Utc;
use serde_json::{Value, json};

use super::Airtable;
use super::ask::Ask;
use super::errors::{self, ApiError};
use super::formula::Filter;
use super::order::sorted;
use super::plans::Quirk;
use super::rows::Rows;
use super::shape::Shape;

/// Behind so many records a listing of a forgetful table is forgotten.
const REMEMBERED: u32 = 200;

/// A list of records that somebody asks for a page of.
pub struct Listing<'a> {
    airtable: &'a Airtable,
    rows: Rows<'a>,
    ask: &'a Ask,
    filter: Option<Filter>,
    shape: Shape<'a>,
    size: usize,
    /// Where the page begins, unless it is the first.
    begin: Option<Begin>,
}

/// What an offset says: whose listing it is, and which record comes next.
struct Begin {
    iterator: String,
    next: u32,
}

impl<'a> Listing<'a> {
    pub fn read(airtable: &'a Airtable, rows: Rows<'a>, ask: &'a Ask) -> Result<Self, ApiError> {
        let filter = ask
            .formula()
            .map(|text| Filter::parse(text, |id| rows.place(id)));
        let listing = Listing {
            airtable,
            rows,
            ask,
            filter: filter
                .transpose()
                .map_err(|why| errors::bad_formula(&why))?,
            shape: Shape::read(ask, rows.table)?,
            size: ask.page_size()? as usize,
            begin: ask
                .offset
                .as_deref()
                .map(|offset| resume(airtable, rows, ask, offset))
                .transpose()?,
        };
        listing.trouble()?;
        Ok(listing)
    }

    /// The page, and the offset of the one behind it.
    pub fn page(&self) -> Result<Value, ApiError> {
        let next = self.begin.as_ref().map(|begin| begin.next);
        let left = self.left(next)?;
        let mut indexes = self.indexes(next)?;
        let page: Vec<u32> = indexes.by_ref().take(self.size.min(left)).collect();
        let following = if page.len() < left {
            indexes.next()
        } else {
            None
        };
        let records = page
            .iter()
            .map(|index| self.shape.record(self.rows, *index));
        let mut answer = json!({ "records": records.collect::<Vec<_>>() });
        if let Some(next) = self.with_quirk(&page, following) {
            answer["offset"] = self.offset(next).into();
        }
        Ok(answer)
    }

    /// The records of the list from one on.
    fn indexes(&self, next: Option<u32>) -> Result<Box<dyn Iterator<Item = u32> + '_>, ApiError> {
        let admits = |index: &u32| {
            let filter = self.filter.as_ref();
            filter.is_none_or(|filter| filter.admits(self.rows, *index))
        };
        if self.ask.sort.is_empty() {
            return Ok(Box::new(self.rows.from(next.unwrap_or(0)).filter(admits)));
        }
        let all = sorted(self.rows, self.rows.from(0).filter(admits), &self.ask.sort)?;
        let place = next.map(|next| all.iter().position(|index| *index == next));
        let place = place.map(|place| place.ok_or_else(errors::no_such_iterator));
        Ok(Box::new(
            all.into_iter().skip(place.transpose()?.unwrap_or(0)),
        ))
    }

    /// How many records may still be given of a list that has a most.
    fn left(&self, next: Option<u32>) -> Result<usize, ApiError> {
        let Some(most) = self.ask.max_records else {
            return Ok(usize::MAX);
        };
        let given = match next {
            None => 0,
            next => self.indexes(None)?.count() - self.indexes(next)?.count(),
        };
        Ok((most as usize).saturating_sub(given))
    }

    fn offset(&self, next: u32) -> String {
        let iterator = match &self.begin {
            Some(begin) => begin.iterator.clone(),
            None => {
                let forgetful = self.rows.table.quirk == Quirk::Forgets
                    && !self.airtable.listings.next().is_multiple_of(2);
                let list = self.ask.list(&self.rows.table.id);
                self.airtable.iterators.begin(&list, forgetful, Utc::now())
            }
        };
        format!("{iterator}/{}", self.rows.id(next))
    }

    /// Where the next page begins, which is not always behind this one.
    fn with_quirk(&self, page: &[u32], following: Option<u32>) -> Option<u32> {
        match (self.rows.table.quirk, &self.begin) {
            (Quirk::Circles, Some(begin)) => Some(begin.next),
            (Quirk::Border, _) if page.len() > 1 => following.and(page.last().copied()),
            (Quirk::EmptyEnd, _) if !page.is_empty() => following.or(Some(self.rows.end())),
            _ => following,
        }
    }

    /// What happens to a table between its first page and its second.
    fn trouble(&self) -> Result<(), ApiError> {
        match (self.rows.table.quirk, &self.begin) {
            (Quirk::Deleted, Some(_)) => Err(errors::no_such_table(self.rows.table.name)),
            (Quirk::Withdrawn, Some(_)) => Err(errors::not_permitted()),
            _ => Ok(()),
        }
    }
}

fn resume(airtable: &Airtable, rows: Rows<'_>, ask: &Ask, offset: &str) -> Result<Begin, ApiError> {
    let (iterator, record) = offset
        .split_once('/')
        .ok_or_else(errors::no_such_iterator)?;
    let next = rows.place(record).ok_or_else(errors::no_such_iterator)?;
    let list = ask.list(&rows.table.id);
    let forgetful = airtable
        .iterators
        .resume(iterator, &list, Utc::now())
        .ok_or_else(errors::no_such_iterator)?;
    if forgetful && next >= REMEMBERED {
        airtable.iterators.forget(iterator);
        return Err(errors::no_such_iterator());
    }
    Ok(Begin {
        iterator: iterator.to_owned(),
        next,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::testing::{connect, table_of, walk};
    use crate::sandbox::testing::{Visit, encode, options, visit};
    use crate::sandbox::{Account, Edit, Provider, Turn};

    /// A token, and the address of a table's records.
    async fn open(visit: &Visit, account: &str, table: &str) -> (String, String) {
        let (access, _) = connect(visit, account).await;
        let (base, table) = table_of(visit, &access, table).await;
        (access, format!("/v0/{base}/{table}"))
    }

    #[tokio::test]
    async fn ten_thousand_records_come_each_of_them_once() {
        let visit = visit(options());
        let (access, list) = open(&visit, "10k", "Contacts").await;
        let walk = walk(&visit, &access, &list, &[("fields[]", "Name")]).await;
        assert_eq!(walk.pages.len(), 103);
        let ids: HashSet<String> = walk.ids().into_iter().collect();
        assert_eq!(ids.len(), 10_250);
    }

    #[tokio::test]
    async fn an_offset_is_good_for_its_own_list_alone() {
        let visit = visit(options());
        let (access, list) = open(&visit, "10k", "Contacts").await;
        let page = visit
            .read(&format!("{list}?pageSize=10"), &access)
            .await
            .json();
        let offset = page["offset"].as_str().unwrap();
        let record = offset.split_once('/').unwrap().1;
        let forged = format!("itr00000000000000/{record}");
        let filter = "IS_AFTER(CREATED_TIME(),'2026-01-01')";
        for bad in [
            vec![("offset", "nonsense")],
            vec![("offset", &*forged)],
            vec![("offset", offset), ("filterByFormula", filter)],
            vec![("offset", offset), ("sort[0][field]", "Name")],
        ] {
            let answer = visit
                .read(&format!("{list}?{}", encode(&bad)), &access)
                .await;
            assert_eq!(answer.status, 422);
            assert_eq!(
                answer.json()["error"]["type"],
                "LIST_RECORDS_ITERATOR_NOT_AVAILABLE"
            );
        }
        let good = encode(&[("offset", offset), ("pageSize", "20")]);
        for _ in 0..2 {
            let page = visit.read(&format!("{list}?{good}"), &access).await.json();
            assert_eq!(page["records"][0]["id"], record);
        }
    }

    #[tokio::test]
    async fn a_list_ends_at_its_most_records_whatever_the_pages() {
        let visit = visit(options());
        let (access, list) = open(&visit, "small", "Every kind of name").await;
        for ask in [
            &[("maxRecords", "25"), ("pageSize", "10")][..],
            &[
                ("maxRecords", "25"),
                ("pageSize", "10"),
                ("sort[0][field]", "What it is"),
            ],
        ] {
            assert_eq!(walk(&visit, &access, &list, ask).await.lens(), [10, 10, 5]);
        }
        let one = walk(&visit, &access, &list, &[("maxRecords", "1")]).await;
        assert_eq!(one.lens(), [1]);
    }

    #[tokio::test]
    async fn a_sorted_list_is_in_order_up_and_down() {
        let visit = visit(options());
        let (access, list) = open(&visit, "small", "Every kind of name").await;
        let mut orders = Vec::new();
        for direction in ["asc", "desc"] {
            let ask = [
                ("sort[0][field]", "What it is"),
                ("sort[0][direction]", direction),
                ("pageSize", "7"),
            ];
            let walk = walk(&visit, &access, &list, &ask).await;
            let words = walk
                .pages
                .iter()
                .flatten()
                .map(|record| record["fields"]["What it is"].as_str().unwrap().to_owned());
            orders.push(words.collect::<Vec<_>>());
        }
        assert!(orders[0].is_sorted());
        orders[1].reverse();
        assert_eq!(orders[0], orders[1]);
    }

    #[tokio::test]
    async fn filters_find_what_changed_what_is_new_and_what_is_named() {
        let visit = visit(options());
        let (access, list) = open(&visit, "small", "Guests").await;
        let all = walk(&visit, &access, &list, &[]).await.ids();
        for turn in [Edit::Change(2), Edit::Add(3)] {
            visit.sandbox.dial(
                Provider::Airtable,
                Account::Small,
                Turn::Records("records", turn),
            );
        }
        let count = async |formula: &str| {
            walk(&visit, &access, &list, &[("filterByFormula", formula)])
                .await
                .ids()
                .len()
        };
        assert_eq!(
            count("IS_AFTER(LAST_MODIFIED_TIME(),'2026-11-17T17:00:00.000Z')").await,
            5
        );
        assert_eq!(
            count("IS_AFTER(CREATED_TIME(),DATETIME_PARSE('2026-11-17T17:00:00Z'))").await,
            3
        );
        let named = format!("OR(RECORD_ID()='{}',RECORD_ID()='{}')", all[1], all[4]);
        assert_eq!(count(&named).await, 2);
        let answer = visit
            .read(&format!("{list}?filterByFormula=%7BName%7D"), &access)
            .await;
        assert_eq!(answer.status, 422);
        assert_eq!(answer.json()["error"]["type"], "INVALID_FILTER_BY_FORMULA");
    }

    #[tokio::test]
    async fn only_the_wanted_cells_come_and_empty_ones_never() {
        let visit = visit(options());
        let (access, list) = open(&visit, "small", "Every kind of name").await;
        let walk = walk(&visit, &access, &list, &[("fields[]", "Name")]).await;
        let first = &walk.pages[0][0];
        assert_eq!(first["fields"], serde_json::json!({}));
        assert!(first["createdTime"].as_str().unwrap().ends_with('Z'));
        assert!(
            walk.pages[0]
                .iter()
                .all(|record| record["fields"].get("What it is").is_none())
        );
        let answer = visit
            .read(&format!("{list}?fields[]=Nobody"), &access)
            .await;
        assert_eq!(answer.json()["error"]["type"], "UNKNOWN_FIELD_NAME");
    }

    #[tokio::test]
    async fn cells_come_as_text_where_that_is_asked_for() {
        let visit = visit(options());
        let (access, list) = open(&visit, "small", "Every kind of name").await;
        let ask = [
            ("cellFormat", "string"),
            ("timeZone", "utc"),
            ("userLocale", "en"),
            ("recordMetadata[]", "commentCount"),
        ];
        let walk = walk(&visit, &access, &list, &ask).await;
        for record in walk.pages.iter().flatten() {
            assert!(
                record["fields"]
                    .as_object()
                    .unwrap()
                    .values()
                    .all(serde_json::Value::is_string)
            );
            assert!(record["commentCount"].is_u64());
        }
    }

    #[tokio::test]
    async fn a_table_without_records_has_one_empty_page() {
        let visit = visit(options());
        let (access, list) = open(&visit, "small", "Nothing yet").await;
        assert_eq!(walk(&visit, &access, &list, &[]).await.lens(), [0]);
    }
}
