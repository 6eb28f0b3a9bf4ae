use super::scopes;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Contact,
    Company,
    Deal,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Contact, Kind::Company, Kind::Deal];

    /// As most paths spell it, and as the dial knows it.
    pub fn plural(self) -> &'static str {
        match self {
            Kind::Contact => "contacts",
            Kind::Company => "companies",
            Kind::Deal => "deals",
        }
    }

    pub fn singular(self) -> &'static str {
        match self {
            Kind::Contact => "contact",
            Kind::Company => "company",
            Kind::Deal => "deal",
        }
    }

    /// The id of its type, which paths may hold instead of its name.
    pub fn type_id(self) -> &'static str {
        match self {
            Kind::Contact => "0-1",
            Kind::Company => "0-2",
            Kind::Deal => "0-3",
        }
    }

    /// The kind that a path or a parameter means.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL
            .into_iter()
            .find(|kind| [kind.plural(), kind.singular(), kind.type_id()].contains(&name))
    }

    pub fn scope(self) -> &'static str {
        match self {
            Kind::Contact => scopes::CONTACTS,
            Kind::Company => scopes::COMPANIES,
            Kind::Deal => scopes::DEALS,
        }
    }

    /// The property that holds the time of the last change: contacts are older than the rule.
    pub fn modified_property(self) -> &'static str {
        match self {
            Kind::Contact => "lastmodifieddate",
            Kind::Company | Kind::Deal => "hs_lastmodifieddate",
        }
    }

    /// What comes when no property is asked for, beside what always comes.
    pub fn usual_properties(self) -> &'static [&'static str] {
        match self {
            Kind::Contact => &["firstname", "lastname", "email"],
            Kind::Company => &["name", "domain"],
            Kind::Deal => &["dealname", "amount", "closedate", "pipeline", "dealstage"],
        }
    }

    /// The property that a change by the dial shows in.
    pub fn name_property(self) -> &'static str {
        match self {
            Kind::Contact => "lastname",
            Kind::Company => "name",
            Kind::Deal => "dealname",
        }
    }

    /// How many of its kind an account with so many contacts has.
    pub fn count_beside(self, contacts: u32) -> u32 {
        match self {
            Kind::Contact => contacts,
            Kind::Company => contacts / 5,
            Kind::Deal => contacts / 10,
        }
    }
}
