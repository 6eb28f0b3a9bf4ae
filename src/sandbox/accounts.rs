/// The accounts a visitor can choose on a consent page, the same at every provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Account {
    Small,
    TenThousand,
    HundredThousand,
    Empty,
    Faults,
}

/// Who an account belongs to and how much is in it.
pub struct Profile {
    /// Its name in forms and tokens.
    pub slug: &'static str,
    pub label: &'static str,
    pub person: &'static str,
    pub email: &'static str,
    pub domain: &'static str,
    pub items: u32,
    /// What to expect, where the label and the count do not say it.
    pub note: Option<&'static str>,
}

static SMALL: Profile = Profile {
    slug: "small",
    label: "Small Office",
    person: "Mara Lindqvist",
    email: "mara@smalloffice.example",
    domain: "smalloffice.example",
    items: 120,
    note: Some("with some very odd names among them"),
};
static TEN_THOUSAND: Profile = Profile {
    slug: "10k",
    label: "Harbour & Söhne",
    person: "Tomás Okonkwo",
    email: "tomas@harbour.example",
    domain: "harbour.example",
    items: 10_000,
    note: None,
};
static HUNDRED_THOUSAND: Profile = Profile {
    slug: "100k",
    label: "Meridian Wholesale",
    person: "Yuki Tanabe",
    email: "yuki@meridian.example",
    domain: "meridian.example",
    items: 100_000,
    note: None,
};
static EMPTY: Profile = Profile {
    slug: "empty",
    label: "Fresh Start",
    person: "Noor Haddad",
    email: "noor@freshstart.example",
    domain: "freshstart.example",
    items: 0,
    note: None,
};
static FAULTS: Profile = Profile {
    slug: "faults",
    label: "Rough Seas",
    person: "Ines Vidal",
    email: "ines@roughseas.example",
    domain: "roughseas.example",
    items: 2_000,
    note: Some("and a service that fails now and then"),
};

impl Account {
    /// In the order of the consent page, the one chosen at first in front.
    pub const ALL: [Account; 5] = [
        Account::Small,
        Account::TenThousand,
        Account::HundredThousand,
        Account::Empty,
        Account::Faults,
    ];

    pub fn profile(self) -> &'static Profile {
        match self {
            Account::Small => &SMALL,
            Account::TenThousand => &TEN_THOUSAND,
            Account::HundredThousand => &HUNDRED_THOUSAND,
            Account::Empty => &EMPTY,
            Account::Faults => &FAULTS,
        }
    }

    pub fn slug(self) -> &'static str {
        self.profile().slug
    }

    pub fn from_slug(slug: &str) -> Option<Account> {
        Account::ALL
            .into_iter()
            .find(|account| account.slug() == slug)
    }
}
