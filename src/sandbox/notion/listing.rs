use serde_json::{Value, json};

use super::cursor::Cursor;
use super::errors::{self, ApiError};
use super::faults::Quirk;
use super::gate::Caller;
use crate::sandbox::accounts::Account;
use crate::sandbox::params::Params;

const MOST: usize = 100;
/// Notion gives no more than this of one search or query, and says so only on its last page.
const CAP: usize = 10_000;

/// Which part of a listing is asked for.
pub struct Asked {
    size: usize,
    after: Option<Cursor>,
    /// Everything else that was asked, which the cursor is bound to.
    listing: String,
    capped: bool,
    quirk: Option<Quirk>,
}

impl Asked {
    /// Reads what a search or query is asked with.
    pub fn of_body(caller: &Caller, path: &str, body: &Value) -> Result<Asked, ApiError> {
        let mut rest = body.clone();
        if let Some(rest) = rest.as_object_mut() {
            rest.remove("start_cursor");
            rest.remove("page_size");
        }
        let listing = format!("{} {path} {rest}", caller.account.slug());
        let cursor = match &body["start_cursor"] {
            Value::String(text) => Some(text.as_str()),
            _ if body.get("start_cursor").is_none() => None,
            other => return Err(not_a("start_cursor", "a string", other)),
        };
        if caller.quirk == Some(Quirk::StaleCursor) && cursor.is_some() {
            return Err(stale(cursor.unwrap_or_default()));
        }
        Ok(Asked {
            size: size_in(&body["page_size"], body.get("page_size").is_some())?,
            after: cursor.map(|text| open(text, &listing)).transpose()?,
            listing,
            capped: true,
            quirk: caller.quirk,
        })
    }

    /// Reads what a listing without a body is asked with.
    pub fn of_query(account: Account, path: &str, query: &Params) -> Result<Asked, ApiError> {
        let listing = format!("{} {path}", account.slug());
        let size = match query.get("page_size") {
            None => MOST,
            Some(text) => {
                let number = text
                    .parse()
                    .map_or_else(|_| text.into(), |it: u64| it.into());
                size_in(&number, true)?
            }
        };
        let cursor = query.get("start_cursor");
        Ok(Asked {
            size,
            after: cursor.map(|text| open(text, &listing)).transpose()?,
            listing,
            capped: false,
            quirk: None,
        })
    }

    /// The part of the listing that was asked for. The places of the things must ascend.
    pub fn answer<T>(
        &self,
        kind: &str,
        things: impl Iterator<Item = (u64, T)>,
        draw: impl Fn(T) -> Value,
    ) -> Value {
        let before = self.after.unwrap_or_default();
        let mut rest = things
            .skip_while(|(place, _)| self.is_behind(*place))
            .peekable();
        let left = CAP.saturating_sub(before.count as usize);
        let take = if self.capped {
            self.take().min(left)
        } else {
            self.take()
        };
        let (mut results, mut place) = (Vec::new(), before.place);
        while results.len() < take {
            let Some((next, thing)) = rest.next() else {
                break;
            };
            place = next;
            results.push(draw(thing));
        }
        let given = u32::try_from(results.len()).unwrap_or_default();
        let cursor = Cursor {
            place,
            count: before.count + given,
            answers: before.answers + 1,
        };
        if self.quirk == Some(Quirk::Stranger) {
            results.push(
                json!({ "object": "whiteboard", "id": "5f0c1d52-0000-4000-8000-5a0a5a0a5a0a" }),
            );
        }
        self.finish(kind, results, cursor, rest.peek().is_some())
    }

    fn finish(&self, kind: &str, results: Vec<Value>, cursor: Cursor, more: bool) -> Value {
        let is_full = self.capped && cursor.count as usize >= CAP;
        let next = (more && !is_full).then(|| cursor.close(&self.listing));
        let mut answer = json!({
            "object": "list",
            "results": results,
            "next_cursor": next,
            "has_more": next.is_some(),
            "type": kind,
            kind: {},
        });
        if more && is_full {
            answer["request_status"] = json!({
                "type": "incomplete",
                "incomplete_reason": "query_result_limit_reached",
            });
        }
        answer
    }

    /// Whether a thing was given before; one that moved while the listing was read comes again.
    fn is_behind(&self, place: u64) -> bool {
        match self.after {
            None => false,
            Some(after) if self.quirk == Some(Quirk::Twice) => place < after.place,
            Some(after) => place <= after.place,
        }
    }

    fn take(&self) -> usize {
        match self.quirk {
            Some(Quirk::ShortPage) => self.size.div_ceil(3),
            Some(Quirk::EmptyPage) => 0,
            _ => self.size,
        }
    }
}

/// A field of the body that is not what it should be.
pub fn not_a(field: &str, wanted: &str, given: &Value) -> ApiError {
    errors::invalid(&format!(
        "body failed validation: body.{field} should be {wanted} or `undefined`, instead was \
         `{given}`."
    ))
}

/// The JSON of a body; none at all is an empty one.
pub fn body(bytes: &[u8]) -> Result<Value, ApiError> {
    if bytes.is_empty() {
        return Ok(json!({}));
    }
    let body: Value = serde_json::from_slice(bytes).map_err(|_| errors::invalid_json())?;
    if body.is_object() {
        return Ok(body);
    }
    Err(errors::invalid(
        "body failed validation: body should be an object.",
    ))
}

fn size_in(value: &Value, given: bool) -> Result<usize, ApiError> {
    if !given {
        return Ok(MOST);
    }
    value
        .as_u64()
        .and_then(|size| usize::try_from(size).ok())
        .filter(|size| (1..=MOST).contains(size))
        .ok_or_else(|| not_a("page_size", "a number from 1 to 100", value))
}

fn open(text: &str, listing: &str) -> Result<Cursor, ApiError> {
    Cursor::open(text, listing).ok_or_else(|| stale(text))
}

fn stale(text: &str) -> ApiError {
    errors::invalid(&format!("The start_cursor provided is invalid: {text}"))
}
