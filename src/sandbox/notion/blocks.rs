//! Which blocks a page is made of: some text, and where pages stand in a toggle or a column, those.

use super::content::{Content, State};
use super::ids::Thing;
use crate::sandbox::people::mix;

const TOGGLE: u16 = 1000;
const COLUMNS: u16 = 1001;
const LEFT: u16 = 1002;
const RIGHT: u16 = 1003;
/// Toggles in each other, the outermost first.
const DEEP: u16 = 1010;
const DEEPEST: u16 = 1014;
/// Text that does not stand in the page itself.
const IN_COLUMN: u16 = 900;

/// A page with more blocks than one answer holds.
const LONG_PAGE: u32 = 1;
const LONG: u16 = 130;

/// What sort of block a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Heading,
    Paragraph,
    /// One that the API cannot tell more about.
    Unsupported,
    Toggle,
    Columns,
    Column,
}

pub fn toggle_in(page: u32) -> Thing {
    let slot = TOGGLE;
    Thing::Block { page, slot }
}

pub fn column_in(page: u32) -> Thing {
    let slot = RIGHT;
    Thing::Block { page, slot }
}

/// A block five levels deep.
pub fn deep_in(page: u32) -> Thing {
    let slot = DEEPEST;
    Thing::Block { page, slot }
}

/// What a block stands in.
pub fn parent(page: u32, slot: u16) -> Thing {
    let slot = match slot {
        IN_COLUMN => LEFT,
        LEFT | RIGHT => COLUMNS,
        _ if (DEEP + 1..=DEEPEST).contains(&slot) => slot - 1,
        _ => return Thing::Page(page),
    };
    Thing::Block { page, slot }
}

pub fn sort(slot: u16) -> Sort {
    match slot {
        0 => Sort::Heading,
        3 => Sort::Unsupported,
        COLUMNS => Sort::Columns,
        LEFT | RIGHT => Sort::Column,
        _ if slot >= TOGGLE => Sort::Toggle,
        _ => Sort::Paragraph,
    }
}

/// What stands in a page or block, from the top to the bottom.
pub fn children(content: &Content, parent: Thing) -> Vec<Thing> {
    let mut children: Vec<Thing> = match parent {
        Thing::Page(page) => slots_of(content, page)
            .map(|slot| Thing::Block { page, slot })
            .collect(),
        Thing::Block { page, slot } => inner_slots(slot)
            .iter()
            .map(|slot| Thing::Block { page, slot: *slot })
            .collect(),
        _ => Vec::new(),
    };
    if !matches!(parent, Thing::Page(page) if content.source_of(page).is_some()) {
        children.extend(content.inside(parent));
    }
    children
}

/// Whether a page has this block.
pub fn exists(content: &Content, page: u32, slot: u16) -> bool {
    let outermost = match slot {
        IN_COLUMN | LEFT | RIGHT => COLUMNS,
        DEEP..=DEEPEST => DEEP,
        _ => slot,
    };
    content.state(Thing::Page(page)) == State::Here
        && slots_of(content, page).any(|other| other == outermost)
}

/// The blocks of a page that stand in nothing else.
fn slots_of(content: &Content, page: u32) -> impl Iterator<Item = u16> {
    let texts = match (page, content.source_of(page)) {
        (LONG_PAGE, None) => LONG,
        (_, None) => 2 + (mix(u64::from(page), 31) % 4) as u16,
        (_, Some(_)) => 1,
    };
    let special = [
        (TOGGLE, toggle_in(page)),
        (COLUMNS, column_in(page)),
        (DEEP, deep_in(page)),
    ];
    let in_tree = content.source_of(page).is_none();
    let used = special
        .into_iter()
        .filter(move |(_, inner)| in_tree && !content.inside(*inner).is_empty());
    (0..texts).chain(used.map(|(slot, _)| slot))
}

fn inner_slots(slot: u16) -> &'static [u16] {
    match slot {
        COLUMNS => &[LEFT, RIGHT],
        LEFT => &[IN_COLUMN],
        1010 => &[1011],
        1011 => &[1012],
        1012 => &[1013],
        1013 => &[1014],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::sandbox::accounts::Account;
    use crate::sandbox::overlay::Overlay;

    fn small() -> Content {
        Content::new(Account::Small, 120, Overlay::default())
    }

    #[test]
    fn whatever_stands_in_something_names_it_as_its_parent() {
        let content = small();
        let mut left = vec![
            Thing::Page(0),
            Thing::Page(1),
            Thing::Page(2),
            Thing::Page(3),
        ];
        let mut met = 0;
        while let Some(parent) = left.pop() {
            for child in children(&content, parent) {
                assert_eq!(content.parent(child), parent);
                left.push(child);
                met += 1;
            }
        }
        assert!(met > 150, "{met}");
    }

    #[test]
    fn a_walk_from_the_roots_meets_every_page_of_the_tree_that_stands_in_another() {
        let content = small();
        let mut seen = HashSet::new();
        let mut left = vec![
            Thing::Page(0),
            Thing::Page(1),
            Thing::Page(2),
            Thing::Page(3),
        ];
        while let Some(parent) = left.pop() {
            if let Thing::Page(page) = parent {
                assert!(seen.insert(page));
            }
            left.extend(children(&content, parent));
        }
        // Page 11 is an agent's, page 13 stands in one that is not shared.
        let missing: Vec<u32> = (0..48).filter(|page| !seen.contains(page)).collect();
        assert_eq!(missing, [11, 13]);
    }

    #[test]
    fn a_page_can_stand_five_blocks_deep() {
        let content = small();
        let mut blocks = 0;
        let mut thing = content.parent(Thing::Page(20));
        while matches!(thing, Thing::Block { .. }) {
            thing = content.parent(thing);
            blocks += 1;
        }
        assert_eq!(blocks, 5);
    }

    #[test]
    fn only_blocks_that_stand_somewhere_exist() {
        let content = small();
        assert!(exists(&content, 0, 0));
        assert!(exists(&content, 3, DEEPEST));
        assert!(!exists(&content, 40, DEEPEST));
        assert!(!exists(&content, 0, 77));
        assert!(!exists(&content, 7_000, 0));
    }
}
