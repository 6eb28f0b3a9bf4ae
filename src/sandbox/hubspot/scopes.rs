pub const OAUTH: &str = "oauth";
pub const CONTACTS: &str = "crm.objects.contacts.read";
pub const COMPANIES: &str = "crm.objects.companies.read";
pub const DEALS: &str = "crm.objects.deals.read";

/// What the registered app marks as required; the authorize page insists on these.
pub const REQUIRED: [&str; 2] = [OAUTH, CONTACTS];

/// Every scope the app may ask for, with what it means to the person who is asked.
const KNOWN: [(&str, &str); 4] = [
    (OAUTH, "Know which HubSpot account this is"),
    (CONTACTS, "Read contacts and their details"),
    (COMPANIES, "Read companies and their details"),
    (DEALS, "Read deals and their details"),
];

/// A scope in words, or nothing where the app has no such scope.
pub fn in_words(scope: &str) -> Option<&'static str> {
    KNOWN
        .iter()
        .find(|(name, _)| *name == scope)
        .map(|(_, words)| *words)
}
