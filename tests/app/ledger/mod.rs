//! A provider that does not come with the program, added the way `docs/adding-a-provider.md` says: one
//! adapter, one entry in the list of providers, and a stand-in to try it against.

mod adapter;
mod server;

pub use adapter::Ledger;
pub use server::LedgerServer;
