use super::kind::Kind;
use super::records::Records;

/// The contact that belongs to everybody.
const POPULAR: u32 = 4;
const POPULAR_LINKS: u32 = 150;

/// One record that another is associated with, and in which ways.
#[derive(Debug, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub types: Vec<Type>,
}

/// A way to be associated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    pub id: u32,
    pub label: Option<&'static str>,
}

impl Type {
    fn primary(id: u32) -> Type {
        let label = Some("Primary");
        Type { id, label }
    }

    fn unlabelled(id: u32) -> Type {
        Type { id, label: None }
    }

    /// What the type's name ends with in lists; the oldest types are older than labels.
    pub fn suffix(self) -> &'static str {
        match (self.id, self.label) {
            (3 | 4, _) | (_, Some(_)) => "",
            (_, None) => "_unlabeled",
        }
    }
}

/// The associations between the records of two kinds.
///
/// Like the records they are worked out and not stored. Each contact and each deal belongs to the
/// company whose index is its own, counted round; one in ten has no company, one in ten a second
/// one, one in ten a company that is not its primary one.
pub struct Links {
    pub from: Records,
    pub to: Records,
    /// How many companies the indices are counted round.
    companies: u32,
}

impl Links {
    pub fn new(from: Records, to: Records, contacts: u32) -> Links {
        Links {
            from,
            to,
            companies: Kind::Company.count_beside(contacts),
        }
    }

    /// What the record at an index is associated with, in the order of their ids.
    pub fn of(&self, index: u32) -> Vec<Link> {
        let mut links = match (self.from.kind, self.to.kind) {
            (from, Kind::Company) => self.to_companies(from, index),
            (Kind::Company, to) => self.of_company(to, index),
            (Kind::Deal, Kind::Contact) => one(index.checked_mul(10), Type::unlabelled(3)),
            (Kind::Contact, Kind::Deal) => one(tenth(index), Type::unlabelled(4)),
            _ => Vec::new(),
        };
        links.retain(|link| self.to.is_there(link.index));
        links.sort_by_key(|link| link.index);
        links
    }

    fn to_companies(&self, from: Kind, index: u32) -> Vec<Link> {
        let companies = companies_of(from, index, self.companies);
        let types = |primary| types(from, Kind::Company, primary);
        let link = |(index, primary)| Link {
            index,
            types: types(primary),
        };
        companies.into_iter().map(link).collect()
    }

    /// Looks at everyone whose companies might have this one among them.
    fn of_company(&self, to: Kind, company: u32) -> Vec<Link> {
        let round = self.companies.max(1) as usize;
        let before = (company + self.companies).saturating_sub(1) % self.companies.max(1);
        let own = (company..self.to.end()).step_by(round);
        let of_the_one_before = (before..self.to.end()).step_by(round);
        let mut indices: Vec<u32> = own.chain(of_the_one_before).chain([POPULAR]).collect();
        indices.sort_unstable();
        indices.dedup();
        let link = |index| {
            let companies = companies_of(to, index, self.companies);
            let primary = companies.into_iter().find(|(other, _)| *other == company)?;
            let types = types(Kind::Company, to, primary.1);
            Some(Link { index, types })
        };
        indices.into_iter().filter_map(link).collect()
    }
}

/// The indices of a contact's or a deal's companies, and which of them is the primary one.
fn companies_of(kind: Kind, index: u32, companies: u32) -> Vec<(u32, bool)> {
    if companies == 0 || kind == Kind::Company {
        return Vec::new();
    }
    let own = index % companies;
    if (kind, index) == (Kind::Contact, POPULAR) {
        let all = 0..companies.min(POPULAR_LINKS);
        return all.map(|company| (company, company == own)).collect();
    }
    match index % 10 {
        9 => Vec::new(),
        6 => vec![(own, false)],
        3 if companies > 1 => vec![(own, true), ((own + 1) % companies, false)],
        _ => vec![(own, true)],
    }
}

/// A primary company is associated without a label too.
fn types(from: Kind, to: Kind, primary: bool) -> Vec<Type> {
    let (labelled, unlabelled) = match (from, to) {
        (Kind::Contact, _) => (1, 279),
        (_, Kind::Contact) => (2, 280),
        (Kind::Deal, _) => (5, 341),
        (_, _) => (6, 342),
    };
    let mut types = vec![Type::unlabelled(unlabelled)];
    if primary {
        types.insert(0, Type::primary(labelled));
    }
    types
}

/// Every tenth contact has a deal.
fn tenth(index: u32) -> Option<u32> {
    index.is_multiple_of(10).then_some(index / 10)
}

fn one(index: Option<u32>, kind: Type) -> Vec<Link> {
    let types = vec![kind];
    let link = index.map(|index| Link { index, types });
    link.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::accounts::Account;
    use crate::sandbox::overlay::Overlay;

    const CONTACTS: u32 = 2_000;

    fn links(from: Kind, to: Kind) -> Links {
        let records = |kind| Records::new(Account::Faults, kind, CONTACTS, Overlay::default());
        Links::new(records(from), records(to), CONTACTS)
    }

    fn count(links: &Links, index: u32) -> usize {
        links.of(index).len()
    }

    #[test]
    fn contacts_have_no_company_or_one_or_two_or_a_hundred_and_fifty() {
        let links = links(Kind::Contact, Kind::Company);
        let counts = [9, 0, 6, 3, 4].map(|index| count(&links, index));
        assert_eq!(counts, [0, 1, 1, 2, 150]);
    }

    #[test]
    fn the_primary_company_is_associated_twice_and_others_once() {
        let links = links(Kind::Contact, Kind::Company);
        let ids = |index| -> Vec<Vec<u32>> {
            let links = links.of(index).into_iter();
            links
                .map(|link| link.types.iter().map(|it| it.id).collect())
                .collect()
        };
        assert_eq!(ids(3), [vec![1, 279], vec![279]]);
        assert_eq!(ids(6), [vec![279]]);
    }

    #[test]
    fn what_one_side_says_the_other_side_says_too() {
        for (one, other) in [
            (Kind::Contact, Kind::Company),
            (Kind::Deal, Kind::Company),
            (Kind::Contact, Kind::Deal),
        ] {
            let (there, back) = (links(one, other), links(other, one));
            let mut seen = 0;
            for index in 0..there.from.count() {
                for link in there.of(index) {
                    let returned = back.of(link.index);
                    let same = returned.iter().find(|link| link.index == index);
                    assert_eq!(same.map(|it| it.types.len()), Some(link.types.len()));
                    seen += 1;
                }
            }
            let total: usize = (0..back.from.count())
                .map(|index| count(&back, index))
                .sum();
            assert_eq!(seen, total);
        }
    }

    #[test]
    fn a_deleted_company_is_nobodys() {
        let mut overlay = Overlay::default();
        overlay.delete(3, chrono::Utc::now());
        let mut links = links(Kind::Contact, Kind::Company);
        assert_eq!(count(&links, 397), 1);
        links.to = Records::new(Account::Faults, Kind::Company, CONTACTS, overlay);
        assert_eq!(count(&links, 397), 0);
        assert_eq!(count(&links, 396), 1);
    }
}
