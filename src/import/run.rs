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
        let mut fetched = begun.iter().map(|stream| stream.fetched).sum();
        for stream in streams {
            let Some(progress) = begun.iter().find(|progress| progress.name == stream.name) else {
                continue;
            };
            match self.read(stream, progress, &mut fetched).await? {
                End::Reached => {}
                End::Halted => return Ok(()),
                End::Failed(failed) => failure = Some(failed),
            }
        }
        self.finish(failure, fetched).await
    }

    /// Reads a stream to its end. While a page is stored, the next one is on its way.
    async fn read(
        &self,
        stream: &Stream,
        progress: &StreamProgress,
        fetched: &mut i64,
    ) -> store::Result<End> {
        if progress.done {
            return Ok(End::Reached);
        }
        let mut at = progress.cursor.clone();
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
            *fetched += page.items.len() as i64;
            let Some(next) = page.next.clone() else {
                self.store(stream, at.as_deref(), None, page).await?;
                return Ok(End::Reached);
            };
            if Some(&next) == at.as_ref() {
                let said = "it gave the same page twice";
                return Ok(End::Failed(Failure::new(FailureKind::Refused, said)));
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
        tokio::select! {
            biased;
            () = self.halt.cancelled() => None,
            page = adapter.page(&self.api, &account, stream, cursor, version) => Some(page),
        }
    }

    /// Stores a page and moves the cursor behind it, in one transaction.
    async fn store(
        &self,
        stream: &Stream,
        from: Option<&str>,
        to: Option<&str>,
        mut page: Page,
    ) -> store::Result<()> {
        let read = page.items.len();
        page.items.retain(is_storable);
        let skipped = page.skipped + read - page.items.len();
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
            skipped: skipped as i64,
            cost,
        })
        .await?;
        tx.commit().await
    }

    async fn finish(&self, failure: Option<Failure>, fetched: i64) -> store::Result<()> {
        let store = &self.parts.store;
        let Some(failure) = failure else {
            tracing::info!(import.run = self.run.0, "import done");
            return store.finish_run(self.run, RunState::Done, None).await;
        };
        tracing::warn!(
            import.run = self.run.0,
            failure.kind = ?failure.kind,
            failure.said,
            "import ended early"
        );
        let (code, words) = in_words(&failure, self.provider.description().name);
        let state = if fetched > 0 {
            RunState::Partial
        } else {
            RunState::Failed
        };
        store
            .finish_run(self.run, state, Some((code, &words)))
            .await
    }
}

/// An id or an address with control characters is no id and no address; PostgreSQL would refuse it.
fn is_storable(item: &Item) -> bool {
    let texts = [
        Some(item.id.as_str()),
        Some(&item.container),
        item.url.as_deref(),
    ];
    let clean = |text: &str| !text.chars().any(char::is_control);
    !item.id.is_empty() && texts.into_iter().flatten().all(clean)
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
            format!(
                "{name} asked us to wait longer than an import can. {kept} Import again later."
            ),
        ),
        FailureKind::Passing => (
            "unreachable",
            format!(
                "{name} could not be read: {said}. We tried several times. {kept} Import again later."
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
