//! What a provider has no more: items that no listing of a run named, though they should be on one that
//! was read to its end.

use std::collections::{HashMap, HashSet};

use tokio_util::sync::CancellationToken;

use super::run::{Course, End};
use crate::client::{Failure, FailureKind};
use crate::item::{ConnectionId, Parent, RunId};
use crate::providers::{Description, Providers, Stream};
use crate::store::{self, Answer, Answered, DROPPED_AT_ONCE, DueSweep, Standing, Store};

/// So many items are removed without a question, or so many of a hundred.
const FEW: usize = 20;
const PERCENT: usize = 30;
/// Items that a run asks its provider about one by one.
const ASKED: usize = 500;

/// A listing, and what is absent from it.
struct Swept {
    name: String,
    stream: &'static Stream,
    /// What is to be removed: the run that last met it, and the item.
    absent: Vec<(RunId, i64)>,
    loss: Loss,
}

/// How much is absent.
#[derive(Clone, Copy, Debug, Default)]
struct Loss {
    absent: usize,
    /// Of those, the ones that a listing itself should name; the others stood in these.
    direct: usize,
    /// How many it should name.
    of: usize,
}

impl Loss {
    fn and(self, other: Self) -> Self {
        Self {
            absent: self.absent + other.absent,
            direct: self.direct + other.direct,
            of: self.of + other.of,
        }
    }

    /// Whether so much is absent that it may be the provider that is wrong: of what a listing should
    /// name, or of everything.
    fn wants_a_yes(self, all: usize) -> bool {
        let much = |part: usize, whole: usize| part * 100 > whole * PERCENT;
        self.absent > FEW && (much(self.direct, self.of) || much(self.absent, all))
    }
}

/// One walk through a connection's items, for all listings that are swept.
struct Walk<'a> {
    run: RunId,
    it: &'static Description,
    swept: Vec<Swept>,
    /// Which listing should name what stands in a container, by that and the type.
    scopes: HashMap<(String, &'static str), usize>,
    /// Containers that are absent, with the listing that should name them.
    absent: HashMap<String, usize>,
    halt: &'a CancellationToken,
}

impl<'a> Walk<'a> {
    fn new(
        run: RunId,
        it: &'static Description,
        due: Vec<DueSweep>,
        halt: &'a CancellationToken,
    ) -> Self {
        let mut walk = Self {
            run,
            it,
            swept: Vec::new(),
            scopes: HashMap::new(),
            absent: HashMap::new(),
            halt,
        };
        for due in due {
            if let Some(stream) = it.stream(&due.stream) {
                let container = due.key().to_owned();
                for kind in stream.lists {
                    let scope = (container.clone(), *kind);
                    walk.scopes.insert(scope, walk.swept.len());
                }
                walk.swept.push(Swept::new(due.name, stream));
            }
        }
        walk
    }

    /// Looks at all items; without an answer where it was halted.
    async fn through(
        mut self,
        store: &Store,
        connection: ConnectionId,
    ) -> store::Result<Option<Vec<Swept>>> {
        let mut last: Option<Standing> = None;
        loop {
            if self.halt.is_cancelled() {
                return Ok(None);
            }
            let items = store.standing(connection, last.as_ref()).await?;
            items.iter().for_each(|item| self.look_at(item));
            match items.into_iter().next_back() {
                None => return Ok(Some(self.swept)),
                some => last = some,
            }
        }
    }

    /// Containers come before what stands in them.
    fn look_at(&mut self, item: &Standing) {
        let Some(kind) = self.it.kind(&item.kind) else {
            return;
        };
        let is_absent = item.seen_run < self.run;
        let scope = (item.container.clone(), kind.name);
        let at = match self.scopes.get(&scope) {
            Some(&at) => {
                self.swept[at].count(item, is_absent);
                Some(at)
            }
            None => self.absent_above(&item.container),
        };
        let Some(at) = at.filter(|_| is_absent) else {
            return;
        };
        if kind.directory {
            self.absent.insert(path(item), at);
        }
        if !item.is_gone {
            let swept = &mut self.swept[at];
            swept.absent.push((item.seen_run, item.id));
            swept.loss.absent += 1;
        }
    }

    /// The listing that lacks the container, or one that it stands in.
    fn absent_above(&self, container: &str) -> Option<usize> {
        let ends = container.match_indices('/').map(|(at, _)| at);
        let mut paths = ends.chain([container.len()]).map(|end| &container[..end]);
        paths.find_map(|path| self.absent.get(path).copied())
    }
}

/// How items that stand in this one name it as their container.
fn path(item: &Standing) -> String {
    match item.container.as_str() {
        "" => item.provider_id.clone(),
        container => format!("{container}/{}", item.provider_id),
    }
}

impl Swept {
    fn new(name: String, stream: &'static Stream) -> Self {
        Self {
            name,
            stream,
            absent: Vec::new(),
            loss: Loss::default(),
        }
    }

    fn count(&mut self, item: &Standing, is_absent: bool) {
        if !item.is_gone {
            self.loss.of += 1;
            self.loss.direct += usize::from(is_absent);
        }
    }

    fn ids(&self) -> Vec<i64> {
        self.absent.iter().map(|(_, id)| *id).collect()
    }
}

impl Course<'_> {
    /// Removes what the listings of this run show to be there no more, or asks a person first. Answers
    /// with how it ended where it ended early.
    pub(super) async fn sweep(&self) -> store::Result<Option<End>> {
        let (store, connection) = (&self.parts.store, self.connection.id);
        let due = store.due_sweeps(self.run.id).await?;
        if due.is_empty() {
            return Ok(None);
        }
        let walk = Walk::new(self.run.id, self.provider.description(), due, self.halt);
        let Some(mut swept) = walk.through(store, connection).await? else {
            return Ok(Some(End::Halted));
        };
        for listing in swept.iter_mut().filter(|it| !it.stream.exhaustive) {
            if let Some(early) = self.ask_about(listing).await? {
                return Ok(Some(early));
            }
        }
        // As it is now, with all that this run has brought.
        let Some(now) = store.any_connection(connection).await? else {
            return Ok(None);
        };
        let all = now.items as usize;
        let mut losses: HashMap<&str, Loss> = HashMap::new();
        for listing in &swept {
            let loss = losses.entry(listing.stream.name).or_default();
            *loss = loss.and(listing.loss);
        }
        for listing in &swept {
            // Many small losses are a great one too.
            let much = [listing.loss, losses[listing.stream.name]];
            let is_held = much.into_iter().any(|loss| loss.wants_a_yes(all));
            match is_held && !listing.absent.is_empty() {
                true => self.ask_first(listing, all).await?,
                false => self.remove_absent(listing).await?,
            }
        }
        Ok(None)
    }

    async fn ask_first(&self, swept: &Swept, all: usize) -> store::Result<()> {
        let Loss { absent, direct, of } = swept.loss;
        let of = if absent > direct { all } else { of };
        let store = &self.parts.store;
        store
            .hold_sweep(self.run.id, &swept.name, absent as i64, of as i64)
            .await
    }

    async fn remove_absent(&self, swept: &Swept) -> store::Result<()> {
        let (store, connection, run) = (&self.parts.store, self.connection.id, self.run.id);
        for ids in swept.ids().chunks(DROPPED_AT_ONCE) {
            store.drop_absent(connection, run, &swept.name, ids).await?;
        }
        store.settle_removal(connection, &swept.name, run).await?;
        store.end_sweep(run, &swept.name).await
    }

    /// Asks the provider about what a listing did not name though it may be there: those that were met
    /// longest ago, for the others have their turn in later runs. Leaves those that are gone; the loss
    /// is what all of it likely is.
    async fn ask_about(&self, swept: &mut Swept) -> store::Result<Option<End>> {
        swept.absent.sort_unstable();
        swept.absent.truncate(ASKED);
        let mut answers = Answers::default();
        for items in swept.ids().chunks(DROPPED_AT_ONCE) {
            for item in self.parts.store.standing_of(items).await? {
                let there = tokio::select! {
                    biased;
                    () = self.halt.cancelled() => return Ok(Some(End::Halted)),
                    there = self.is_there(&item) => there,
                };
                match there {
                    Ok(there) => answers.note(item.id, there),
                    Err(failure) if ends_all(&failure) => return Ok(Some(End::Over(failure))),
                    // It stays until a later run is told.
                    Err(failure) => {
                        tracing::debug!(failure.said, "an item could not be asked about");
                    }
                }
            }
        }
        let (store, run) = (&self.parts.store, self.run.id);
        store.note_seen(run, &answers.there).await?;
        let cost = self.api.meter().take();
        store.note_cost(run, &swept.name, cost).await?;
        swept.absent.retain(|(_, id)| answers.gone.contains(id));
        let asked = answers.there.len() + answers.gone.len();
        swept.loss.absent = swept.loss.absent * answers.gone.len() / asked.max(1);
        swept.loss.direct = swept.loss.absent;
        Ok(None)
    }

    async fn is_there(&self, item: &Standing) -> Result<bool, Failure> {
        let Some(kind) = self.provider.description().kind(&item.kind) else {
            return Ok(true);
        };
        let item = Parent {
            container: item.container.clone(),
            kind: kind.name,
            id: item.provider_id.clone(),
        };
        self.provider.provider.is_there(&self.api, &item).await
    }
}

/// What a provider said of items that were asked about.
#[derive(Default)]
struct Answers {
    there: Vec<i64>,
    gone: HashSet<i64>,
}

impl Answers {
    fn note(&mut self, id: i64, there: bool) {
        match there {
            true => self.there.push(id),
            false => {
                self.gone.insert(id);
            }
        }
    }
}

fn ends_all(failure: &Failure) -> bool {
    use FailureKind::{NoGrant, StoreAway, Unauthorized};
    matches!(failure.kind, Unauthorized | NoGrant | StoreAway)
}

/// Does what people have answered, in small steps; what is left undone is done at the next look.
pub(super) async fn carry_out(
    store: &Store,
    providers: &Providers,
    halt: &CancellationToken,
) -> store::Result<()> {
    for answered in store.answered().await? {
        if let Some(it) = providers.describe(&answered.provider) {
            carry_out_one(store, it, &answered, halt).await?;
        }
    }
    Ok(())
}

async fn carry_out_one(
    store: &Store,
    it: &'static Description,
    answered: &Answered,
    halt: &CancellationToken,
) -> store::Result<()> {
    let due = DueSweep {
        name: answered.source.clone(),
        stream: answered.stream.clone(),
    };
    let walk = Walk::new(answered.run, it, vec![due], halt);
    let Some(swept) = walk.through(store, answered.connection).await? else {
        return Ok(());
    };
    let ids: Vec<i64> = swept.iter().flat_map(Swept::ids).collect();
    for ids in ids.chunks(DROPPED_AT_ONCE) {
        match answered.answer {
            Answer::Drop => {
                store
                    .drop_items(answered.connection, answered.run, ids)
                    .await?
            }
            Answer::Keep => store.keep_items(answered.run, ids).await?,
        }
        if halt.is_cancelled() {
            return Ok(());
        }
    }
    store
        .settle_removal(answered.connection, &answered.source, answered.run)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers;

    const RUN: RunId = RunId(7);

    /// What is absent after a walk through these items: container, type, id and the run that met it.
    fn absent(due: &[(&str, &str)], items: &[(&str, &str, &str, i64)]) -> Vec<(String, Vec<i64>)> {
        let mut all = providers::ALL.iter().map(|provider| provider.description());
        let nests = all.find(|it| it.stream("tables").is_some());
        let due = due.iter().map(|(name, stream)| DueSweep {
            name: (*name).to_owned(),
            stream: (*stream).to_owned(),
        });
        let halt = CancellationToken::new();
        let mut walk = Walk::new(RUN, nests.expect("it is there"), due.collect(), &halt);
        for (at, (container, kind, id, seen)) in (0..).zip(items) {
            walk.look_at(&Standing {
                id: at,
                container: (*container).to_owned(),
                kind: (*kind).to_owned(),
                provider_id: (*id).to_owned(),
                seen_run: RunId(*seen),
                is_gone: false,
            });
        }
        let swept = walk.swept.into_iter();
        swept.map(|it| (it.name.clone(), it.ids())).collect()
    }

    const ITEMS: &[(&str, &str, &str, i64)] = &[
        ("", "base", "app1", 7),
        ("", "base", "app2", 6),
        ("app1", "table", "tbl1", 7),
        ("app1", "table", "tbl2", 6),
        ("app1/tbl1", "record", "rec1", 6),
        ("app1/tbl2", "record", "rec1", 6),
        ("app2", "table", "tbl1", 6),
        ("app2/tbl1", "record", "rec1", 6),
        ("app2/tbl1", "record", "rec2", i64::MAX),
    ];

    #[test]
    fn what_stood_in_something_that_is_gone_goes_with_it_unless_it_was_met_or_kept() {
        let due = [("bases", "bases"), ("tables:app1", "tables")];
        let gone = [
            ("bases".to_owned(), vec![1, 6, 7]),
            ("tables:app1".to_owned(), vec![3, 5]),
        ];
        assert_eq!(absent(&due, ITEMS), gone);
    }

    #[test]
    fn a_listing_that_was_not_read_whole_loses_nothing() {
        assert_eq!(absent(&[("tables:app1", "tables")], ITEMS)[0].1, [3, 5]);
        assert_eq!(absent(&[("records:app1/tbl1", "records")], ITEMS)[0].1, [4]);
        assert_eq!(
            absent(&[("records:app1/tbl9", "records")], ITEMS)[0].1,
            [0; 0]
        );
        assert_eq!(absent(&[], ITEMS), []);
    }

    #[test]
    fn more_than_a_third_or_so_and_more_than_a_few_wants_a_yes() {
        let wants_a_yes = |absent, direct, of, all| Loss { absent, direct, of }.wants_a_yes(all);
        assert!(!wants_a_yes(20, 20, 20, 20), "few");
        assert!(!wants_a_yes(30, 30, 100, 100), "not much");
        assert!(wants_a_yes(31, 31, 100, 100));
        // One base of ten, with nearly all there is in it.
        assert!(wants_a_yes(9_001, 1, 10, 10_000));
        assert!(!wants_a_yes(1_001, 1, 10, 10_000));
    }
}
