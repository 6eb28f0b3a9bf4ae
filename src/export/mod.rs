//! A list on its way out: its items as other programs read them, page by page.

mod format;
mod item;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::ready;
use futures_util::{Stream, TryStreamExt, stream};
use tokio::task::JoinError;

pub use format::Format;
pub use item::{ItemJson, time};

use crate::providers::Providers;
use crate::store::{self, Connection, Filters, ListQuery, Sort, Span, Store};

/// Items read at once: the most that is in memory, and the work between two looks at the database.
const PAGE: usize = 1_000;

/// What ends an export before its end.
#[derive(Debug, thiserror::Error)]
pub enum Interrupted {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("a page could not be written: {0}")]
    Page(#[from] JoinError),
}

/// Everything that these filters leave, in this order.
pub struct Export {
    store: Arc<Store>,
    providers: Providers,
    connections: Vec<Connection>,
    query: ListQuery,
    format: Format,
    /// The first page, until it is written.
    first: Option<Span>,
    /// Whether an item has been written.
    has_items: bool,
}

impl Export {
    /// Reads the first page, so that what stands in the way is known before anything is sent.
    pub async fn begin(
        store: &Arc<Store>,
        providers: &Providers,
        connections: Vec<Connection>,
        filters: Filters,
        sort: Sort,
        format: Format,
    ) -> store::Result<Self> {
        let query = ListQuery {
            filters,
            sort,
            after: None,
            limit: PAGE,
        };
        Ok(Self {
            first: Some(store.list(&query).await?),
            store: Arc::clone(store),
            providers: providers.clone(),
            connections,
            query,
            format,
            has_items: false,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.first.as_ref().is_some_and(|span| span.rows.is_empty())
    }

    /// The bytes, page by page. After an error there is no more.
    ///
    /// Each page is read apart from whoever takes the bytes: were it read as they ask, a reader who
    /// stops asking in between would hold a connection to the database.
    pub fn chunks(self) -> impl Stream<Item = Result<Bytes, Interrupted>> {
        let pages = stream::try_unfold(Some(self), |rest: Option<Self>| async {
            let Some(export) = rest else { return Ok(None) };
            Ok::<_, Interrupted>(Some(tokio::spawn(export.page()).await??))
        });
        // An empty piece would be taken for the end of the whole.
        pages.try_filter(|bytes| ready(!bytes.is_empty()))
    }

    /// One page, and what is left behind it.
    async fn page(mut self) -> store::Result<(Bytes, Option<Self>)> {
        let mut out = String::new();
        let span = match self.first.take() {
            Some(span) => {
                self.format.begin(&mut out);
                span
            }
            None => self.store.list(&self.query).await?,
        };
        let items = ItemJson::all(&self.store, &self.providers, &self.connections, span.rows);
        for item in items.await? {
            self.format.item(&item, !self.has_items, &mut out);
            self.has_items = true;
        }
        self.query.after = span.next;
        let more = self.query.after.is_some();
        if !more {
            self.format.end(&mut out);
        }
        Ok((out.into(), more.then_some(self)))
    }
}
