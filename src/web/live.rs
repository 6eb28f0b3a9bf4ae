//! Progress as server-sent events: what a page shows of imports that are on, sent again whenever it looks
//! otherwise. Everything is read from the stores, so any process can serve it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actix_web::http::header::{CONTENT_TYPE, ContentEncoding};
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use tokio::time::Instant;

use super::errors::{Result, WebError};
use super::{App, error_page, guard};
use crate::item::SignInId;
use crate::store::SignIn;

/// How often it is looked whether something has changed.
const LOOK: Duration = Duration::from_secs(1);
/// Looking takes this part of the time, however large a run is, but nobody is left without a word for long.
const LOOKING: u32 = 20;
const SELDOM: Duration = Duration::from_secs(5);
/// After this long without a word something is said, so that nobody on the way takes us for dead, and
/// a browser that has left is noticed.
const QUIET: Duration = Duration::from_secs(15);
/// Streams of this process, and those of one sign-in, that are open at once. Beyond them a browser gets
/// what there is and comes back.
const OPEN: usize = 1_000;
const OPEN_TO_ONE: usize = 12;
const COME_BACK: &str = "retry: 5000\n";
/// The last event; browsers know by it that they need not come back.
const DONE: &str = "event: done\ndata: done\n\n";

/// What a page shows at one moment.
pub trait Picture {
    /// What a browser needs that shows `last`, or nothing yet; empty where nothing has changed.
    fn since(&self, last: Option<&Self>) -> String;

    /// Whether nothing more will change.
    fn is_over(&self) -> bool;
}

/// A part of a page that is sent as a whole.
pub struct Part {
    pub html: String,
    pub over: bool,
}

impl Picture for Part {
    fn since(&self, last: Option<&Self>) -> String {
        match last {
            Some(last) if last.html == self.html => String::new(),
            _ => self.html.clone(),
        }
    }

    fn is_over(&self) -> bool {
        self.over
    }
}

/// The streams that are open.
#[derive(Default)]
pub struct Streams(Mutex<HashMap<SignInId, usize>>);

impl Streams {
    fn open(&self) -> MutexGuard<'_, HashMap<SignInId, usize>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn enter(self: &Arc<Self>, who: SignInId) -> Option<Entry> {
        let mut open = self.open();
        let own = open.get(&who).copied().unwrap_or_default();
        if own >= OPEN_TO_ONE || open.values().sum::<usize>() >= OPEN {
            return None;
        }
        open.insert(who, own + 1);
        Some(Entry(Arc::clone(self), who))
    }
}

/// One stream's place among those that are open, until it is dropped.
struct Entry(Arc<Streams>, SignInId);

impl Drop for Entry {
    fn drop(&mut self) {
        let mut open = self.0.open();
        if let Some(own) = open.get_mut(&self.1) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.1);
            }
        }
    }
}

/// Answers with what `draw` draws, now and whenever it looks otherwise, until it is over.
pub fn events<P, D>(app: web::Data<App>, sign_in: SignIn, draw: D) -> HttpResponse
where
    P: Picture + 'static,
    D: AsyncFn(&App, &SignIn) -> Result<P> + 'static,
{
    let live = Live {
        entry: app.streams.enter(sign_in.id),
        app,
        sign_in,
        draw,
        shown: None,
        spoken: Instant::now(),
        pause: Duration::ZERO,
        ended: false,
    };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        // Neither we nor a proxy may hold a message back to make more of it.
        .insert_header(ContentEncoding::Identity)
        .insert_header(("x-accel-buffering", "no"))
        .streaming(stream::unfold(live, async |live| live.next().await))
}

/// One browser's stream.
struct Live<P, D> {
    entry: Option<Entry>,
    app: web::Data<App>,
    sign_in: SignIn,
    draw: D,
    shown: Option<P>,
    spoken: Instant,
    pause: Duration,
    ended: bool,
}

impl<P: Picture, D: AsyncFn(&App, &SignIn) -> Result<P>> Live<P, D> {
    async fn next(mut self) -> Option<(std::result::Result<Bytes, WebError>, Self)> {
        while !self.ended {
            let closing = self.app.closing.clone();
            tokio::select! {
                biased;
                () = closing.cancelled() => return None,
                () = tokio::time::sleep(self.pause) => {}
            }
            let begun = Instant::now();
            let mut said = self.look().await;
            self.pause = (begun.elapsed() * LOOKING).clamp(LOOK, SELDOM);
            if said.is_empty() && self.spoken.elapsed() >= QUIET {
                said = ":\n\n".into();
            }
            if !said.is_empty() {
                self.spoken = Instant::now();
                return Some((Ok(said.into()), self));
            }
        }
        None
    }

    /// What there is to say just now.
    async fn look(&mut self) -> String {
        match self.picture().await {
            Ok(picture) => self.show(picture),
            Err(WebError::StoreAway(error)) => {
                tracing::debug!(error, "progress cannot be read just now");
                String::new()
            }
            // Signed out, or gone: asking again would bring no more.
            Err(error) => {
                self.ended = true;
                let said = error_page::message(&error).unwrap_or_default();
                let alert = format!("<hx-partial hx-target=\"#alerts\">{said}</hx-partial>");
                message(&alert) + DONE
            }
        }
    }

    async fn picture(&mut self) -> Result<P> {
        // Nothing more is shown to whoever has been signed out or removed meanwhile.
        let known = guard::live(&self.app, self.sign_in.id).await?;
        let same = |now: &SignIn| now.workspace_id == self.sign_in.workspace_id;
        known.filter(same).ok_or(WebError::SignedOut)?;
        (self.draw)(&self.app, &self.sign_in).await
    }

    fn show(&mut self, picture: P) -> String {
        let mut said = message(&picture.since(self.shown.as_ref()));
        if picture.is_over() {
            self.ended = true;
            said.push_str(DONE);
        } else if self.entry.is_none() {
            self.ended = true;
            said.insert_str(0, COME_BACK);
        }
        self.shown = Some(picture);
        said
    }
}

/// An unnamed event with this text; nothing where there is none.
fn message(text: &str) -> String {
    let lines = text
        .split(['\n', '\r'])
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let mut message: String = lines.map(|line| format!("data: {line}\n")).collect();
    if !message.is_empty() {
        message.push('\n');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_several_lines_is_one_message_and_none_is_none() {
        assert_eq!(
            message("<p>\n\n  a\n</p>\n"),
            "data: <p>\ndata: a\ndata: </p>\n\n"
        );
        assert_eq!(message(" \n"), "");
    }

    #[test]
    fn one_sign_in_leaves_room_for_others_and_what_is_left_is_free_again() {
        let streams = Arc::new(Streams::default());
        let (ada, eve) = (SignInId(1), SignInId(2));
        let mut eves: Vec<_> = (0..OPEN_TO_ONE + 5)
            .filter_map(|_| streams.enter(eve))
            .collect();
        assert_eq!(eves.len(), OPEN_TO_ONE);
        assert!(streams.enter(ada).is_some() && streams.enter(eve).is_none());
        eves.pop();
        assert!(streams.enter(eve).is_some());
        eves.clear();
        assert!(streams.open().is_empty());
    }

    #[test]
    fn the_streams_of_a_process_are_bounded() {
        let streams = Arc::new(Streams::default());
        let all: Vec<_> = (0..OPEN as i64 + 5)
            .filter_map(|id| streams.enter(SignInId(id)))
            .collect();
        assert_eq!(all.len(), OPEN);
    }
}
