//! The listings: what each is asked, and which others it leads to.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::records::{DATA_SOURCE, DATABASE, PAGE, Place, Record, text};
use super::{BLOCKS, DATABASES, ROWS, SUBPAGES, UNLISTED, WITHIN_ROWS, WITHIN_UNKNOWN};
use crate::client::{Api, Call, Failure, FailureKind};
use crate::item::{Parent, clean_name};
use crate::providers::{Page, Read, Source};

/// The largest pages Notion gives.
const SIZE: u32 = 100;
/// Those that are asked for where Notion is too slow for the largest, or they are too long to read.
const SMALL: u32 = 10;
/// Blocks that are looked into in each other, and gone up through. Nobody writes so deep on purpose.
const DEEPEST: u32 = 20;

/// What the times that Notion tells are cut to.
const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// The longest object that is remembered; most are a third of it.
const SHORT: usize = 8_000;

/// All that search knows of one kind, or what of it was edited since then.
///
/// A full read goes with time: whatever is edited meanwhile moves to where it has not been yet. Search
/// takes no moment to begin at, so a read of changes goes against time until they are old.
pub async fn search(read: &Read<'_>, object: &str) -> Result<Page, Failure> {
    let direction = match read.since {
        None => "ascending",
        Some(_) => "descending",
    };
    let mut body = json!({
        "filter": { "property": "object", "value": object },
        "sort": { "timestamp": "last_edited_time", "direction": direction },
        "page_size": SIZE,
    });
    if let Some(cursor) = read.cursor {
        body["start_cursor"] = cursor.into();
    }
    let answer: List = match post(read.api, "/v1/search", &body).await {
        // One more try costs a call, beginning again a hundred.
        Err(lost) if lost.kind == FailureKind::CursorLost => {
            post(read.api, "/v1/search", &body).await?
        }
        Err(large) if large.kind == FailureKind::TooLarge => {
            body["page_size"] = SMALL.into();
            post(read.api, "/v1/search", &body).await?
        }
        answer => answer?,
    };
    let (next, is_capped) = (answer.next(), answer.is_capped());
    let mut haul = Haul::new(read);
    haul.take_all(answer.results).await?;
    let is_old = haul.met_old;
    Ok(Page {
        next: next.filter(|_| !is_old),
        cut_short: is_capped.then(|| "Notion’s search ends after 10,000 results".to_owned()),
        ..haul.page
    })
}

/// How far the rows of a data source have been read: in the order in which they were made, which no
/// edit changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Reached {
    /// The query asks for rows made from then on.
    from: Option<String>,
    cursor: Option<String>,
    /// When the last row was made that came.
    last: Option<String>,
    /// Whether some rows are out of reach.
    #[serde(default)]
    missed: bool,
    /// Whether large pages were too much.
    #[serde(default)]
    small: bool,
}

impl Reached {
    fn read(cursor: Option<&str>) -> Self {
        let reached = cursor.and_then(|cursor| serde_json::from_str(cursor).ok());
        reached.unwrap_or_default()
    }

    fn write(&self) -> String {
        serde_json::to_string(self).expect("strings are JSON")
    }

    /// Where another query goes on, if that gets any further: a query ends after 10,000 rows, and its
    /// cursor may die before.
    fn anew(&self) -> Option<Self> {
        let from = self.last.clone().filter(|_| self.last != self.from)?;
        Some(Self {
            from: Some(from.clone()),
            cursor: None,
            last: Some(from),
            ..self.clone()
        })
    }

    /// Where another query goes on after one that gave all it gives: past a minute that holds more, for
    /// later rows are not to be missed with the rest of that one's.
    fn beyond(&self) -> Option<Self> {
        self.anew().or_else(|| {
            let last = DateTime::parse_from_rfc3339(self.last.as_deref()?).ok()?;
            let from = Some(moment((last + MINUTE).to_utc()));
            Some(Self {
                from: from.clone(),
                cursor: None,
                last: from,
                missed: true,
                ..self.clone()
            })
        })
    }

    fn query(&self, since: Option<DateTime<Utc>>) -> Value {
        let from =
            |stamp: &str, time: &str| json!({"timestamp": stamp, stamp: {"on_or_after": time}});
        let made = self.from.as_deref().map(|time| from("created_time", time));
        let edited = since.map(|time| from("last_edited_time", &moment(time)));
        let mut body = json!({
            "sorts": [{ "timestamp": "created_time", "direction": "ascending" }],
            "page_size": if self.small { SMALL } else { SIZE },
        });
        let mut filters: Vec<Value> = made.into_iter().chain(edited).collect();
        match filters.len() {
            0 => {}
            1 => body["filter"] = filters.remove(0),
            _ => body["filter"] = json!({ "and": filters }),
        }
        if let Some(cursor) = &self.cursor {
            body["start_cursor"] = cursor.as_str().into();
        }
        body
    }
}

fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The rows of a data source. In a wiki there are data sources among them.
pub async fn rows(read: &Read<'_>) -> Result<Page, Failure> {
    let path = format!("/v1/data_sources/{}/query", read.source.key);
    let mut reached = Reached::read(read.cursor);
    let answer = loop {
        match post(read.api, &path, &reached.query(read.since)).await {
            Err(lost) if lost.kind == FailureKind::CursorLost => {
                reached = reached.anew().ok_or(lost)?;
            }
            // Where the size was not what was too much, that costs no more than a few calls.
            Err(much) if is_too_much(&much) && !reached.small => reached.small = true,
            answer => break answer?,
        }
    };
    reached.cursor = answer.next();
    let is_capped = answer.is_capped();
    let mut haul = Haul::new(read);
    haul.take_all(answer.results).await?;
    reached.last = haul.last_made.take().or(reached.last);
    let next = match &reached.cursor {
        Some(_) => Some(reached.clone()),
        None if is_capped => reached.beyond(),
        None => None,
    };
    let is_short = reached.missed || (is_capped && next.is_none());
    Ok(Page {
        next: next.map(|reached| reached.write()),
        cut_short: is_short.then(|| "more than 10,000 rows were made in one minute".to_owned()),
        ..haul.page
    })
}

/// Whether fewer rows may come where so many did not.
fn is_too_much(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Passing | FailureKind::TooLarge)
}

/// A database, and the data sources that it holds.
pub async fn database(read: &Read<'_>) -> Result<Page, Failure> {
    let path = path_of(DATABASE, &read.source.key);
    alone(read, &path, false).await
}

/// What was put off, or is known by its id alone, unless it has been met elsewhere since.
pub async fn by_id(read: &Read<'_>) -> Result<Page, Failure> {
    let key = &read.source.key;
    if read.memory.get(&met(key)).is_some() {
        return Ok(Page::default());
    }
    alone(read, &path_of(about(read).0, key), true).await
}

/// Where one object is read.
fn path_of(kind: &str, id: &str) -> String {
    match kind {
        DATABASE => format!("/v1/databases/{id}"),
        DATA_SOURCE => format!("/v1/data_sources/{id}"),
        _ => format!("/v1/pages/{id}"),
    }
}

/// Whether an object is shared with us, and not in the trash.
pub async fn is_there(api: &Api, item: &Parent) -> Result<bool, Failure> {
    let path = path_of(item.kind, &item.id);
    match api.ask::<Box<RawValue>>(Call::get(&path)).await {
        Ok(object) => Ok(Record::parse(object)
            .ok()
            .flatten()
            .is_none_or(|record| !record.is_in_trash())),
        Err(failure) if failure.kind == FailureKind::NotFound => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// One object, as it was put off or else as it is read from there.
async fn alone(read: &Read<'_>, path: &str, is_all: bool) -> Result<Page, Failure> {
    let put_off = read.memory.take(&waiting(&read.source.key));
    let object = match put_off.and_then(|text| RawValue::from_string(text).ok()) {
        Some(object) => Some(object),
        None => present(read.api.ask(Call::get(path)).await)?,
    };
    let mut haul = Haul::new(read);
    if let Some(object) = object {
        haul.take(object, is_all).await?;
    }
    Ok(haul.page)
}

/// What stands in a page or a block: pages and databases, and blocks that may hold more of them.
pub async fn blocks(read: &Read<'_>) -> Result<Page, Failure> {
    let key = &read.source.key;
    let depth: u32 = about(read).0.parse().unwrap_or_default();
    if depth > DEEPEST {
        return Ok(Page {
            cut_short: Some(format!("more than {DEEPEST} blocks stand in each other")),
            ..Page::default()
        });
    }
    let path = format!("/v1/blocks/{key}/children");
    let size = SIZE.to_string();
    let call = Call::get(&path)
        .query([("page_size", size.as_str())])
        .query(read.cursor.map(|cursor| ("start_cursor", cursor)));
    let answer = read.api.ask::<List>(call).await;
    let answer = match read.cursor {
        None => present(answer)?,
        Some(_) => Some(answer?),
    };
    let Some(answer) = answer else {
        return Ok(Page::default());
    };
    let next = answer.next();
    let opens = answer.results.iter().filter_map(|block| {
        let block: Value = serde_json::from_str(block.get()).ok()?;
        lead(read, &block, depth)
    });
    Ok(Page {
        opens: opens.collect(),
        next,
        ..Page::default()
    })
}

/// Where a block leads to, if anywhere.
fn lead(read: &Read<'_>, block: &Value, depth: u32) -> Option<Source> {
    let id = text(&block["id"])?;
    let named = |kind: &str| block[kind]["title"].as_str().and_then(clean_name);
    match block["type"].as_str() {
        Some("child_page") => {
            is_new(read, &id).then(|| source(read, UNLISTED, &id, named("child_page"), PAGE))
        }
        Some("child_database") => Some(source(read, DATABASES, &id, named("child_database"), "")),
        // Its rows are text.
        Some("table") => None,
        _ if block["has_children"] == true => {
            read.memory.keep(in_what(&id), block["parent"].to_string());
            let label = Some(read.source.label.clone());
            Some(source(read, BLOCKS, &id, label, &(depth + 1).to_string()))
        }
        _ => None,
    }
}

/// A listing to read, for changes as this one is. `word` is what it wants to know itself.
fn source(
    read: &Read<'_>,
    stream: &'static str,
    key: &str,
    label: Option<String>,
    word: &str,
) -> Source {
    let since = since(read).map(|since| since.timestamp_millis().to_string());
    Source {
        stream,
        key: key.to_owned(),
        label: label.unwrap_or_default(),
        about: [word, " ", &since.unwrap_or_default()].concat(),
    }
}

/// What a listing wants to know itself, and the moment that it was opened with.
fn about<'a>(read: &Read<'a>) -> (&'a str, &'a str) {
    let about = read.source.about.split_once(' ');
    about.unwrap_or((&read.source.about, ""))
}

/// The moment since which changes are looked for. What a change leads to is not walked through for
/// older ones.
fn since(read: &Read<'_>) -> Option<DateTime<Utc>> {
    let opened_with = || DateTime::from_timestamp_millis(about(read).1.parse().ok()?);
    read.since.or_else(opened_with)
}

/// What becomes of the objects that an answer holds.
struct Haul<'a> {
    read: &'a Read<'a>,
    page: Page,
    /// Whether something was met that had not changed since the moment that was asked for.
    met_old: bool,
    /// When the last object was made, as Notion wrote it.
    last_made: Option<String>,
}

impl<'a> Haul<'a> {
    fn new(read: &'a Read<'a>) -> Self {
        Self {
            read,
            page: Page::default(),
            met_old: false,
            last_made: None,
        }
    }

    async fn take_all(&mut self, objects: Vec<Box<RawValue>>) -> Result<(), Failure> {
        for object in objects {
            self.take(object, false).await?;
        }
        Ok(())
    }

    /// `is_all` where nobody knows more of the object than this.
    async fn take(&mut self, object: Box<RawValue>, is_all: bool) -> Result<(), Failure> {
        match Record::parse(object) {
            Ok(Some(record)) => self.sort(record, is_all).await?,
            Ok(None) => {}
            Err(error) => {
                self.page.skipped += 1;
                tracing::warn!(%error, "a record of Notion could not be understood");
            }
        }
        Ok(())
    }

    /// A page in a block is put off: the walk tells what the block stands in, which would be a call for
    /// each block, and opens the page then. Where it never comes there, the page is the last to be read.
    async fn sort(&mut self, record: Record, is_all: bool) -> Result<(), Failure> {
        self.last_made = text(&record.parsed["created_time"]).or(self.last_made.take());
        let is_old = is_old(self.read, &record);
        self.met_old |= is_old;
        if record.is_in_trash() {
            self.page.gone.push(record.key());
        } else if record.is_partial() && !is_all {
            self.put_off(&record, UNLISTED);
        } else if is_old && !is_all {
            // Nothing of it has changed.
        } else if !is_all && is_in_unknown_block(self.read, &record) {
            keep_waiting(self.read, &record);
            self.put_off(&record, WITHIN_UNKNOWN);
        } else {
            self.add(record).await?;
        }
        Ok(())
    }

    fn put_off(&mut self, record: &Record, stream: &'static str) {
        let by_id = source(self.read, stream, &record.id, record.title(), record.kind);
        self.page.opens.push(by_id);
    }

    async fn add(&mut self, record: Record) -> Result<(), Failure> {
        let read = self.read;
        keep_entries(read, &record);
        let name = match record.title() {
            None if record.kind == DATA_SOURCE => name_in_database(read, &record).await?,
            title => title,
        };
        let parent = holder(read, &record).await?;
        read.memory.keep(met(&record.id), String::new());
        if !is_old(read, &record) {
            let down = leads(read, &record, name.as_deref());
            let up = parent.as_ref().and_then(|it| lead_up(read, &record, it));
            self.page.opens.extend(down.into_iter().chain(up));
        }
        self.page.items.push(record.into_item(name, parent));
        Ok(())
    }
}

/// Whether an object has not changed since the moment that was asked for.
fn is_old(read: &Read<'_>, record: &Record) -> bool {
    matches!((record.edited(), since(read)), (Some(edited), Some(since)) if edited < since)
}

/// The listings of what stands in an object.
fn leads(read: &Read<'_>, record: &Record, name: Option<&str>) -> Vec<Source> {
    let label = || name.map(str::to_owned);
    let parsed = &record.parsed;
    match record.kind {
        PAGE if parsed["parent"]["type"] == "data_source_id" => {
            vec![source(read, WITHIN_ROWS, &record.id, label(), "")]
        }
        PAGE => vec![source(read, SUBPAGES, &record.id, label(), "")],
        DATA_SOURCE => {
            let parent = text(&parsed["parent"]["database_id"]);
            let database = match parsed["parent"]["type"].as_str() {
                Some("database_id") => parent.map(|id| source(read, DATABASES, &id, None, "")),
                // In a wiki it names no database of its own, which is a block of the wiki's.
                _ => text(&parsed["database_parent"]["database_id"])
                    .map(|id| source(read, SUBPAGES, &id, None, "")),
            };
            let rows = source(read, ROWS, &record.id, label(), "");
            [Some(rows), database].into_iter().flatten().collect()
        }
        _ => {
            let entries = parsed["data_sources"].as_array().into_iter().flatten();
            let ids = entries.filter_map(|entry| text(&entry["id"]));
            let new = ids.filter(|id| is_new(read, id));
            new.map(|id| source(read, UNLISTED, &id, label(), DATA_SOURCE))
                .collect()
        }
    }
}

/// The way to what a page stands in: search may have left that out, and with it all that leads to it
/// from above. Changed pages show none, for what they stand in was found before.
fn lead_up(read: &Read<'_>, record: &Record, parent: &Parent) -> Option<Source> {
    let is_known = record.kind != PAGE || since(read).is_some();
    if is_known || !is_new(read, &parent.id) {
        return None;
    }
    Some(match parent.kind {
        DATABASE => source(read, DATABASES, &parent.id, None, ""),
        kind => source(read, UNLISTED, &parent.id, None, kind),
    })
}

/// Remembers an object for when its turn comes, unless it takes much room.
fn keep_waiting(read: &Read<'_>, record: &Record) {
    if record.raw.get().len() <= SHORT {
        let object = record.raw.get().to_owned();
        read.memory.keep(waiting(&record.id), object);
    }
}

/// Remembers what a database calls the data sources in it, or is called itself.
fn keep_entries(read: &Read<'_>, database: &Record) {
    let entries = database.parsed["data_sources"].as_array();
    for entry in entries.into_iter().flatten() {
        if let Some(id) = text(&entry["id"]) {
            let name = entry["name"].as_str().and_then(clean_name);
            let name = name.or_else(|| database.title()).unwrap_or_default();
            read.memory.keep(entry_of(&id), name);
        }
    }
}

/// What a data source without a title is called in its database.
async fn name_in_database(
    read: &Read<'_>,
    data_source: &Record,
) -> Result<Option<String>, Failure> {
    let Place::In(database) = Place::of(&data_source.parsed["parent"]) else {
        return Ok(None);
    };
    let entry = entry_of(&data_source.id);
    if database.kind == DATABASE && read.memory.get(&entry).is_none() {
        let path = format!("/v1/databases/{}", database.id);
        let database = visible(read.api.ask(Call::get(&path)).await)?;
        if let Some(Ok(Some(database))) = database.map(Record::parse) {
            keep_entries(read, &database);
            keep_waiting(read, &database);
        }
    }
    Ok(read.memory.get(&entry).filter(|name| !name.is_empty()))
}

/// The item that an object stands in; blocks are climbed.
async fn holder(read: &Read<'_>, record: &Record) -> Result<Option<Parent>, Failure> {
    let mut place = Place::of(&record.parsed["parent"]);
    for _ in 0..=DEEPEST {
        match place {
            Place::In(parent) => return Ok(Some(parent)),
            Place::Nowhere => return Ok(None),
            Place::InBlock(id) => place = Place::of(&holder_of_block(read, &id).await?),
        }
    }
    Ok(None)
}

fn is_in_unknown_block(read: &Read<'_>, record: &Record) -> bool {
    match Place::of(&record.parsed["parent"]) {
        Place::InBlock(id) => read.memory.get(&in_what(&id)).is_none(),
        _ => false,
    }
}

/// What a block stands in, as Notion says it; nothing where it is not shared.
async fn holder_of_block(read: &Read<'_>, id: &str) -> Result<Value, Failure> {
    if let Some(known) = read.memory.get(&in_what(id)) {
        return Ok(serde_json::from_str(&known).unwrap_or_default());
    }
    let path = format!("/v1/blocks/{id}");
    let block: Value = visible(read.api.ask(Call::get(&path)).await)?.unwrap_or_default();
    let parent = match block["type"].as_str() {
        Some("child_page") => json!({"type": "page_id", "page_id": id}),
        Some("child_database") => json!({"type": "database_id", "database_id": id}),
        _ => block["parent"].clone(),
    };
    read.memory.keep(in_what(id), parent.to_string());
    Ok(parent)
}

/// Whether an object has not become an item yet.
fn is_new(read: &Read<'_>, id: &str) -> bool {
    read.memory.get(&met(id)).is_none()
}

// What is remembered, by name.

fn met(id: &str) -> String {
    format!("met {id}")
}

fn waiting(id: &str) -> String {
    format!("waiting {id}")
}

fn in_what(block: &str) -> String {
    format!("in {block}")
}

fn entry_of(data_source: &str) -> String {
    format!("entry {data_source}")
}

async fn post(api: &Api, path: &str, body: &Value) -> Result<List, Failure> {
    let answer = api.ask(Call::post(path, body.clone())).await;
    answer.map_err(|failure: Failure| match failure.kind {
        FailureKind::CursorLost if body.get("start_cursor").is_none() => Failure {
            kind: FailureKind::Refused,
            ..failure
        },
        _ => failure,
    })
}

/// What is not there, not shared, or of another kind than was asked for, is nothing.
fn present<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(failure) => match failure.kind {
            FailureKind::NotFound | FailureKind::CursorLost => Ok(None),
            _ => Err(failure),
        },
    }
}

/// The same, where an item can do without it: what may not be seen is nothing either.
fn visible<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match present(answer) {
        Err(failure) if failure.kind == FailureKind::Forbidden => Ok(None),
        answer => answer,
    }
}

#[derive(Deserialize)]
struct List {
    results: Vec<Box<RawValue>>,
    has_more: Option<bool>,
    next_cursor: Option<String>,
    #[serde(default)]
    request_status: Value,
}

impl List {
    /// A page may be short, or empty, and yet not be the last.
    fn next(&self) -> Option<String> {
        let next = self.next_cursor.clone().filter(|next| !next.is_empty());
        next.filter(|_| self.has_more != Some(false))
    }

    /// Whether there is more than Notion gives of one listing. Its last page alone says so.
    fn is_capped(&self) -> bool {
        self.request_status["type"] == "incomplete"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(answer: Value) -> List {
        serde_json::from_value(answer).unwrap()
    }

    #[test]
    fn a_listing_goes_on_while_there_is_a_cursor_and_says_when_it_was_capped() {
        let next = |answer| list(answer).next();
        let more = json!({"results": [], "has_more": true, "next_cursor": "c"});
        assert_eq!(next(more).as_deref(), Some("c"));
        assert_eq!(
            next(json!({"results": [], "next_cursor": "c"})).as_deref(),
            Some("c")
        );
        for end in [
            json!({"results": [], "has_more": false, "next_cursor": null}),
            json!({"results": [], "has_more": false, "next_cursor": "c"}),
            json!({"results": [], "has_more": true, "next_cursor": ""}),
            json!({"results": []}),
        ] {
            assert_eq!(next(end), None);
        }
        let status =
            json!({"type": "incomplete", "incomplete_reason": "query_result_limit_reached"});
        assert!(list(json!({"results": [], "request_status": status})).is_capped());
        assert!(!list(json!({"results": [], "request_status": {"type": "complete"}})).is_capped());
        assert!(!list(json!({"results": []})).is_capped());
    }

    #[test]
    fn rows_are_asked_for_again_from_the_moment_the_last_one_was_made() {
        let reached = |from: Option<&str>, last: Option<&str>| Reached {
            from: from.map(str::to_owned),
            cursor: Some("c".into()),
            last: last.map(str::to_owned),
            ..Reached::default()
        };
        let anew = reached(None, Some("2026-05-02T08:11:00.000Z"))
            .anew()
            .unwrap();
        assert_eq!(anew.cursor, None);
        let filter = json!({"timestamp": "created_time",
            "created_time": {"on_or_after": "2026-05-02T08:11:00.000Z"}});
        assert_eq!(anew.query(None)["filter"], filter);
        assert!(anew.anew().is_none(), "it would get no further");
        assert!(reached(None, None).anew().is_none(), "nothing has come yet");
        assert_eq!(Reached::read(Some(&anew.write())), anew);
    }

    #[test]
    fn a_minute_with_more_rows_than_a_query_gives_hides_no_later_ones_and_is_told() {
        let at = |time: &str| Some(format!("2026-05-02T08:{time}:00.000Z"));
        let first = Reached {
            last: at("11"),
            ..Reached::default()
        };
        let same = first.beyond().unwrap();
        assert_eq!((&same.from, same.missed), (&at("11"), false));
        let later = same.beyond().unwrap();
        assert_eq!((&later.from, later.missed), (&at("12"), true));
        let on = Reached {
            last: at("30"),
            ..later
        };
        assert!(on.beyond().unwrap().missed, "what was missed stays missed");
        assert!(Reached::default().beyond().is_none());
    }

    #[test]
    fn pages_stay_small_where_notion_was_too_slow_for_large_ones() {
        let slow = Reached {
            last: Some("2026-05-02T08:11:00.000Z".into()),
            small: true,
            ..Reached::default()
        };
        let size = |reached: &Reached| reached.query(None)["page_size"].clone();
        assert_eq!(
            (size(&Reached::default()), size(&slow)),
            (100.into(), 10.into())
        );
        for next in [
            slow.anew(),
            slow.beyond(),
            Some(Reached::read(Some(&slow.write()))),
        ] {
            assert_eq!(size(&next.unwrap()), 10);
        }
    }

    #[test]
    fn a_query_asks_for_nothing_that_it_need_not_ask_for() {
        let first = Reached::default().query(None);
        assert!(first.get("filter").is_none() && first.get("start_cursor").is_none());
        let since = DateTime::from_timestamp(1_794_934_800, 0);
        let edited = Reached::default().query(since);
        assert_eq!(
            edited["filter"]["last_edited_time"]["on_or_after"],
            "2026-11-17T17:00:00.000Z"
        );
        let both = Reached {
            from: Some("2026".into()),
            ..Reached::default()
        };
        assert_eq!(
            both.query(since)["filter"]["and"].as_array().unwrap().len(),
            2
        );
    }
}
