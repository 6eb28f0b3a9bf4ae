//! The table of addresses, for tests that walk it: a new one is covered without being listed with them.

/// Every address in the table.
pub fn addresses() -> Vec<String> {
    let table = include_str!("../../../src/web/urls.rs");
    let spelled = table.lines().filter(|line| line.starts_with("pub const "));
    let address = |line: &str| line.split('"').nth(1).expect("an address").to_owned();
    spelled.map(address).collect()
}
