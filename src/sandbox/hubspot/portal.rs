use super::kind::Kind;
use super::scopes::DEALS;
use crate::sandbox::accounts::Account;

/// The id HubSpot gave the registered app.
pub const APP_ID: u64 = 1_804_512;

/// What HubSpot knows about an account.
pub struct Portal {
    pub hub_id: u64,
    pub user_id: u64,
    /// Where it is hosted, which also begins its codes and refresh tokens.
    pub hublet: &'static str,
    pub ui_domain: &'static str,
    /// Optional at HubSpot, and not told for every account.
    pub name: Option<&'static str>,
    pub account_type: &'static str,
    pub time_zone: &'static str,
    pub utc_offset: &'static str,
    pub currency: &'static str,
    /// Whether its records carry the address of their page.
    pub tells_urls: bool,
    /// Whether a refusal names the scope that is missing.
    pub names_scopes: bool,
    /// What a refresh says about the refresh token.
    pub renewal: Renewal,
    /// Scopes that are not part of its plan.
    pub lacks: &'static [&'static str],
}

/// HubSpot gives the same refresh token again, but promises nothing: keep the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    Same,
    Unsaid,
    New,
}

impl Portal {
    /// What codes and refresh tokens of this account begin with.
    pub fn prefix(&self) -> String {
        format!("{}-", self.hublet)
    }

    /// The address of a record's page.
    pub fn record_url(&self, kind: Kind, id: u64) -> String {
        format!(
            "https://{}/contacts/{}/record/{}/{id}",
            self.ui_domain,
            self.hub_id,
            kind.type_id()
        )
    }
}

static SMALL: Portal = Portal {
    hub_id: 48_213_377,
    user_id: 61_220_418,
    hublet: "na1",
    ui_domain: "app.hubspot.com",
    name: Some("Small Office"),
    account_type: "STANDARD",
    time_zone: "US/Eastern",
    utc_offset: "-05:00",
    currency: "USD",
    tells_urls: true,
    names_scopes: true,
    renewal: Renewal::Same,
    lacks: &[],
};
static TEN_THOUSAND: Portal = Portal {
    hub_id: 146_310_442,
    user_id: 77_094_261,
    hublet: "eu1",
    ui_domain: "app-eu1.hubspot.com",
    name: Some("Harbour & Söhne"),
    account_type: "STANDARD",
    time_zone: "Europe/Berlin",
    utc_offset: "+01:00",
    currency: "EUR",
    tells_urls: true,
    names_scopes: true,
    renewal: Renewal::Unsaid,
    lacks: &[],
};
static HUNDRED_THOUSAND: Portal = Portal {
    hub_id: 7_052_219,
    user_id: 4_418_730,
    hublet: "na1",
    ui_domain: "app.hubspot.com",
    name: None,
    account_type: "STANDARD",
    time_zone: "Asia/Tokyo",
    utc_offset: "+09:00",
    currency: "JPY",
    tells_urls: false,
    names_scopes: true,
    renewal: Renewal::New,
    lacks: &[],
};
static EMPTY: Portal = Portal {
    hub_id: 147_900_121,
    user_id: 80_557_390,
    hublet: "eu1",
    ui_domain: "app-eu1.hubspot.com",
    name: None,
    account_type: "DEVELOPER_TEST",
    time_zone: "Africa/Casablanca",
    utc_offset: "+01:00",
    currency: "EUR",
    tells_urls: true,
    names_scopes: true,
    renewal: Renewal::Same,
    lacks: &[DEALS],
};
static FAULTS: Portal = Portal {
    hub_id: 20_777_305,
    user_id: 31_006_552,
    hublet: "na1",
    ui_domain: "app.hubspot.com",
    name: Some("Rough Seas"),
    account_type: "SANDBOX",
    time_zone: "Europe/Lisbon",
    utc_offset: "+00:00",
    currency: "EUR",
    tells_urls: true,
    names_scopes: false,
    renewal: Renewal::Same,
    lacks: &[],
};

/// HubSpot's side of an account.
pub fn portal(account: Account) -> &'static Portal {
    match account {
        Account::Small => &SMALL,
        Account::TenThousand => &TEN_THOUSAND,
        Account::HundredThousand => &HUNDRED_THOUSAND,
        Account::Empty => &EMPTY,
        Account::Faults => &FAULTS,
    }
}

/// The account with a hub id.
pub fn account_with(hub_id: u64) -> Option<Account> {
    Account::ALL
        .into_iter()
        .find(|account| portal(*account).hub_id == hub_id)
}
