//! What is done beside requests and imports for as long as the process runs, each in steps so short that
//! nobody waits long for one.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::ephemeral::SharedEphemeral;
use crate::grants::Grants;
use crate::store::{self, Store};

/// What chores are done with.
pub struct Tools {
    pub store: Arc<Store>,
    pub ephemeral: SharedEphemeral,
    pub grants: Arc<Grants>,
    /// Tells that something was disconnected.
    pub eraser: Arc<Notify>,
    /// The name of this process, and the ids of the keys that it holds.
    pub instance: String,
    pub keys: String,
}

/// A step, and whether there may be more to do at once.
type Step = for<'a> fn(&'a Tools) -> BoxFuture<'a, Result<bool, Box<dyn Error + Send + Sync>>>;

struct Chore {
    /// What was left undone when a step fails.
    undone: &'static str,
    /// How long after the last step of a round the next round begins.
    every: Duration,
    /// Whether a round also begins as soon as something was disconnected.
    on_news: bool,
    step: Step,
}

impl Chore {
    const fn new(undone: &'static str, every: Duration, step: Step) -> Self {
        Self {
            undone,
            every,
            on_news: false,
            step,
        }
    }
}

const CHORES: [Chore; 7] = [
    // Where the ephemeral store does not do it itself.
    Chore::new(
        "expired entries were not removed",
        Duration::from_secs(60),
        |it| Box::pin(async { Ok(it.ephemeral.sweep().await? > 0) }),
    ),
    Chore {
        undone: "what was disconnected was not erased",
        every: Duration::from_secs(60),
        on_news: true,
        step: |it| Box::pin(async { Ok(it.store.erase_some().await?) }),
    },
    Chore::new(
        "old audit entries, runs and changes were not forgotten",
        Duration::from_secs(3_600),
        |it| Box::pin(async { Ok(forget_some(&it.store).await?) }),
    ),
    // Sums of what older runs say of each listing.
    Chore::new(
        "older imports were not folded",
        Duration::from_secs(600),
        |it| Box::pin(async { Ok(it.store.fold_some().await?) }),
    ),
    Chore::new(
        "new names were not listed for the search",
        Duration::from_secs(1),
        |it| Box::pin(async { Ok(it.store.list_some_names().await?) }),
    ),
    // The shortest life of a grant that is kept up is twice this.
    Chore::new(
        "grants near their end were not looked for",
        Duration::from_secs(10),
        |it| Box::pin(async { Ok(it.grants.keep_alive().await.map(|()| false)?) }),
    ),
    Chore::new(
        "this process did not say that it runs",
        store::SAY_SO,
        |it| {
            Box::pin(async {
                let said = it.store.say_instance(&it.instance, &it.keys);
                Ok(said.await.map(|()| false)?)
            })
        },
    ),
];

async fn forget_some(store: &Store) -> store::Result<bool> {
    let now = Utc::now();
    let entries = store.forget_old_audit(now).await?;
    let runs = store.forget_old_runs(now).await?;
    let changes = store.forget_old_changes(now).await?;
    Ok(entries > 0 || runs > 0 || changes > 0)
}

/// Begins all of them.
pub fn begin(tools: Tools, stop: &CancellationToken) {
    let tools = Arc::new(tools);
    for chore in &CHORES {
        tokio::spawn(keep_doing(chore, Arc::clone(&tools), stop.clone()));
    }
}

async fn keep_doing(chore: &Chore, tools: Arc<Tools>, stop: CancellationToken) {
    let mut fails = false;
    loop {
        match (chore.step)(&tools).await {
            Ok(more) => {
                fails = false;
                if more && !stop.is_cancelled() {
                    // The next step after whoever waits to write.
                    tokio::task::yield_now().await;
                    continue;
                }
            }
            // Said once, and not at every step until a store is back.
            Err(error) if !fails => {
                fails = true;
                tracing::warn!(error, "{}; tried again until it works", chore.undone);
            }
            Err(_) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tools.eraser.notified(), if chore.on_news => {}
            () = tokio::time::sleep(chore.every) => {}
        }
    }
}
