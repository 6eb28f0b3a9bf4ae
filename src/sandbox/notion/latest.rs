//! What search knows, and in which order.

use chrono::{DateTime, Utc};

use super::content::Content;
use super::ids::Thing;

impl Content {
    /// Everything that search may speak of, the latest edit first. Each has a place, larger than
    /// the one before it, that stays its own while nobody edits it.
    pub fn latest_first(&self) -> impl DoubleEndedIterator<Item = (u64, Thing)> {
        let mut touched: Vec<(u64, Thing)> = self
            .touched()
            .map(|page| {
                (
                    place(self.edited(Thing::Page(page)), page),
                    Thing::Page(page),
                )
            })
            .collect();
        touched.sort_unstable_by_key(|(place, _)| *place);
        touched.into_iter().chain(self.untouched())
    }

    fn untouched(&self) -> impl DoubleEndedIterator<Item = (u64, Thing)> {
        let things = self.layout.pages + self.layout.sources().end;
        (0..things).filter_map(|rank| {
            let number = self.order.at(rank);
            let thing = match number.checked_sub(self.layout.pages) {
                Some(source) => Thing::Source(source),
                None if self.is_touched(number) => return None,
                None => Thing::Page(number),
            };
            Some((place(self.order.edited(number), rank), thing))
        })
    }

    /// The pages that the dial changed or added, as far as search knows of it yet.
    fn touched(&self) -> impl Iterator<Item = u32> {
        let changed = 0..self.overlay.changed().min(self.layout.pages);
        changed
            .chain(self.added())
            .filter(|page| self.is_touched(*page))
    }

    fn is_touched(&self, page: u32) -> bool {
        let at = match page.checked_sub(self.layout.pages) {
            Some(number) => self.overlay.added_at(number),
            None => self.overlay.change_of(page).map(|change| change.at),
        };
        at.is_some_and(|at| self.overlay.is_indexed(at, self.now))
    }

    /// Whether search leaves a thing out although it is there. What was shared by itself is always
    /// found; of what came along with it, some is not.
    pub fn is_missed_by_search(&self, thing: Thing) -> bool {
        let Thing::Page(page) = thing else {
            return false;
        };
        let came_along = !matches!(self.parent(thing), Thing::Workspace | Thing::Hidden(_));
        let is_unlucky = if page < self.layout.tree {
            page % 23 == 19
        } else {
            page < self.layout.pages && page % 29 == 12
        };
        came_along && is_unlucky
    }
}

/// Puts later times first, and things of one minute in the order of their numbers.
fn place(at: DateTime<Utc>, number: u32) -> u64 {
    let minutes = u32::try_from(at.timestamp() / 60).unwrap_or_default();
    (u64::from(u32::MAX - minutes) << 32) | u64::from(number)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;
    use crate::sandbox::accounts::Account;
    use crate::sandbox::overlay::Overlay;

    #[test]
    fn the_latest_edit_comes_first_and_nothing_twice() {
        let content = Content::new(Account::TenThousand, 10_000, Overlay::default());
        let all: Vec<(u64, Thing)> = content.latest_first().collect();
        assert_eq!(all.len(), 10_000 + content.layout.sources().count());
        assert!(all.is_sorted_by(|one, next| one.0 < next.0));
        let edits: Vec<_> = all.iter().map(|(_, it)| content.edited(*it)).collect();
        assert!(edits.is_sorted_by(|one, next| one >= next));
        assert!(content.latest_first().rev().eq(all.into_iter().rev()));
    }

    #[test]
    fn what_the_dial_touched_comes_first_once_search_knows() {
        let now = Utc::now();
        let mut overlay = Overlay::default();
        overlay.add(2, now);
        overlay.change(1, now);
        let newest = |overlay: &Overlay| {
            let content = Content::new(Account::Small, 120, overlay.clone());
            let first = content
                .latest_first()
                .take(3)
                .map(|(_, it)| format!("{it:?}"));
            first.collect::<HashSet<String>>()
        };
        let pages = ["Page(0)", "Page(120)", "Page(121)"].map(str::to_owned);
        assert_eq!(newest(&overlay), HashSet::from(pages.clone()));
        overlay.delay_index(Duration::from_secs(600));
        assert!(newest(&overlay).is_disjoint(&HashSet::from(pages)));
    }

    #[test]
    fn search_misses_a_few_but_nothing_that_was_shared_by_itself() {
        let content = Content::new(Account::Small, 120, Overlay::default());
        let missed: Vec<u32> = content
            .pages()
            .filter(|page| content.is_missed_by_search(Thing::Page(*page)))
            .collect();
        assert_eq!(missed, [19, 42, 70, 99]);
    }
}
