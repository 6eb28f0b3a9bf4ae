pub const RECORDS: &str = "data.records:read";
pub const SCHEMA: &str = "schema.bases:read";
pub const EMAIL: &str = "user.email:read";

/// Every scope that is switched on for the registered app, with what it means to the person who is
/// asked.
const KNOWN: [(&str, &str); 4] = [
    (RECORDS, "See the records of the bases you choose"),
    (SCHEMA, "See the structure of those bases"),
    (EMAIL, "See your e-mail address"),
    (
        "webhook:manage",
        "Be told when something changes in those bases",
    ),
];

/// A scope in words, or nothing where the app has no such scope.
pub fn in_words(scope: &str) -> Option<&'static str> {
    KNOWN
        .iter()
        .find(|(name, _)| *name == scope)
        .map(|(_, words)| *words)
}
