//! One run: each stream of one connection from its cursor to its end.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::EngineParts;
use crate::client::{Api, Bearer, Failure, FailureKind};
use crate::item::{Item, RunId};
use crate::providers::{Account, Configured, Page, Stream};
use crate::store::{self, Connection, Progress, RunState, StreamProgress, UnfinishedRun};

/// A run's way through one connection.
struct Course<'a> {
    parts: &'a EngineParts,
    run: RunId,
    connection: &'a Connection,
    provider: &'a Configured,
    api: Api,
    halt: &'a CancellationToken,
}

/// How a stream ended.
enum End {
    Reached,
    /// We are stopping; the cursor stands where to go on.
    Halted,
    Failed(Failure),
}

/// Drives a run to its end, or to the end of the page at hand when `halt` says so.
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
            let words = "What was read could not be stored, and it is our fault. \
                What was imported so far is kept. Tell whoever runs this Tributary.";
            fail(parts, run.id, "broken", words).await
        }
        result => result,
    }
}

async fn fail(parts: &EngineParts, run: RunId, code: &str, words: &str) -> store::Result<()> {
    parts
        .store
        .finish_run(run, RunState::Failed, Some((code, words)))
        .await
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
        let words = "This provider has no credentials here any more. What was imported is kept. Ask \
             whoever hosts this Tributary to set them again.";
        return fail(parts, run.id, "provider_off", words).await;
    };
    let bearer = Bearer::Connection(Arc::clone(&parts.grants), connection.id);
    let account = format!("{}/{}", connection.provider, connection.account_id);
    let pace = provider
        .budget
        .map(|budget| parts.paces.of(account, budget));
    let course = Course {
        parts,
        run: run.id,
        connection: &connection,
        provider,
        api: provider.api(&parts.client, bearer).paced(pace),
        halt,
    };
    course.go().await
}

impl Course<'_> {
    async fn go(&self) -> store::Result<()> {
        let streams = self.provider.description().streams;
        let names: Vec<&str> = streams.iter().map(|stream| stream.name).collect();
        let Some(begun) = self.parts.store.begin_run(self.run, &names).await? else {
            return Ok(());
        };
        tracing::info!(
            import.run = self.run.0,
            connection.id = self.connection.id.0,
            "import begins"
        );
        let mut failure = None;
        let mut read = Read {
            fetched: begun.iter().map(|stream| stream.fetched).sum(),
            skipped: begun.iter().map(|stream| stream.skipped).sum(),
        };
        for stream in streams {
            let Some(progress) = begun.iter().find(|progress| progress.name == stream.name) else {
                continue;
            };
            match self.read(stream, progress, &mut read).await? {
                End::Reached => {}
                End::Halted => return Ok(()),
                End::Failed(failed) => failure = Some(failed),
            }
        }
        self.finish(failure, read).await
    }

    /// Reads a stream to its end. While a page is stored, the next one is on its way.
    async fn read(
        &self,
        stream: &Stream,
        progress: &StreamProgress,
        read: &mut Read,
    ) -> store::Result<End> {
        if progress.done {
            return Ok(End::Reached);
        }
        let mut at = progress.cursor.clone();
        let mut path = Path::from(at.clone());
        let mut coming = self.page(stream, at.as_deref()).await;
        loop {
            let page = match coming {
                None => return Ok(End::Halted),
                Some(Ok(page)) => page,
                Some(Err(failure)) if failure.kind == FailureKind::StoreAway => {
                    return Err(store::Error::TimedOut);
                }
                Some(Err(failure)) => {
                    let cost = self.api.meter().take();
                    self.parts
                        .store
                        .note_cost(self.run, stream.name, cost)
                        .await?;
                    return Ok(End::Failed(failure));
                }
            };
            read.fetched += page.items.len() as i64;
            read.skipped += page.skipped as i64;
            let Some(next) = page.next.clone() else {
                self.store(stream, at.as_deref(), None, page).await?;
                return Ok(End::Reached);
            };
            if path.leads_nowhere(&next, page.items.is_empty()) {
                self.store(stream, at.as_deref(), Some(&next), page).await?;
                let said = "its pages lead in circles";
                return Ok(End::Failed(Failure::new(FailureKind::Endless, said)));
            }
            let following = async { Ok(self.page(stream, Some(&next)).await) };
            let stored = self.store(stream, at.as_deref(), Some(&next), page);
            // Where the page cannot be stored, the next one is not waited for.
            let ((), following) = tokio::try_join!(stored, following)?;
            (at, coming) = (Some(next), following);
        }
    }

    /// The page after `cursor`, or nothing once we are to stop: a page that is still on its way, or a
    /// wait for the provider, is not worth keeping anybody.
    async fn page(&self, stream: &Stream, cursor: Option<&str>) -> Option<Result<Page, Failure>> {
        let account = Account {
            id: &self.connection.account_id,
            notes: &self.connection.notes,
        };
        let version = &self.provider.api_version;
        let adapter = self.provider.provider;
        let page = tokio::select! {
            biased;
            () = self.halt.cancelled() => return None,
            page = adapter.page(&self.api, &account, stream, cursor, version) => page,
        };
        Some(page.map(without_the_unstorable))
    }

    /// Stores a page and moves the cursor behind it, in one transaction.
    async fn store(
        &self,
        stream: &Stream,
        from: Option<&str>,
        to: Option<&str>,
        page: Page,
    ) -> store::Result<()> {
        let cost = self.api.meter().take();
        let mut tx = self.parts.store.begin().await?;
        let counts = tx
            .save_items(self.connection.id, self.run, &page.items)
            .await?;
        tx.advance(&Progress {
            run: self.run,
            stream: stream.name,
            from,
            to: to.or(from),
            done: to.is_none(),
            counts,
            skipped: page.skipped as i64,
            cost,
        })
        .await?;
        tx.commit().await
    }

    async fn finish(&self, failure: Option<Failure>, read: Read) -> store::Result<()> {
        let store = &self.parts.store;
        let name = self.provider.description().name;
        let (code, words) = match &failure {
            Some(failure) => {
                tracing::warn!(
                    import.run = self.run.0,
                    failure.kind = ?failure.kind,
                    failure.said,
                    "import ended early"
                );
                in_words(failure, name)
            }
            // To leave something out and call it all would be the one lie that matters.
            None if read.skipped > 0 => left_out(read.skipped, name),
            None => {
                tracing::info!(import.run = self.run.0, "import done");
                return store.finish_run(self.run, RunState::Done, None).await;
            }
        };
        let state = if read.fetched > 0 {
            RunState::Partial
        } else {
            RunState::Failed
        };
        store
            .finish_run(self.run, state, Some((code, &words)))
            .await
    }
}

/// What a run has read, in this process and before.
struct Read {
    fetched: i64,
    skipped: i64,
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

fn left_out(skipped: i64, name: &str) -> (&'static str, String) {
    let (records, were) = if skipped == 1 {
        ("record", "was")
    } else {
        ("records", "were")
    };
    let words = format!(
        "{skipped} {records} could not be understood and {were} left out; all others are here. It is \
         our fault, not yours: tell whoever runs this Tributary, whose log says which of {name}’s \
         records it is about."
    );
    ("left_out", words)
}

/// A code for programs, and what happened, what was kept and what to do, for people.
fn in_words(failure: &Failure, name: &str) -> (&'static str, String) {
    let kept = "What was imported so far is kept.";
    let said = &failure.said;
    match failure.kind {
        FailureKind::Unauthorized | FailureKind::NoGrant => (
            "approval_ended",
            format!(
                "The approval from {name} has ended. {kept} Reconnect {name}, then import again."
            ),
        ),
        FailureKind::Forbidden => (
            "not_allowed",
            format!(
                "{name} does not let Tributary read this: “{said}”. {kept} Ask an administrator of \
                 the account, then import again."
            ),
        ),
        FailureKind::Limited => (
            "limited",
            format!("{name} takes no more requests for now: “{said}”. {kept} Import again later."),
        ),
        FailureKind::Passing => (
            "unreachable",
            format!("{name} could not be read: {said}. {kept} Import again later."),
        ),
        FailureKind::Endless => (
            "endless",
            format!(
                "{name} gave the same pages over and over, so we stopped. {kept} Import again; if it \
                 stays so, tell whoever runs this Tributary."
            ),
        ),
        FailureKind::NotFound | FailureKind::Refused | FailureKind::StoreAway => (
            "refused",
            format!(
                "{name} refused a request: “{said}”. {kept} Import again; if it stays so, tell \
                 whoever runs this Tributary."
            ),
        ),
    }
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
