//! One run: each listing of one connection from its cursor to its end, several at once.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::stream::{FuturesUnordered, StreamExt};
use rand::seq::SliceRandom;
use tokio_util::sync::CancellationToken;

use super::EngineParts;
use super::words::{self, Why};
use crate::client::{Api, Bearer, Failure, FailureKind};
use crate::item::{Item, RunId};
use crate::providers::{Configured, Memory, Page, Read, Source, Stream};
use crate::store::{
    self, Connection, Coverage, Ended, NewSource, OpenSource, Progress, RunState, UnfinishedRun,
};

/// Listings that are asked for from the store at once.
const HANDFUL: i64 = 200;
/// How often a listing whose cursors die is begun again.
const RESTARTS: u32 = 3;
/// How often it is told that the provider makes us wait.
const TELL: Duration = Duration::from_millis(500);

/// A run's way through one connection.
pub(super) struct Course<'a> {
    pub parts: &'a EngineParts,
    pub run: UnfinishedRun,
    pub connection: &'a Connection,
    pub provider: &'a Configured,
    pub api: Api,
    memory: Memory,
    pub halt: &'a CancellationToken,
}

/// How the reading of a listing ended.
pub(super) enum End {
    /// It is settled in the store, whole or not.
    Settled,
    /// We are stopping; the cursor stands where to go on.
    Halted,
    /// Nothing of this connection can be read any more.
    Over(Failure),
}

/// Drives a run to its end, or to the end of the pages at hand when `halt` says so.
///
/// An error leaves the run unfinished, to be taken up again: a store was away, or somebody else has
/// moved a cursor. Whatever trying again cannot mend ends the run.
pub async fn drive(
    parts: &EngineParts,
    run: UnfinishedRun,
    halt: &CancellationToken,
) -> store::Result<()> {
    match drive_to_end(parts, run, halt).await {
        Err(error) if !(error.is_away() || matches!(error, store::Error::Overtaken)) => {
            tracing::error!(%error, import.run = run.id.0, "an import cannot be stored");
            fail(parts, run.id, &words::unstorable()).await
        }
        result => result,
    }
}

async fn fail(parts: &EngineParts, run: RunId, why: &Why) -> store::Result<()> {
    let why = Some((why.code, why.words.as_str()));
    parts.store.finish_run(run, RunState::Failed, why).await
}

async fn drive_to_end(
    parts: &EngineParts,
    run: UnfinishedRun,
    halt: &CancellationToken,
) -> store::Result<()> {
    let Some(connection) = parts.store.any_connection(run.connection_id).await? else {
        return Ok(());
    };
    let Some(provider) = parts.providers.find(&connection.provider) else {
        return fail(parts, run.id, &words::provider_off()).await;
    };
    let bearer = Bearer::Connection(Arc::clone(&parts.grants), connection.id);
    let pacing = provider.pacing(&parts.paces, &connection.account_id);
    let course = Course {
        parts,
        run,
        connection: &connection,
        provider,
        api: provider.api(&parts.client, bearer).paced(pacing),
        memory: Memory::default(),
        halt,
    };
    course.go().await
}

impl Course<'_> {
    async fn go(&self) -> store::Result<()> {
        let streams = self.provider.description().streams.iter();
        let roots: Vec<NewSource<'_>> = streams
            .filter(|stream| stream.root)
            .map(|stream| new_source(stream.name, "", "", ""))
            .collect();
        if !self.parts.store.begin_run(self.run.id, &roots).await? {
            return Ok(());
        }
        tracing::info!(
            import.run = self.run.id.0,
            connection.id = self.connection.id.0,
            "import begins"
        );
        let over = tokio::select! {
            over = self.read_and_sweep() => over?,
            never = self.tell_of_waiting() => match never {},
        };
        match over {
            Some(End::Halted) => Ok(()),
            Some(End::Over(failure)) => self.finish(Some(&failure)).await,
            _ => self.finish(None).await,
        }
    }

    /// Answers how it ended where it ended early.
    async fn read_and_sweep(&self) -> store::Result<Option<End>> {
        match self.read_all().await? {
            None => self.sweep().await,
            early => Ok(early),
        }
    }

    /// Reads every listing there is, those that are found on the way too, so many at once as the
    /// provider is asked for. Answers how it ended where it ended early.
    async fn read_all(&self) -> store::Result<Option<End>> {
        let at_once = self.provider.description().at_once;
        let mut in_hand: HashSet<String> = HashSet::new();
        let mut waiting: VecDeque<OpenSource> = VecDeque::new();
        let mut reading = FuturesUnordered::new();
        loop {
            if waiting.is_empty() && reading.len() < at_once {
                let limit = HANDFUL + in_hand.len() as i64;
                let left = self.parts.store.sources_left(self.run.id, limit).await?;
                let left = left.into_iter().filter(|it| !in_hand.contains(&it.name));
                waiting.extend(of_one_stream(left));
                // Listings of one budget stand side by side in the store, and only hold each other up.
                waiting.make_contiguous().shuffle(&mut rand::rng());
            }
            while reading.len() < at_once
                && let Some(source) = waiting.pop_front()
            {
                in_hand.insert(source.name.clone());
                reading.push(async move {
                    let end = self.read(&source).await;
                    (source.name, end)
                });
            }
            match reading.next().await {
                None => return Ok(None),
                Some((name, end)) => match end? {
                    End::Settled => in_hand.remove(&name),
                    early => return Ok(Some(early)),
                },
            };
        }
    }

    /// Has people see what the provider makes us wait for.
    async fn tell_of_waiting(&self) -> Infallible {
        let mut told = None;
        loop {
            tokio::time::sleep(TELL).await;
            let until = self.api.meter().waiting_until();
            if until != told {
                match self.parts.store.note_waiting(self.run.id, until).await {
                    Ok(()) => told = until,
                    Err(error) => tracing::debug!(%error, "a wait was not noted"),
                }
            }
        }
    }

    async fn read(&self, open: &OpenSource) -> store::Result<End> {
        let Some(stream) = self.provider.description().stream(&open.stream) else {
            // Left by another version, which knew it.
            self.settle(&open.name, Coverage::Unknown, None).await?;
            return Ok(End::Settled);
        };
        let source = Source {
            stream: stream.name,
            key: open.key().to_owned(),
            label: open.label.clone(),
            about: open.about.clone(),
        };
        let listing = Listing {
            course: self,
            stream,
            source,
            name: &open.name,
            since: self.since(stream, open),
        };
        listing.read(open).await
    }

    /// What has changed since then is asked for; `None` for everything.
    fn since(&self, stream: &Stream, open: &OpenSource) -> Option<DateTime<Utc>> {
        let asked = !self.run.full && stream.since;
        let read_at = open.read_at.filter(|_| asked)?;
        let overlap = self.provider.description().overlap;
        Some(DateTime::from_timestamp_millis(read_at)? - overlap)
    }

    async fn settle(&self, name: &str, coverage: Coverage, why: Option<&Why>) -> store::Result<()> {
        let why = why.map(|why| (why.code, why.words.as_str()));
        let ended = Ended {
            coverage,
            why,
            sweep: false,
        };
        self.parts.store.end_source(self.run.id, name, &ended).await
    }

    /// Ends the run. To leave something out and call it all would be the one lie that matters.
    async fn finish(&self, over: Option<&Failure>) -> store::Result<()> {
        let store = &self.parts.store;
        let streams = store.progress(self.run.id).await?;
        let got_somewhere = streams
            .iter()
            .any(|stream| stream.fetched > 0 || stream.done > stream.partial);
        let partial: i64 = streams.iter().map(|stream| stream.partial).sum();
        let why = match over {
            Some(failure) => Some(words::of_failure(
                failure,
                self.provider,
                self.connection,
                "",
            )),
            None if partial > 0 => self.first_reason(partial).await?,
            None => None,
        };
        let state = match why {
            None => RunState::Done,
            Some(_) if got_somewhere => RunState::Partial,
            Some(_) => RunState::Failed,
        };
        tracing::info!(
            import.run = self.run.id.0,
            import.state = state.as_str(),
            "import ends"
        );
        let why = why.as_ref().map(|why| (why.code, why.words.as_str()));
        store.finish_run(self.run.id, state, why).await
    }

    /// Why the first of these listings is not whole, and how many others are not.
    async fn first_reason(&self, partial: i64) -> store::Result<Option<Why>> {
        let worst = self.parts.store.coverage(self.run.id, 1).await?;
        Ok(worst
            .into_iter()
            .next()
            .map(|first| words::of_several(first, partial)))
    }
}

/// One listing, on its way through it.
struct Listing<'a> {
    course: &'a Course<'a>,
    stream: &'static Stream,
    source: Source,
    name: &'a str,
    since: Option<DateTime<Utc>>,
}

/// Where a listing is.
struct Standing {
    at: Option<String>,
    path: Path,
    skipped: i64,
}

/// What came in place of a page.
enum NoPage {
    Halted,
    Failed(Failure),
}

impl Listing<'_> {
    /// Reads it to its end, from its beginning again where its cursors die.
    async fn read(&self, open: &OpenSource) -> store::Result<End> {
        let mut at = open.cursor.clone();
        let mut skipped = open.skipped;
        for restart in 0.. {
            let mut standing = Standing {
                path: Path::from(at.clone()),
                at,
                skipped,
            };
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
                .restart_source(run, self.name, standing.at.as_deref())
                .await?;
            (at, skipped) = (None, standing.skipped);
        }
        unreachable!("the loop returns")
    }

    /// Reads on from a cursor. While a page is stored, the next one is on its way.
    async fn read_on(&self, standing: &mut Standing) -> store::Result<Option<NoPage>> {
        let mut coming = self.page(standing.at.as_deref()).await;
        loop {
            let page = match coming {
                Ok(page) => page,
                Err(none) => return Ok(Some(none)),
            };
            standing.skipped += page.skipped as i64;
            let Some(next) = page.next.clone() else {
                self.store(standing, None, page).await?;
                return Ok(None);
            };
            if standing.path.leads_nowhere(&next, page.items.is_empty()) {
                self.store(standing, Some(&next), page).await?;
                standing.at = Some(next);
                let said = "its pages lead in circles";
                let failure = Failure::new(FailureKind::Endless, said);
                return Ok(Some(NoPage::Failed(failure)));
            }
            let following = async { Ok(self.page(Some(&next)).await) };
            let stored = self.store(standing, Some(&next), page);
            // Where the page cannot be stored, the next one is not waited for.
            let ((), following) = tokio::try_join!(stored, following)?;
            (standing.at, coming) = (Some(next), following);
        }
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

    /// Stores a page and moves the cursor behind it, in one transaction; after the last one also how
    /// much of the listing there is.
    async fn store(&self, standing: &Standing, to: Option<&str>, page: Page) -> store::Result<()> {
        let (run, connection) = (self.course.run.id, self.course.connection.id);
        let cost = self.course.api.meter().take();
        let mut tx = self.course.parts.store.begin().await?;
        let counts = tx.save_items(connection, run, &page.items).await?;
        let removed = tx.remove_items(connection, &page.gone).await?;
        let opens: Vec<NewSource<'_>> = page
            .opens
            .iter()
            .map(|it| new_source(it.stream, &it.key, &it.label, &it.about))
            .collect();
        tx.open_sources(run, &opens).await?;
        let from = standing.at.as_deref();
        tx.advance(&Progress {
            run,
            source: self.name,
            from,
            to: to.or(from),
            done: to.is_none(),
            counts,
            removed,
            skipped: page.skipped as i64,
            total: page.total,
            cost,
        })
        .await?;
        if to.is_none() {
            let (coverage, why) = self.reached(page.cut_short, standing.skipped);
            let why = why.as_ref().map(|why| (why.code, why.words.as_str()));
            let ended = Ended {
                coverage,
                why,
                sweep: self.is_swept(coverage),
            };
            tx.end_source(run, self.name, &ended).await?;
            if is_remembered(self.stream, coverage) {
                tx.mark_source(run, self.name).await?;
            }
        }
        tx.commit().await
    }

    /// How much there is of a listing whose end was reached.
    fn reached(&self, cut_short: Option<String>, skipped: i64) -> (Coverage, Option<Why>) {
        let name = self.course.provider.description().name;
        match cut_short {
            Some(why) => (Coverage::Partial, Some(words::cut_short(&why))),
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
                false => self.course.run.full,
            }
    }

    /// Ends a listing that cannot be read any further; the others go on, where they can.
    async fn give_up(&self, failure: Failure) -> store::Result<End> {
        let course = self.course;
        let cost = course.api.meter().take();
        course
            .parts
            .store
            .note_cost(course.run.id, self.name, cost)
            .await?;
        match failure.kind {
            FailureKind::StoreAway => return Err(store::Error::TimedOut),
            FailureKind::Unauthorized | FailureKind::NoGrant => return Ok(End::Over(failure)),
            _ => {}
        }
        tracing::warn!(
            import.run = course.run.id.0,
            import.source = self.name,
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
            .settle(self.name, Coverage::Partial, Some(&why))
            .await?;
        Ok(End::Settled)
    }
}

/// Whether the next run may ask a list for what has changed since this one. What is missing of a list
/// that should be whole is asked for again; one that proves nothing, such as a search that ends after so
/// many results, would only give the same again, at the price of walking through everything.
fn is_remembered(stream: &Stream, coverage: Coverage) -> bool {
    stream.since && (coverage != Coverage::Partial || !stream.exhaustive)
}

fn new_source<'a>(stream: &'a str, key: &'a str, label: &'a str, about: &'a str) -> NewSource<'a> {
    NewSource {
        stream,
        key,
        label,
        about,
    }
}

/// Those at the start that are of one stream: reading them may open others that come before the rest.
fn of_one_stream(sources: impl Iterator<Item = OpenSource>) -> impl Iterator<Item = OpenSource> {
    let mut sources = sources.peekable();
    let first = sources.peek().map(|source| source.stream.clone());
    sources.take_while(move |source| Some(&source.stream) == first.as_ref())
}

/// Empty pages in a row after which a listing is taken for endless.
const EMPTY: u32 = 100;

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
    page.skipped += read - page.items.len();
    page
}

/// The longest id and address kept; PostgreSQL refuses to index more.
const LONGEST_ID: usize = 255;
const LONGEST_URL: usize = 4_000;

/// An id or an address with control characters is no id and no address; PostgreSQL would refuse it.
fn is_storable(item: &Item) -> bool {
    let fits = |text: &str, longest| text.len() <= longest && !text.chars().any(char::is_control);
    let url = item.url.as_deref().unwrap_or_default();
    !item.id.is_empty()
        && fits(&item.id, LONGEST_ID)
        && fits(&item.container, LONGEST_ID)
        && fits(url, LONGEST_URL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere_after(cursors: impl Iterator<Item = u32>, empty: bool) -> Option<usize> {
        let mut path = Path::from(None);
        let next = cursors.map(|cursor| cursor.to_string());
        next.enumerate()
            .find(|(_, next)| path.leads_nowhere(next, empty))
            .map(|(at, _)| at)
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
