use super::columns::{self, Kind};
use super::ids::id;
use super::plans::{BasePlan, Quirk, Share, TablePlan, plans};
use super::rows::Rows;
use crate::sandbox::accounts::Account;
use crate::sandbox::overlay::Overlay;
use crate::sandbox::people::mix;

/// The bases of an account, as they are laid out for so many records. Made anew for each request:
/// it is a few dozen names.
pub struct Workspace {
    pub bases: Vec<Base>,
    /// How many records there were at the start, and what happened to them.
    records: u32,
    overlay: Overlay,
}

pub struct Base {
    pub id: String,
    pub name: &'static str,
    pub renamed: Option<&'static str>,
    pub permission: &'static str,
    pub tables: Vec<Table>,
}

pub struct Table {
    pub id: String,
    pub name: &'static str,
    pub kind: Kind,
    pub quirk: Quirk,
    pub fields: Vec<Field>,
    /// The field that records are named by, which should be one of the above.
    pub primary: String,
    pub view: String,
    /// Whose records these are: a copied table has those of the original.
    pub lineage: u64,
    /// Where its records stand among all of the account's, and how many they are.
    pub start: u32,
    pub len: u32,
    /// How many were added since.
    pub added: u32,
}

pub struct Field {
    pub id: String,
    pub name: &'static str,
    pub kind: &'static str,
    /// The place of its column.
    pub column: usize,
    pub seed: u64,
}

impl Workspace {
    pub fn of(account: Account, records: u32, overlay: Overlay) -> Workspace {
        let plans = plans(account);
        let seeds = Seeds(account);
        let mut shares = Shares::new(plans, records);
        let bases = plans.iter().enumerate().map(|(at, plan)| Base {
            id: id("app", seeds.base(at)),
            name: plan.name,
            renamed: plan.renamed,
            permission: plan.permission,
            tables: tables(seeds, at, plan, &mut shares),
        });
        let mut bases: Vec<Base> = bases.collect();
        // What the dial adds stands in the first table of all.
        if let Some(first) = bases.first_mut().and_then(|base| base.tables.first_mut()) {
            first.added = overlay.added();
        }
        Workspace {
            bases,
            records,
            overlay,
        }
    }

    pub fn rows<'a>(&'a self, table: &'a Table) -> Rows<'a> {
        Rows {
            table,
            overlay: &self.overlay,
            records: self.records,
        }
    }

    pub fn base(&self, id: &str) -> Option<&Base> {
        self.bases.iter().find(|base| base.id == id)
    }

    /// How many tables there are in all bases.
    pub fn tables(&self) -> usize {
        self.bases.iter().map(|base| base.tables.len()).sum()
    }
}

impl Base {
    /// A table by its id or, as some clients ask for it, by its name.
    pub fn table(&self, id_or_name: &str) -> Option<&Table> {
        self.tables
            .iter()
            .find(|table| table.id == id_or_name || table.name == id_or_name)
    }
}

impl Table {
    /// A field by its id or its name.
    pub fn field(&self, id_or_name: &str) -> Option<&Field> {
        self.fields
            .iter()
            .find(|field| field.id == id_or_name || field.name == id_or_name)
    }
}

/// The person who an account belongs to.
pub fn user_id(account: Account) -> String {
    id("usr", Seeds(account).person())
}

fn tables(seeds: Seeds, base: usize, plan: &BasePlan, shares: &mut Shares) -> Vec<Table> {
    let tables = plan.tables.iter().enumerate();
    tables
        .map(|(at, table)| {
            let seed = seeds.table(base, at);
            let (start, len) = shares.next(table.share);
            let mut fields = fields(table.kind, seed);
            let primary = fields[0].id.clone();
            if table.quirk == Quirk::Headless {
                fields.remove(0);
            }
            Table {
                id: id("tbl", seed),
                name: table.name,
                kind: table.kind,
                quirk: table.quirk,
                fields,
                primary,
                view: id("viw", seed),
                lineage: seeds.table(plan.copy_of.unwrap_or(base), at),
                start,
                len,
                added: 0,
            }
        })
        .collect()
}

fn fields(kind: Kind, table: u64) -> Vec<Field> {
    let columns = kind.columns().iter().enumerate();
    columns
        .map(|(column, columns::Column { name, kind })| {
            let seed = mix(table, 100 + column as u64);
            Field {
                id: id("fld", seed),
                name,
                kind,
                column,
                seed,
            }
        })
        .collect()
}

/// Where the ids of an account come from.
#[derive(Clone, Copy)]
struct Seeds(Account);

impl Seeds {
    fn person(self) -> u64 {
        let letters = self.0.slug().bytes();
        letters.fold(0, |sum, letter| mix(sum, u64::from(letter)))
    }

    fn base(self, base: usize) -> u64 {
        mix(self.person(), base as u64 + 1)
    }

    fn table(self, base: usize, table: usize) -> u64 {
        mix(self.base(base), 1_000 + table as u64)
    }
}

/// Deals an account's records out to its tables.
struct Shares {
    next: u32,
    /// What tables of a fixed size leave, and what they take.
    rest: u32,
    fixed: u32,
    /// How many parts there are, and how many were dealt.
    parts: u32,
    dealt: u32,
}

impl Shares {
    fn new(plans: &[BasePlan], records: u32) -> Shares {
        let shares = || plans.iter().flat_map(|plan| plan.tables).map(share);
        let wanted: u32 = shares().map(exactly).sum();
        let fixed = wanted.min(records);
        Shares {
            next: 0,
            rest: records - fixed,
            fixed,
            parts: shares().map(parts).sum(),
            dealt: 0,
        }
    }

    /// Where a table's records begin, and how many they are.
    fn next(&mut self, share: Share) -> (u32, u32) {
        let start = self.next;
        let len = match share {
            Share::Exactly(count) => {
                let len = count.min(self.fixed);
                self.fixed -= len;
                len
            }
            // Rounded over all that was dealt so far, so that the tables have it all in the end.
            Share::Parts(parts) => {
                let before = self.up_to_here();
                self.dealt += parts;
                self.up_to_here() - before
            }
        };
        self.next += len;
        (start, len)
    }

    fn up_to_here(&self) -> u32 {
        let share = u64::from(self.rest) * u64::from(self.dealt) / u64::from(self.parts.max(1));
        share as u32
    }
}

fn share(table: &TablePlan) -> Share {
    table.share
}

fn exactly(share: Share) -> u32 {
    match share {
        Share::Exactly(count) => count,
        Share::Parts(_) => 0,
    }
}

fn parts(share: Share) -> u32 {
    match share {
        Share::Exactly(_) => 0,
        Share::Parts(parts) => parts,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn workspace(account: Account, records: u32) -> Workspace {
        Workspace::of(account, records, Overlay::default())
    }

    fn lens(account: Account, records: u32) -> Vec<u32> {
        let workspace = workspace(account, records);
        let tables = workspace.bases.iter().flat_map(|base| &base.tables);
        tables.map(|table| table.len).collect()
    }

    #[test]
    fn the_tables_hold_all_records_whatever_their_number() {
        for account in Account::ALL.into_iter().filter(|it| *it != Account::Empty) {
            for records in [0, 1, 7, 120, 10_001, 1_000_000] {
                assert_eq!(lens(account, records).iter().sum::<u32>(), records);
            }
        }
    }

    #[test]
    fn tables_stand_one_behind_the_other() {
        let workspace = workspace(Account::TenThousand, 12_500);
        let mut next = 0;
        for table in workspace.bases.iter().flat_map(|base| &base.tables) {
            assert_eq!(table.start, next);
            next += table.len;
        }
    }

    #[test]
    fn the_larger_accounts_have_thirty_tables_and_one_of_them_10_250_records() {
        let ten_thousand = lens(Account::TenThousand, 12_500);
        assert_eq!(ten_thousand.len(), 30);
        assert_eq!(ten_thousand[0], 10_250);
        assert_eq!(lens(Account::HundredThousand, 100_000).len(), 30);
    }

    #[test]
    fn a_copied_base_has_other_tables_with_the_same_records() {
        let workspace = workspace(Account::Small, 120);
        let (original, copy) = (&workspace.bases[1], &workspace.bases[2]);
        assert_eq!(original.name, copy.name);
        assert_ne!(original.id, copy.id);
        assert_ne!(original.tables[0].id, copy.tables[0].id);
        assert_eq!(original.tables[0].lineage, copy.tables[0].lineage);
        assert!(original.tables[0].len > 0 && copy.tables[0].len > 0);
    }

    #[test]
    fn the_small_account_has_every_odd_structure() {
        let workspace = workspace(Account::Small, 120);
        assert!(workspace.bases.iter().any(|base| base.tables.is_empty()));
        let tables = || workspace.bases.iter().flat_map(|base| &base.tables);
        assert!(tables().any(|table| table.len == 0));
        assert!(tables().any(|table| table.field(&table.primary).is_none()));
        let kinds: HashSet<&str> = tables()
            .flat_map(|table| &table.fields)
            .map(|field| field.kind)
            .collect();
        assert!(kinds.contains("hologram"));
    }
}
