//! Finds runs that nobody drives, holds each by a lease, and drives it.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::EngineParts;
use super::{run, schedule, sweep};
use crate::item::RunId;
use crate::store::UnfinishedRun;
use crate::vault;

/// How long a lease holds without being renewed: after a crash, a run lies still for this long.
const LEASE: Duration = Duration::from_secs(15);
const RENEW: Duration = Duration::from_secs(5);
/// How often runs are looked for that another process has left behind.
const LOOK: Duration = Duration::from_secs(5);
/// How often answers are looked for that another process was given.
const LOOK_FOR_ANSWERS: Duration = Duration::from_secs(60);
/// Runs that this process drives at once.
const AT_ONCE: usize = 256;
/// How long a run may go on while others wait for their turn: longer than a provider may take for an
/// answer, so that each turn gets somewhere.
const TURN: Duration = Duration::from_secs(2 * 60);
/// How long a stop waits for pages that are being stored.
const STOP: Duration = Duration::from_secs(20);

/// Drives runs in the background until it is stopped.
pub struct Engine {
    parts: EngineParts,
    /// Who holds the leases of this process.
    owner: Vec<u8>,
    news: Notify,
    answers: Notify,
    driven: Mutex<HashSet<RunId>>,
    turns: Arc<Semaphore>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Engine {
    /// Starts looking for runs.
    pub fn start(parts: EngineParts) -> Arc<Self> {
        let engine = Arc::new(Self {
            parts,
            owner: vault::random::<16>().to_vec(),
            news: Notify::new(),
            answers: Notify::new(),
            driven: Mutex::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        engine.tasks.spawn(Arc::clone(&engine).look_for_runs());
        engine.tasks.spawn(Arc::clone(&engine).look_for_answers());
        engine
    }

    /// Says that a run has been queued, so that it starts at once and not at the next look.
    pub fn wake(&self) {
        self.news.notify_one();
    }

    /// Says that a person has answered what is to be removed.
    pub fn carry_out(&self) {
        self.answers.notify_one();
    }

    /// Lets each run store the page it holds, and leaves the rest for the next start.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(STOP, self.tasks.wait()).await.is_err() {
            tracing::warn!("an import did not reach the end of its page in time");
        }
    }

    async fn look_for_runs(self: Arc<Self>) {
        loop {
            self.queue_due().await;
            match self.parts.store.unfinished_runs().await {
                Ok(runs) => runs.into_iter().for_each(|run| self.take_up(run)),
                Err(error) => tracing::warn!(%error, "unfinished imports cannot be read"),
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.news.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn look_for_answers(self: Arc<Self>) {
        let EngineParts {
            store, providers, ..
        } = &self.parts;
        loop {
            if let Err(error) = sweep::carry_out(store, providers, &self.stop).await {
                tracing::warn!(%error, "what is to be removed could not be removed yet");
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.answers.notified() => {}
                () = tokio::time::sleep(LOOK_FOR_ANSWERS) => {}
            }
        }
    }

    async fn queue_due(&self) {
        let EngineParts {
            store,
            providers,
            every,
            ..
        } = &self.parts;
        if let Err(error) = schedule::queue_due(store, providers, *every).await {
            tracing::warn!(%error, "imports that are due cannot be queued");
        }
    }

    fn take_up(self: &Arc<Self>, run: UnfinishedRun) {
        if let Some(driven) = Driven::mark(self, run.id) {
            let engine = Arc::clone(self);
            self.tasks.spawn(async move {
                tokio::select! {
                    () = engine.stop.cancelled() => return,
                    turn = engine.turns.acquire() => {
                        let Ok(_turn) = turn else { return };
                        engine.drive_if_free(run).await;
                    }
                }
                drop(driven);
            });
        }
    }

    fn driven(&self) -> std::sync::MutexGuard<'_, HashSet<RunId>> {
        self.driven
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    async fn drive_if_free(&self, run: UnfinishedRun) {
        let lease = format!("run:{}", run.id);
        match self.parts.ephemeral.claim(&lease, &self.owner, LEASE).await {
            Ok(true) => {}
            // Another process drives it.
            Ok(false) => return,
            Err(error) => {
                return tracing::warn!(%error, import.run = run.id.0, "no lease for an import");
            }
        }
        let halt = self.stop.child_token();
        tokio::select! {
            result = run::drive(&self.parts, run, &halt) => match result {
                // The next one is planned at once: a page that watched this one says when it is.
                Ok(()) => self.wake(),
                Err(error) => {
                    tracing::warn!(%error, import.run = run.id.0, "an import stopped and will be taken up again");
                }
            },
            () = self.hold(&lease) => {
                tracing::warn!(import.run = run.id.0, "the lease of an import was lost");
            }
            never = self.give_way(&halt) => match never {},
        }
        if let Err(error) = self.parts.ephemeral.release(&lease, &self.owner).await {
            tracing::debug!(%error, import.run = run.id.0, "a lease was left to expire");
        }
    }

    /// Ends a turn that was long when others wait for one: accounts that are slow for hours, however many
    /// they are, keep nobody from being imported from. The run goes on from its cursors at its next turn.
    async fn give_way(&self, halt: &CancellationToken) -> Infallible {
        loop {
            tokio::time::sleep(TURN).await;
            if self.driven().len() > AT_ONCE {
                halt.cancel();
            }
        }
    }

    /// Renews the lease for as long as it is held; returns when it is lost.
    async fn hold(&self, lease: &str) {
        loop {
            tokio::time::sleep(RENEW).await;
            match self.parts.ephemeral.renew(lease, &self.owner, LEASE).await {
                Ok(true) => {}
                // The store forgot it, or somebody else has it: whoever claims it now goes on.
                Ok(false) => match self.parts.ephemeral.claim(lease, &self.owner, LEASE).await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => tracing::warn!(%error, "a lease could not be renewed"),
                },
                // Cursors are compared as they move, so driving on for a while harms nothing.
                Err(error) => tracing::warn!(%error, "a lease could not be renewed"),
            }
        }
    }
}

/// A run that a task of this process has in hand. Dropping it, by a panic too, lets it go.
struct Driven(Arc<Engine>, RunId);

impl Driven {
    fn mark(engine: &Arc<Engine>, run: RunId) -> Option<Self> {
        engine
            .driven()
            .insert(run)
            .then(|| Self(Arc::clone(engine), run))
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.driven().remove(&self.1);
    }
}
