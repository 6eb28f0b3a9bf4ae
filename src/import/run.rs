//! One run: the listings of one connection, several at once, and how it ends.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use rand::seq::SliceRandom;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::EngineParts;
use super::listing::Listing;
use super::words::{self, Why};
use crate::client::{Api, Bearer, Failure};
use crate::item::RunId;
use crate::providers::{Configured, Memory};
use crate::store::{
    self, Connection, Coverage, Ended, NewSource, OpenSource, Pulse, RateUsed, RunState,
    UnfinishedRun,
};

/// Listings that are asked for from the store at once.
const HANDFUL: i64 = 200;
/// Pages that a run has asked for and not stored, for each listing that is read at once: a killed process
/// loses no more. Who reads alone may have the room of all.
const UNSTORED: usize = 2;
/// How often it is looked how a run fares, and how often that is told where it only uses more or less.
const LOOK: Duration = Duration::from_millis(500);
const TELL: Duration = Duration::from_secs(2);
/// Telling may take this part of the time: with very many runs, the writer has better to do.
const TELLING: u32 = 50;

/// A run's way through one connection.
pub(super) struct Course<'a> {
    pub parts: &'a EngineParts,
    pub run: UnfinishedRun,
    /// Whether it reads everything, and not only what has changed.
    pub full: bool,
    pub connection: &'a Connection,
    pub provider: &'a Configured,
    pub api: Api,
    pub memory: Memory,
    pub halt: &'a CancellationToken,
    /// For pages that are not stored yet.
    pub room: Semaphore,
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
    let streams = provider.description().streams.iter();
    let roots: Vec<NewSource<'_>> = streams
        .filter(|stream| stream.root)
        .map(|stream| NewSource {
            stream: stream.name,
            key: "",
            label: "",
            about: "",
        })
        .collect();
    let Some(full) = parts.store.begin_run(run.id, &roots).await? else {
        return Ok(());
    };
    let bearer = Bearer::Connection(Arc::clone(&parts.grants), connection.id);
    let pacing = provider.pacing(&parts.paces, &connection.account_id);
    let course = Course {
        parts,
        run,
        full,
        connection: &connection,
        provider,
        api: provider.api(&parts.client, bearer).paced(pacing),
        memory: Memory::default(),
        halt,
        room: Semaphore::new(UNSTORED * provider.description().at_once),
    };
    course.go().await
}

impl Course<'_> {
    async fn go(&self) -> store::Result<()> {
        tracing::info!(
            import.run = self.run.id.0,
            connection.id = self.connection.id.0,
            "import begins"
        );
        let over = tokio::select! {
            over = self.read_and_sweep() => over?,
            never = self.tell_how_it_fares() => match never {},
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
            while reading.len() < at_once {
                if waiting.is_empty() {
                    let limit = HANDFUL + in_hand.len() as i64;
                    let left = self.parts.store.sources_left(self.run.id, limit).await?;
                    let left = left.into_iter().filter(|it| !in_hand.contains(&it.name));
                    waiting.extend(of_one_stream(left));
                    // Listings of one budget stand side by side in the store, and only hold each other up.
                    waiting.make_contiguous().shuffle(&mut rand::rng());
                }
                let Some(source) = waiting.pop_front() else {
                    break;
                };
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

    /// Has people see what the provider makes us wait for, and what is used of what it allows.
    async fn tell_how_it_fares(&self) -> Infallible {
        let mut told = Pulse::default();
        let mut again = Instant::now();
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.pulse();
            let waits_otherwise = now.waiting_until != told.waiting_until;
            if !waits_otherwise && (now == told || Instant::now() < again) {
                continue;
            }
            let begun = Instant::now();
            match self.parts.store.note_pulse(self.run.id, &now).await {
                Ok(()) => told = now,
                Err(error) => tracing::debug!(%error, "how an import fares was not noted"),
            }
            again = Instant::now() + TELL.max(begun.elapsed() * TELLING);
        }
    }

    fn pulse(&self) -> Pulse {
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let rate = self.api.usage().map(|usage| RateUsed {
            used: number(usage.used),
            allowed: number(usage.budget.calls),
            window_ms: usage.budget.window.as_millis() as i64,
        });
        let waiting_until = self.api.meter().waiting_until();
        Pulse {
            waiting_until,
            rate,
        }
    }

    async fn read(&self, open: &OpenSource) -> store::Result<End> {
        let Some(stream) = self.provider.description().stream(&open.stream) else {
            // Left by another version, which knew it.
            self.settle(&open.name, Coverage::Unknown, None).await?;
            return Ok(End::Settled);
        };
        Listing::of(self, stream, open).read().await
    }

    pub(super) async fn settle(
        &self,
        name: &str,
        coverage: Coverage,
        why: Option<&Why>,
    ) -> store::Result<()> {
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

/// Those at the start that are of one stream: reading them may open others that come before the rest.
fn of_one_stream(sources: impl Iterator<Item = OpenSource>) -> impl Iterator<Item = OpenSource> {
    let mut sources = sources.peekable();
    let first = sources.peek().map(|source| source.stream.clone());
    sources.take_while(move |source| Some(&source.stream) == first.as_ref())
}
