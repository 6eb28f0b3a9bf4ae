use std::ops::Range;

use super::blocks;
use super::ids::Thing;
use crate::sandbox::accounts::Account;

/// Pages that stand in the tree, not in a data source, at most.
const MOST_IN_TREE: u32 = 2_000;
const ROOTS: u32 = 4;
/// How many children a page of the tree has.
const FAN: u32 = 5;
/// Pages that stand in each other, one in the one before it.
const CHAIN: Range<u32> = 100..148;
/// More rows than one query gives.
const BEYOND_THE_CAP: u32 = 10_250;

/// The data source whose rows are a wiki, and the one that stands in it.
pub const WIKI: u32 = 3;
pub const IN_WIKI: u32 = 4;

/// Where everything in an account stood at the start.
///
/// The pages are numbered: first those of the tree, then the rows, data source by data source.
pub struct Layout {
    pub account: Account,
    pub pages: u32,
    /// How many of the pages stand in the tree.
    pub tree: u32,
    /// The rows of each data source.
    rows: Vec<Range<u32>>,
}

impl Layout {
    pub fn new(account: Account, pages: u32) -> Layout {
        let tree = if pages < 10 {
            pages
        } else {
            (pages / 5 * 2).min(MOST_IN_TREE)
        };
        Layout {
            account,
            pages,
            tree,
            rows: shared_out(tree..pages),
        }
    }

    /// The data sources.
    pub fn sources(&self) -> Range<u32> {
        0..u32::try_from(self.rows.len()).unwrap_or_default()
    }

    /// The databases: each data source is in one, and the last database holds none.
    pub fn databases(&self) -> Range<u32> {
        match self.sources().last() {
            Some(last) => 0..database_of(last) + 2,
            None => 0..0,
        }
    }

    pub fn sources_of(&self, database: u32) -> impl Iterator<Item = u32> {
        self.sources()
            .filter(move |source| database_of(*source) == database)
    }

    /// The rows of a data source.
    pub fn rows(&self, source: u32) -> Range<u32> {
        self.rows.get(source as usize).cloned().unwrap_or_default()
    }

    /// The data source that a page is a row of.
    pub fn source_of(&self, page: u32) -> Option<u32> {
        if !(self.tree..self.pages).contains(&page) {
            return None;
        }
        let at = self.rows.partition_point(|rows| rows.end <= page);
        u32::try_from(at).ok()
    }

    /// What a page stands in.
    pub fn parent_of_page(&self, page: u32) -> Thing {
        match self.source_of(page) {
            Some(source) => Thing::Source(source),
            None => self.parent_in_tree(page),
        }
    }

    fn parent_in_tree(&self, page: u32) -> Thing {
        let above = page.saturating_sub(ROOTS) / FAN;
        let is_rough = self.account == Account::Faults;
        match page {
            0..ROOTS => Thing::Workspace,
            11 => Thing::Agent,
            13 => Thing::Hidden(0),
            // Read in the middle of a move, each of the two stands in the other.
            16 if is_rough => Thing::Page(17),
            17 if is_rough => Thing::Page(16),
            20 => blocks::deep_in(above),
            _ if self.tree > 400 && page > CHAIN.start && page < CHAIN.end => Thing::Page(page - 1),
            _ if page % 7 == 3 => blocks::toggle_in(above),
            _ if page % 7 == 5 => blocks::column_in(above),
            _ => Thing::Page(above),
        }
    }

    /// What a database stands in.
    pub fn parent_of_database(&self, database: u32) -> Thing {
        match database {
            1 | 2 => Thing::Workspace,
            3 => Thing::Database(database_of(WIKI)),
            4 => Thing::Hidden(1),
            5 => blocks::column_in(2),
            _ => Thing::Page((database * 13 + 1) % self.tree.max(1)),
        }
    }
}

/// The database of a data source: the second and third share one.
pub fn database_of(source: u32) -> u32 {
    if source < 2 { source } else { source - 1 }
}

/// Gives rows to data sources: many to the first, none to the second, exactly a hundred to the
/// third where there is enough, and the same number to each of the others.
fn shared_out(pages: Range<u32>) -> Vec<Range<u32>> {
    let count = pages.end - pages.start;
    if count == 0 {
        return Vec::new();
    }
    let first = if count > 2 * BEYOND_THE_CAP {
        BEYOND_THE_CAP
    } else {
        count.div_ceil(4)
    };
    let usual = (count / 40).max(12);
    let third = if count < 500 { usual } else { 100 };
    let lengths = [first, 0, third]
        .into_iter()
        .chain(std::iter::repeat(usual));
    let mut start = pages.start;
    let mut shares = Vec::new();
    for length in lengths {
        let end = start.saturating_add(length).min(pages.end);
        shares.push(start..end);
        start = end;
        if start == pages.end {
            break;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(account: Account) -> Layout {
        Layout::new(account, account.profile().items)
    }

    #[test]
    fn every_page_stands_in_the_tree_or_is_one_row() {
        let sizes = (0..200).chain([2_000, 10_000, 24_000, 100_000]);
        for pages in sizes {
            let layout = Layout::new(Account::Small, pages);
            let rows: usize = layout.sources().map(|it| layout.rows(it).len()).sum();
            assert_eq!(layout.tree as usize + rows, pages as usize);
            for source in layout.sources() {
                let mut rows = layout.rows(source);
                assert!(rows.all(|page| layout.source_of(page) == Some(source)));
            }
        }
    }

    #[test]
    fn some_data_source_has_more_rows_than_one_query_gives() {
        let layout = layout(Account::HundredThousand);
        let rows = [0, 1, 2].map(|source| layout.rows(source).len());
        assert_eq!(rows, [10_250, 0, 100]);
    }

    #[test]
    fn a_page_stands_deeper_than_forty() {
        let layout = layout(Account::TenThousand);
        let (mut page, mut depth) = (CHAIN.end - 1, 0);
        while let Thing::Page(above) = layout.parent_of_page(page) {
            (page, depth) = (above, depth + 1);
        }
        assert!(depth > 40, "{depth}");
    }

    #[test]
    fn parents_are_of_every_kind() {
        let layout = layout(Account::Small);
        let parents: Vec<Thing> = (0..120).map(|page| layout.parent_of_page(page)).collect();
        for wanted in [
            Thing::Workspace,
            Thing::Agent,
            Thing::Hidden(0),
            Thing::Page(0),
            Thing::Source(0),
            blocks::toggle_in(1),
            blocks::column_in(1),
        ] {
            assert!(parents.contains(&wanted), "{wanted:?}");
        }
    }

    #[test]
    fn databases_have_none_one_or_two_data_sources() {
        let layout = layout(Account::Small);
        let counts: Vec<usize> = layout
            .databases()
            .map(|database| layout.sources_of(database).count())
            .collect();
        assert_eq!(counts, [1, 2, 1, 1, 1, 1, 0]);
    }
}
