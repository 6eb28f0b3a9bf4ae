use std::ops::Range;

use chrono::{DateTime, Utc};

use super::blocks;
use super::ids::Thing;
use super::layout::{IN_WIKI, Layout, WIKI, database_of};
use super::order::{Order, to_the_minute};
use crate::sandbox::accounts::Account;
use crate::sandbox::dial::Provider;
use crate::sandbox::overlay::{Change, Overlay};
use crate::sandbox::world::World;

/// Pages in the trash from the start, besides those that are counted.
const TRASHED: u32 = 5;

/// What is in one account: what was there at the start, and what the dial made of it. None of it is
/// stored: everything is worked out from its number when it is asked for.
///
/// The pages that the dial added are numbered behind those of the start.
pub struct Content {
    pub account: Account,
    pub layout: Layout,
    pub order: Order,
    pub overlay: Overlay,
    pub now: DateTime<Utc>,
}

/// Whether something can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Here,
    /// In the trash: out of listings, but still there for whoever knows its id.
    Trashed,
    /// Not shared any more, or never there.
    Gone,
}

impl Content {
    pub fn of(world: &World, account: Account) -> Content {
        let overlay = world.dial.overlay(Provider::Notion, account, "pages");
        Content::new(account, world.size(account), overlay)
    }

    pub fn new(account: Account, pages: u32, overlay: Overlay) -> Content {
        let layout = Layout::new(account, pages);
        // In one account somebody changed many things at once.
        let crowd = match account {
            Account::TenThousand => 600..900,
            _ => 0..0,
        };
        Content {
            account,
            order: Order::new(pages + layout.sources().end, crowd),
            layout,
            overlay,
            now: Utc::now(),
        }
    }

    /// All pages there ever were.
    pub fn pages(&self) -> Range<u32> {
        0..self.added().end
    }

    /// Those that the dial added.
    pub fn added(&self) -> Range<u32> {
        let start = self.layout.pages;
        start..start.saturating_add(self.overlay.added())
    }

    /// The rows of a data source, in the order in which they came.
    pub fn rows(&self, source: u32) -> impl Iterator<Item = u32> {
        let is_of_it = move |page: &u32| self.source_of(*page) == Some(source);
        self.layout
            .rows(source)
            .chain(self.added().filter(is_of_it))
    }

    /// The data source that a page is a row of; every other page that is added goes to the first.
    pub fn source_of(&self, page: u32) -> Option<u32> {
        match page.checked_sub(self.layout.pages) {
            None => self.layout.source_of(page),
            Some(number) if number.is_multiple_of(2) => self.layout.sources().next(),
            Some(_) => None,
        }
    }

    /// What a thing stands in.
    pub fn parent(&self, thing: Thing) -> Thing {
        match thing {
            Thing::Page(page) if self.added().contains(&page) => self.parent_of_added(page),
            Thing::Page(page) => self.layout.parent_of_page(page),
            Thing::Source(IN_WIKI) => Thing::Source(WIKI),
            Thing::Source(source) => Thing::Database(database_of(source)),
            Thing::Database(database) => self.layout.parent_of_database(database),
            Thing::Block { page, slot } => blocks::parent(page, slot),
            _ => Thing::Workspace,
        }
    }

    fn parent_of_added(&self, page: u32) -> Thing {
        match self.source_of(page) {
            Some(source) => Thing::Source(source),
            None if self.layout.tree == 0 => Thing::Workspace,
            None => Thing::Page(0),
        }
    }

    /// The pages and databases that stand in a page or block.
    pub fn inside(&self, parent: Thing) -> Vec<Thing> {
        let pages = (0..self.layout.tree).chain(self.added()).map(Thing::Page);
        let databases = self.layout.databases().map(Thing::Database);
        pages
            .chain(databases)
            .filter(|thing| self.parent(*thing) == parent)
            .filter(|thing| self.state(*thing) == State::Here)
            .collect()
    }

    pub fn state(&self, thing: Thing) -> State {
        let is_there = match thing {
            Thing::Page(page) | Thing::Block { page, .. } => return self.state_of_page(page),
            Thing::Trashed(number) if self.trash().contains(&number) => return State::Trashed,
            Thing::Source(source) => self.layout.sources().contains(&source),
            Thing::Database(database) => self.layout.databases().contains(&database),
            _ => false,
        };
        if is_there { State::Here } else { State::Gone }
    }

    /// Of the pages that the dial deletes every other one is in the trash; the rest are not shared
    /// any more.
    fn state_of_page(&self, page: u32) -> State {
        let deleted = self.overlay.deleted_at(page, self.layout.pages).is_some();
        match (self.pages().contains(&page), deleted) {
            (true, false) => State::Here,
            (true, true) if page.is_multiple_of(2) => State::Trashed,
            _ => State::Gone,
        }
    }

    /// What was in the trash from the start.
    pub fn trash(&self) -> Range<u32> {
        0..TRASHED.min(self.layout.pages)
    }

    /// The pages that the dial moved to the trash.
    pub fn trashed_since(&self) -> impl Iterator<Item = u32> {
        let pages = self.layout.pages;
        let first = pages.saturating_sub(self.overlay.deleted());
        (first..pages).filter(|page| self.state_of_page(*page) == State::Trashed)
    }

    /// Whether a page was set aside, which is not the trash.
    pub fn is_archived(&self, thing: Thing) -> bool {
        matches!(thing, Thing::Page(page) if page % 41 == 30)
    }

    /// What the dial changed of a page from the start.
    pub fn change_of(&self, page: u32) -> Option<Change> {
        (page < self.layout.pages).then(|| self.overlay.change_of(page))?
    }

    /// When a thing came.
    pub fn created(&self, thing: Thing) -> DateTime<Utc> {
        let number = self.number(thing);
        match (thing, number.checked_sub(self.layout.pages)) {
            (Thing::Page(_), Some(added)) => {
                let at = self.overlay.added_at(added);
                to_the_minute(at.unwrap_or(self.now))
            }
            _ => self.order.created(number),
        }
    }

    /// When it was edited last.
    pub fn edited(&self, thing: Thing) -> DateTime<Utc> {
        match thing {
            Thing::Page(page) if self.added().contains(&page) => self.created(thing),
            Thing::Page(page) => self
                .change_of(page)
                .map_or_else(|| self.order.edited(page), |it| to_the_minute(it.at)),
            _ => self.order.edited(self.number(thing)),
        }
    }

    /// Where a thing stands among all that have times.
    fn number(&self, thing: Thing) -> u32 {
        match thing {
            Thing::Page(page) | Thing::Block { page, .. } => page,
            Thing::Source(source) => self.layout.pages + source,
            Thing::Database(database) => self.layout.pages + database / 2,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned() -> Content {
        let now = Utc::now();
        let mut overlay = Overlay::default();
        overlay.add(2, now);
        overlay.change(1, now);
        overlay.delete(2, now);
        Content::new(Account::Small, 120, overlay)
    }

    #[test]
    fn added_pages_are_rows_or_stand_in_the_first_page() {
        let content = turned();
        let parents = [120, 121].map(|page| content.parent(Thing::Page(page)));
        assert_eq!(parents, [Thing::Source(0), Thing::Page(0)]);
        assert_eq!(content.rows(0).last(), Some(120));
        assert!(content.inside(Thing::Page(0)).contains(&Thing::Page(121)));
    }

    #[test]
    fn deleted_pages_are_in_the_trash_or_gone() {
        let content = turned();
        let states = [117, 118, 119, 120, 122].map(|page| content.state(Thing::Page(page)));
        let [here, trashed, gone] = [State::Here, State::Trashed, State::Gone];
        assert_eq!(states, [here, trashed, gone, here, gone]);
        assert_eq!(content.trashed_since().collect::<Vec<_>>(), [118]);
    }

    #[test]
    fn what_the_dial_touched_has_the_present_as_its_time() {
        let content = turned();
        let day = content.now - chrono::TimeDelta::days(1);
        let recent = [0, 1, 120].map(|page| content.edited(Thing::Page(page)) > day);
        assert_eq!(recent, [true, false, true]);
        assert!(content.created(Thing::Page(0)) < day);
    }

    #[test]
    fn an_account_without_anything_can_be_added_to() {
        let mut overlay = Overlay::default();
        overlay.add(2, Utc::now());
        let content = Content::new(Account::Empty, 0, overlay);
        let parents = [0, 1].map(|page| content.parent(Thing::Page(page)));
        assert_eq!(parents, [Thing::Workspace; 2]);
    }
}
