//! Authorize and callback: from "Connect" to a stored connection, without a browser's or a page's
//! details.

mod approve;
mod disconnect;
mod pending;

pub use approve::{Approved, Desk, Refusal, Signer, approve};
pub use disconnect::{Exit, Receipt, Revocation};
pub use pending::{Browser, NotPending, Pending, Purpose, begin, claim};
