//! One run: each stream of one connection from its cursor to its end.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::engine::EngineParts;
use crate::client::{Api, Bearer, Failure, FailureKind};
use crate::item::RunId;
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
/// An error means that our own stores failed: the run stays unfinished and is taken up again.
pub async fn drive(
    parts: &EngineParts,
    run: UnfinishedRun,
    halt: &CancellationToken,
) -> store::Result<()> {
    let Some(connection) = parts.store.any_connection(run.connection_id).await? else {
        return Ok(());
    };
    let Some(provider) = parts.providers.find(&connection.provider) else {
        let words = "This provider has no credentials here any more. What was imported is kept.";
        return parts
            .store
            .finish_run(run.id, RunState::Failed, Some(("provider_off", words)))
            .await;
    };
    let course = Course {
        parts,
        run: run.id,
        connection: &connection,
        provider,
        api: api(parts, provider, &connection),
        halt,
    };
    course.go().await
}

fn api(parts: &EngineParts, provider: &Configured, connection: &Connection) -> Api {
    let bearer = Bearer::Connection(Arc::clone(&parts.grants), connection.id);
    let account = format!("{}/{}", connection.provider, connection.account_id);
    let pace = provider
        .budget
        .map(|budget| parts.paces.of(account, budget));
    Api::new(
        &parts.client,
        &provider.api_url,
        bearer,
        provider.provider.read_failure(),
    )
    .paced(pace)
}

impl Course<'_> {
    async fn go(&self) -> store::Result<()> {
        let streams = self.provider.description().streams;
        let names: Vec<&str> = streams.iter().map(|stream| stream.name).collect();
        let begun = self.parts.store.begin_run(self.run, &names).await?;
        tracing::info!(
            import.run = self.run.0,
            connection.id = self.connection.id.0,
            "import begins"
        );
        let mut failure = None;
        for progress in &begun {
            let Some(stream) = self.provider.stream(&progress.name) else {
                continue;
            };
            match self.read(stream, progress).await? {
                End::Reached => {}
                End::Halted => return Ok(()),
                End::Failed(failed) => failure = Some(failed),
            }
        }
        self.finish(failure).await
    }

    /// Reads a stream to its end. While a page is stored, the next one is on its way.
    async fn read(&self, stream: &Stream, progress: &StreamProgress) -> store::Result<End> {
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
                Some(Err(failure)) => return Ok(End::Failed(failure)),
            };
            let Some(next) = page.next.clone() else {
                self.store(stream, at.as_deref(), None, page).await?;
                return Ok(End::Reached);
            };
            if Some(&next) == at.as_ref() {
                let said = "it gave the same page twice";
                return Ok(End::Failed(Failure::new(FailureKind::Refused, said)));
            }
            let (stored, following) = tokio::join!(
                self.store(stream, at.as_deref(), Some(&next), page),
                self.page(stream, Some(&next)),
            );
            stored?;
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
        let page = self
            .provider
            .provider
            .page(&self.api, &account, stream, cursor, version);
        tokio::select! {
            biased;
            () = self.halt.cancelled() => None,
            page = page => Some(page),
        }
    }

    /// Stores a page and moves the cursor behind it, in one transaction.
    async fn store(
        &self,
        stream: &Stream,
        from: Option<&str>,
        to: Option<&str>,
        page: Page,
    ) -> store::Result<()> {
        let (calls, waited_ms) = self.api.meter().take();
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
            calls,
            waited_ms,
        })
        .await?;
        tx.commit().await
    }

    async fn finish(&self, failure: Option<Failure>) -> store::Result<()> {
        let store = &self.parts.store;
        let Some(failure) = failure else {
            tracing::info!(import.run = self.run.0, "import done");
            return store.finish_run(self.run, RunState::Done, None).await;
        };
        tracing::warn!(import.run = self.run.0, failure.kind = ?failure.kind, failure.said, "import ended early");
        let (code, words) = in_words(&failure, self.provider.description().name);
        let latest = store.latest_run(self.connection.id).await?;
        let fetched: i64 = latest
            .iter()
            .flat_map(|run| &run.streams)
            .map(|stream| stream.fetched)
            .sum();
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

/// A code for programs, and what happened, what was kept and what to do, for people.
fn in_words(failure: &Failure, name: &str) -> (&'static str, String) {
    let kept = "What was imported so far is kept.";
    match failure.kind {
        FailureKind::Unauthorized | FailureKind::NoGrant => (
            "approval_ended",
            format!(
                "The approval from {name} has run out. {kept} Connect {name} again, then import again."
            ),
        ),
        FailureKind::Forbidden => (
            "not_allowed",
            format!(
                "{name} does not let Tributary read this: “{}”. {kept} Ask an administrator of the account, then import again.",
                failure.said
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
                "{name} could not be read: {}. We tried several times. {kept} Import again later.",
                failure.said
            ),
        ),
        FailureKind::NotFound | FailureKind::Refused | FailureKind::StoreAway => (
            "refused",
            format!(
                "{name} refused a request: “{}”. {kept} Import again; if it stays so, tell whoever runs this Tributary.",
                failure.said
            ),
        ),
    }
}
