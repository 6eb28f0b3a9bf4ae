//! Authorize and callback: from "Connect" to a stored connection, without a browser's or a page's
//! details.

mod approve;
mod pending;

pub use approve::{Approved, Desk, Refusal, Signer, approve};
pub use pending::{Browser, NotPending, Pending, begin, claim};
