//! Which bases and tables each account has, and how its records are shared out among them.

use super::columns::Kind;
use super::odd_names::ODD_NAMES;
use crate::sandbox::accounts::Account;

pub struct BasePlan {
    pub name: &'static str,
    pub permission: &'static str,
    /// The base of the same account that this one was copied from. Its records keep the ids that
    /// they had there, as they do at Airtable.
    pub copy_of: Option<usize>,
    /// What the base is called by the time the next page of the list of bases is read.
    pub renamed: Option<&'static str>,
    pub tables: &'static [TablePlan],
}

pub struct TablePlan {
    pub name: &'static str,
    pub kind: Kind,
    pub share: Share,
    pub quirk: Quirk,
}

/// How many of the account's records are in a table.
#[derive(Clone, Copy)]
pub enum Share {
    /// So many, while there are any.
    Exactly(u32),
    /// So many parts of what is left.
    Parts(u32),
}

/// What is wrong with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    None,
    /// Its primary field is none of its fields.
    Headless,
    /// Its offset leads to a page that gives the same offset again.
    Circles,
    /// The last record of a page is the first of the next one, too.
    Border,
    /// Every other listing is forgotten behind its first 200 records.
    Forgets,
    /// Its last page is empty.
    EmptyEnd,
    /// It is deleted while it is read.
    Deleted,
    /// Its base is taken out of the grant while it is read.
    Withdrawn,
    /// Its workspace has spent its calls of the month.
    CallsSpent,
}

const fn base(name: &'static str, tables: &'static [TablePlan]) -> BasePlan {
    BasePlan {
        name,
        permission: "create",
        copy_of: None,
        renamed: None,
        tables,
    }
}

const fn table(name: &'static str, kind: Kind, parts: u32) -> TablePlan {
    TablePlan {
        name,
        kind,
        share: Share::Parts(parts),
        quirk: Quirk::None,
    }
}

const fn odd(name: &'static str, kind: Kind, records: u32, quirk: Quirk) -> TablePlan {
    TablePlan {
        name,
        kind,
        share: Share::Exactly(records),
        quirk,
    }
}

pub fn plans(account: Account) -> &'static [BasePlan] {
    match account {
        Account::Small => &SMALL,
        Account::TenThousand => &TEN_THOUSAND,
        Account::HundredThousand => &HUNDRED_THOUSAND,
        Account::Empty => &[],
        Account::Faults => &FAULTS,
    }
}

static SMALL: [BasePlan; 4] = [
    base(
        "Événements 2026",
        &[
            table("Guests", Kind::People, 3),
            odd("Every kind of name", Kind::Odd, ODD_NAMES, Quirk::None),
            odd("Nothing yet", Kind::Stock, 0, Quirk::None),
        ],
    ),
    base(
        "Office",
        &[
            table("Orders", Kind::Orders, 2),
            TablePlan {
                quirk: Quirk::Headless,
                ..table("Roster", Kind::People, 1)
            },
        ],
    ),
    BasePlan {
        permission: "read",
        copy_of: Some(1),
        ..base("Office", &[table("Orders", Kind::Orders, 2)])
    },
    BasePlan {
        permission: "comment",
        ..base("Empty shelf", &[])
    },
];

/// One table holds 82 % of it all: 10,250 of 12,500 records.
static TEN_THOUSAND: [BasePlan; 7] = [
    base(
        "Kundschaft",
        &[
            table("Contacts", Kind::People, 820),
            table("Orders", Kind::Orders, 20),
            table("Tickets", Kind::Tickets, 10),
            table("Stock", Kind::Stock, 2),
        ],
    ),
    base(
        "Lager / Storage",
        &[
            table("Stock", Kind::Stock, 8),
            table("Orders", Kind::Orders, 16),
            table("Q1/Q2 counts", Kind::Stock, 4),
            table("Suppliers", Kind::People, 4),
        ],
    ),
    base(
        "Messe 2026 🎪",
        &[
            table("Visitors", Kind::People, 24),
            table("Stands", Kind::Stock, 4),
            table("Helpers", Kind::People, 1),
            table("Tasks", Kind::Tickets, 3),
        ],
    ),
    BasePlan {
        permission: "edit",
        ..base(
            "Kundschaft",
            &[
                table("Contacts", Kind::People, 8),
                table("Orders", Kind::Orders, 8),
                table("Tickets", Kind::Tickets, 4),
                table("Archive 2019", Kind::Orders, 0),
            ],
        )
    },
    base(
        "Personal",
        &[
            table("Applications", Kind::People, 6),
            table("Interviews", Kind::Tickets, 4),
            table("Rooms", Kind::Stock, 1),
            table("Keys", Kind::Stock, 1),
        ],
    ),
    base(
        "Werkstatt",
        &[
            table("Repairs", Kind::Tickets, 20),
            table("Parts", Kind::Stock, 12),
            table("Machines", Kind::Stock, 2),
            table("Mechanics", Kind::People, 1),
            table("Invoices", Kind::Orders, 8),
        ],
    ),
    BasePlan {
        permission: "read",
        ..base(
            "Redaktion",
            &[
                table("Articles", Kind::Tickets, 4),
                table("Authors", Kind::People, 2),
                table("Issues", Kind::Tickets, 1),
                table("Readers", Kind::People, 2),
                table("Photos", Kind::Stock, 0),
            ],
        )
    },
];

static HUNDRED_THOUSAND: [BasePlan; 6] = [
    base(
        "Wholesale",
        &[
            table("Customers", Kind::People, 90),
            table("Orders", Kind::Orders, 140),
            table("Stock", Kind::Stock, 30),
            table("Tickets", Kind::Tickets, 20),
            table("Couriers", Kind::People, 1),
        ],
    ),
    base(
        "卸売部",
        &[
            table("顧客", Kind::People, 80),
            table("注文", Kind::Orders, 90),
            table("在庫", Kind::Stock, 20),
            table("問い合わせ", Kind::Tickets, 10),
            table("配送", Kind::People, 2),
        ],
    ),
    base(
        "Retail",
        &[
            table("Shops", Kind::People, 10),
            table("Sales", Kind::Orders, 150),
            table("Shelves", Kind::Stock, 12),
            table("Returns", Kind::Tickets, 16),
            table("Staff", Kind::People, 4),
        ],
    ),
    base(
        "Service",
        &[
            table("Tickets", Kind::Tickets, 110),
            table("Visits", Kind::Orders, 20),
            table("Spare parts", Kind::Stock, 25),
            table("Engineers", Kind::People, 1),
            table("Vans", Kind::Stock, 1),
        ],
    ),
    base(
        "Retail",
        &[
            table("Shops", Kind::People, 5),
            table("Sales", Kind::Orders, 70),
            table("Shelves", Kind::Stock, 6),
            table("Returns", Kind::Tickets, 8),
            table("Staff", Kind::People, 1),
        ],
    ),
    base(
        "Archive",
        &[
            table("Orders 2023", Kind::Orders, 30),
            table("Orders 2024", Kind::Orders, 30),
            table("Tickets 2023", Kind::Tickets, 9),
            table("Tickets 2024", Kind::Tickets, 9),
            table("Nobody remembers", Kind::Stock, 0),
        ],
    ),
];

/// What comes back at every read is a matter of tables here; what passes is in `faults.rs`.
static FAULTS: [BasePlan; 5] = [
    base(
        "Rough Seas",
        &[
            table("Voyages", Kind::Tickets, 10),
            table("Crew", Kind::People, 1),
        ],
    ),
    base(
        "Strange paging",
        &[
            odd("Goes in circles", Kind::Stock, 150, Quirk::Circles),
            odd("Twice on the border", Kind::Stock, 150, Quirk::Border),
            odd("Forgets", Kind::Stock, 350, Quirk::Forgets),
            odd("Nothing at the end", Kind::Stock, 100, Quirk::EmptyEnd),
            odd("Deleted halfway", Kind::Stock, 150, Quirk::Deleted),
        ],
    ),
    BasePlan {
        renamed: Some("Called this since a moment ago"),
        ..base(
            "Called this until a moment ago",
            &[table("Crew", Kind::People, 1)],
        )
    },
    base(
        "Withdrawn halfway",
        &[odd("Closed", Kind::Stock, 150, Quirk::Withdrawn)],
    ),
    base(
        "No calls left",
        &[odd("Spent", Kind::Stock, 50, Quirk::CallsSpent)],
    ),
];
