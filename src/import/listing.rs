//! One listing, from its cursor to its end.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{SemaphorePermit, mpsc};

use super::run::{Course, End};
use super::words::{self, Why};
use crate::client::{Failure, FailureKind};
use crate::item::Item;
use crate::providers::{Page, Read, Source, Stream};
use crate::store::{self, Coverage, Ended, NewSource, OpenSource, PageCounts, Progress, Tx};

/// Pages of a listing that are stored in one transaction: as many as came while the last ones were
/// stored, but nobody who waits to write may wait long.
const TOGETHER: usize = 3;
/// A transaction that took longer is followed by a shorter one.
const LONG: Duration = Duration::from_millis(30);
/// How often a listing whose cursors die is begun again.
const RESTARTS: u32 = 3;
/// Empty pages in a row after which a listing is taken for endless.
const EMPTY: u32 = 100;
/// The longest id and address kept; PostgreSQL refuses to index more.
const LONGEST_ID: usize = 255;
const LONGEST_URL: usize = 4_000;

/// One listing, on its way through it.
pub(super) struct Listing<'a> {
    course: &'a Course<'a>,
    stream: &'static Stream,
    open: &'a OpenSource,
    source: Source,
    /// What has changed since then is asked for; `None` for everything.
    since: Option<DateTime<Utc>>,
}

/// Where a listing is.
struct Standing {
    at: Option<String>,
    skipped: i64,
}

/// A page that is not stored yet, with the room that it takes.
struct Fetched<'a> {
    page: Page,
    _room: SemaphorePermit<'a>,
}

/// What came in place of a page.
enum NoPage {
    Halted,
    Failed(Failure),
}

impl<'a> Listing<'a> {
    pub fn of(course: &'a Course<'a>, stream: &'static Stream, open: &'a OpenSource) -> Self {
        let source = Source {
            stream: stream.name,
            key: open.key().to_owned(),
            label: open.label.clone(),
            about: open.about.clone(),
        };
        Self {
            course,
            stream,
            open,
            source,
            since: since(course, stream, open),
        }
    }

    /// Reads it to its end, from its beginning again where its cursors die.
    pub async fn read(&self) -> store::Result<End> {
        let mut at = self.open.cursor.clone();
        let mut skipped = self.open.skipped;
        for restart in 0.. {
            let mut standing = Standing { at, skipped };
            let failure = match self.read_on(&mut standing).await? {
                None => return Ok(End::Settled),
                Some(NoPage::Halted) => return Ok(End::Halted),
                Some(NoPage::Failed(failure)) => failure,
            };
            let lost = failure.kind == FailureKind::CursorLost && restart < RESTARTS;
            if !lost {
                return self.give_up(failure).await;
            }
            let store = &self.course.parts.store;
            let run = self.course.run.id;
            store
                .restart_source(run, &self.open.name, standing.at.as_deref())
                .await?;
            (at, skipped) = (None, standing.skipped);
        }
        unreachable!("the loop returns")
    }

    /// Reads on from a cursor. While pages are stored, the next ones are on their way.
    async fn read_on(&self, standing: &mut Standing) -> store::Result<Option<NoPage>> {
        let (sender, pages) = mpsc::channel(TOGETHER);
        let start = standing.at.clone();
        let asked = async { Ok(self.ask(start, sender).await) };
        // Where a page cannot be stored, the next one is not waited for.
        let (ended, ()) = tokio::try_join!(asked, self.store_all(standing, pages))?;
        Ok(ended)
    }

    /// Asks for page after page, and says why it ended where it was not with the last one.
    async fn ask(
        &self,
        mut at: Option<String>,
        pages: mpsc::Sender<Fetched<'a>>,
    ) -> Option<NoPage> {
        let mut path = Path::from(at.clone());
        loop {
            let room = self.course.room.acquire().await.ok()?;
            let page = match self.page(at.as_deref()).await {
                Ok(page) => page,
                Err(none) => return Some(none),
            };
            let (next, empty) = (page.next.clone(), page.items.is_empty());
            pages.send(Fetched { page, _room: room }).await.ok()?;
            let next = next?;
            if path.leads_nowhere(&next, empty) {
                let said = "its pages lead in circles";
                let failure = Failure::new(FailureKind::Endless, said);
                return Some(NoPage::Failed(failure));
            }
            at = Some(next);
        }
    }

    /// Stores pages as they come, and together what has come meanwhile.
    async fn store_all(
        &self,
        standing: &mut Standing,
        mut pages: mpsc::Receiver<Fetched<'_>>,
    ) -> store::Result<()> {
        let mut together = Vec::new();
        let mut most = TOGETHER;
        while pages.recv_many(&mut together, most).await > 0 {
            let took = self.store(standing, &together).await?;
            most = next_most(most, took);
            together.clear();
        }
        Ok(())
    }

    /// The page after `cursor`, or nothing once we are to stop: a page that is still on its way, or a
    /// wait for the provider, is not worth keeping anybody.
    async fn page(&self, cursor: Option<&str>) -> Result<Page, NoPage> {
        let course = self.course;
        let read = Read {
            api: &course.api,
            account: &course.connection.account_id,
            notes: &course.connection.notes,
            source: &self.source,
            cursor,
            since: self.since,
            memory: &course.memory,
        };
        let page = tokio::select! {
            biased;
            () = course.halt.cancelled() => return Err(NoPage::Halted),
            page = course.provider.provider.page(read) => page,
        };
        page.map(without_the_unstorable).map_err(NoPage::Failed)
    }

    /// Stores pages and moves the cursor behind them, in one transaction; after the last one also how much
    /// of the listing there is. Says how long others may have waited for it.
    async fn store(
        &self,
        standing: &mut Standing,
        pages: &[Fetched<'_>],
    ) -> store::Result<Duration> {
        let Some(Fetched { page: last, .. }) = pages.last() else {
            return Ok(Duration::ZERO);
        };
        let (run, connection) = (self.course.run.id, self.course.connection.id);
        let cost = self.course.api.meter().take();
        let (mut counts, mut removed, mut skipped) = (PageCounts::default(), 0, 0);
        let mut tx = self.course.parts.store.begin_in_turn().await?;
        for Fetched { page, .. } in pages {
            counts += tx.save_items(connection, run, &page.items).await?;
            removed += tx.remove_items(connection, &page.gone).await?;
            skipped += page.skipped as i64;
            let opens = page.opens.iter();
            let opens: Vec<NewSource<'_>> = opens.map(new_source).collect();
            tx.open_sources(run, &opens).await?;
        }
        let from = standing.at.as_deref();
        let to = last.next.as_deref();
        tx.advance(&Progress {
            run,
            source: &self.open.name,
            from,
            to: to.or(from),
            done: to.is_none(),
            counts,
            removed,
            skipped,
            total: pages.iter().rev().find_map(|it| it.page.total),
            cost,
        })
        .await?;
        standing.skipped += skipped;
        if to.is_none() {
            self.end(&mut tx, last.cut_short.as_deref(), standing.skipped)
                .await?;
        }
        let took = tx.finish().await?;
        standing.at = last.next.clone();
        Ok(took)
    }

    /// Notes how much there is of it, now that its end was reached.
    async fn end(&self, tx: &mut Tx, cut_short: Option<&str>, skipped: i64) -> store::Result<()> {
        let (coverage, why) = self.reached(cut_short, skipped);
        let why = why.as_ref().map(|why| (why.code, why.words.as_str()));
        let ended = Ended {
            coverage,
            why,
            sweep: self.is_swept(coverage),
        };
        let run = self.course.run.id;
        tx.end_source(run, &self.open.name, &ended).await?;
        if is_remembered(self.stream, coverage) {
            tx.mark_source(run, &self.open.name).await?;
        }
        Ok(())
    }

    /// How much there is of a listing whose end was reached.
    fn reached(&self, cut_short: Option<&str>, skipped: i64) -> (Coverage, Option<Why>) {
        let name = self.course.provider.description().name;
        match cut_short {
            Some(why) => (Coverage::Partial, Some(words::cut_short(why))),
            None if skipped > 0 => (Coverage::Partial, Some(words::left_out(skipped, name))),
            None if self.stream.exhaustive => (Coverage::Complete, None),
            None => (Coverage::Unknown, Some(words::not_exhaustive(name))),
        }
    }

    /// Whether what this reading did not name is to be looked for. Of a list that should be whole, it is
    /// gone; of another, its provider is asked.
    fn is_swept(&self, coverage: Coverage) -> bool {
        let read_whole = self.since.is_none() && !self.stream.lists.is_empty();
        read_whole
            && match self.stream.exhaustive {
                true => coverage == Coverage::Complete,
                false => self.course.full,
            }
    }

    /// Ends a listing that cannot be read any further; the others go on, where they can.
    async fn give_up(&self, failure: Failure) -> store::Result<End> {
        let course = self.course;
        let cost = course.api.meter().take();
        course
            .parts
            .store
            .note_cost(course.run.id, &self.open.name, cost)
            .await?;
        match failure.kind {
            FailureKind::StoreAway => return Err(store::Error::TimedOut),
            FailureKind::Unauthorized | FailureKind::NoGrant => return Ok(End::Over(failure)),
            _ => {}
        }
        tracing::warn!(
            import.run = course.run.id.0,
            import.source = self.open.name,
            failure.kind = ?failure.kind,
            failure.said,
            "a listing ended early"
        );
        let what = match self.source.label.as_str() {
            "" => self.stream.many,
            label => label,
        };
        let why = words::of_failure(&failure, course.provider, course.connection, what);
        course
            .settle(&self.open.name, Coverage::Partial, Some(&why))
            .await?;
        Ok(End::Settled)
    }
}

/// How many pages may be stored together after a transaction of at most so many.
fn next_most(most: usize, took: Duration) -> usize {
    match took > LONG {
        true => (most / 2).max(1),
        false => (most + 1).min(TOGETHER),
    }
}

/// Since when what has changed is asked for.
fn since(course: &Course<'_>, stream: &Stream, open: &OpenSource) -> Option<DateTime<Utc>> {
    let asked = !course.full && stream.since;
    let read_at = open.read_at.filter(|_| asked)?;
    let overlap = course.provider.description().overlap;
    Some(DateTime::from_timestamp_millis(read_at)? - overlap)
}

/// Whether the next run may ask a list for what has changed since this one. What is missing of a list
/// that should be whole is asked for again; one that proves nothing, such as a search that ends after so
/// many results, would only give the same again, at the price of walking through everything.
fn is_remembered(stream: &Stream, coverage: Coverage) -> bool {
    stream.since && (coverage != Coverage::Partial || !stream.exhaustive)
}

fn new_source(source: &Source) -> NewSource<'_> {
    NewSource {
        stream: source.stream,
        key: &source.key,
        label: &source.label,
        about: &source.about,
    }
}

/// Notices when a provider's cursors come round again, without keeping them all: the cursor met at
/// each power of two is remembered, and a circle must come back to it (Brent's algorithm).
struct Path {
    mark: Option<String>,
    steps: u64,
    turn: u64,
    empty: u32,
}

impl Path {
    fn from(mark: Option<String>) -> Self {
        Self {
            mark,
            steps: 0,
            turn: 1,
            empty: 0,
        }
    }

    /// Whether following the page that led to `next` will not end.
    fn leads_nowhere(&mut self, next: &str, was_empty: bool) -> bool {
        if self.mark.as_deref() == Some(next) {
            return true;
        }
        self.steps += 1;
        if self.steps == self.turn {
            (self.mark, self.steps, self.turn) = (Some(next.to_owned()), 0, self.turn * 2);
        }
        self.empty = if was_empty { self.empty + 1 } else { 0 };
        self.empty >= EMPTY
    }
}

fn without_the_unstorable(mut page: Page) -> Page {
    let read = page.items.len();
    page.items.retain(is_storable);
    for item in &mut page.items {
        // Without its address a record is still worth having.
        item.url.take_if(|url| !fits(url, LONGEST_URL));
    }
    page.skipped += read - page.items.len();
    page
}

fn is_storable(item: &Item) -> bool {
    !item.id.is_empty() && fits(&item.id, LONGEST_ID) && fits(&item.container, LONGEST_ID)
}

/// An id or an address with control characters is no id and no address; PostgreSQL would refuse it.
fn fits(text: &str, longest: usize) -> bool {
    text.len() <= longest && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::item::Item;

    fn nowhere_after(cursors: impl Iterator<Item = u32>, empty: bool) -> Option<usize> {
        let mut path = Path::from(None);
        let next = cursors.map(|cursor| cursor.to_string());
        next.enumerate()
            .find(|(_, next)| path.leads_nowhere(next, empty))
            .map(|(at, _)| at)
    }

    #[test]
    fn a_record_whose_address_cannot_be_stored_is_kept_without_it() {
        let item = |id: &str, url: &str| Item {
            container: String::new(),
            kind: "contact",
            id: id.into(),
            name: "Ada".into(),
            created: None,
            modified: None,
            url: Some(url.into()),
            parent: None,
            substance: None,
            raw: RawValue::from_string("{}".into()).unwrap(),
        };
        let read = Page {
            items: vec![
                item("1", "https://x.test/1"),
                item("2", "https://x.test/\u{0}"),
                item("3\u{0}", "https://x.test/3"),
            ],
            ..Page::default()
        };
        let page = without_the_unstorable(read);
        let kept: Vec<_> = page
            .items
            .iter()
            .map(|it| (&*it.id, it.url.as_deref()))
            .collect();
        assert_eq!(kept, [("1", Some("https://x.test/1")), ("2", None)]);
        assert_eq!(page.skipped, 1);
    }

    #[test]
    fn fewer_pages_are_stored_together_while_that_takes_long() {
        let after = |times: &[Duration]| times.iter().copied().fold(TOGETHER, next_most);
        let (long, short) = (LONG * 2, LONG / 2);
        assert_eq!(after(&[long]), TOGETHER / 2);
        assert_eq!(after(&[long; 5]), 1);
        assert_eq!(after(&[long, long, short]), 2);
        assert_eq!(after(&[short; 5]), TOGETHER);
    }

    #[test]
    fn a_list_with_something_missing_is_read_again_unless_that_cannot_bring_it() {
        let remembered = |since, exhaustive, coverage| {
            let stream = Stream {
                name: "records",
                one: "record",
                many: "records",
                root: true,
                exhaustive,
                since,
                lists: &[],
            };
            is_remembered(&stream, coverage)
        };
        assert!(remembered(true, true, Coverage::Complete));
        assert!(!remembered(true, true, Coverage::Partial));
        assert!(remembered(true, false, Coverage::Unknown));
        assert!(remembered(true, false, Coverage::Partial));
        assert!(!remembered(false, true, Coverage::Complete));
    }

    #[test]
    fn cursors_that_come_round_are_noticed_whatever_the_circle() {
        for (lead, circle) in [(0, 1), (0, 2), (3, 7), (100, 1), (17, 250)] {
            let cursors = (0..lead).chain((lead..lead + circle).cycle().take(10_000));
            let noticed = nowhere_after(cursors, false).expect("a circle is noticed");
            assert!(
                noticed <= 4 * (lead + circle) as usize + 4,
                "{lead} and {circle}: {noticed}"
            );
        }
    }

    #[test]
    fn a_long_way_that_ends_is_no_circle_and_some_empty_pages_are_none() {
        assert_eq!(nowhere_after(0..100_000, false), None);
        assert_eq!(nowhere_after(0..90, true), None);
        assert!(nowhere_after(0..1_000, true).is_some());
    }
}
