//! A block's roster: its items that are not gone, with their types and folded names. To count what a
//! search finds, a block is read at once and not a row for each that it may mean.

use std::collections::BTreeMap;

use super::numbers::{read_number, write_number};

pub struct Member {
    /// Its id as it is counted in the block.
    pub at: u16,
    pub kind: String,
    pub name: String,
}

pub fn write(mut members: Vec<Member>) -> Vec<u8> {
    members.sort_unstable_by_key(|member| member.at);
    let mut kinds: Vec<&str> = members.iter().map(|member| member.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut roster = Vec::new();
    write_number(&mut roster, kinds.len() as u32);
    for kind in &kinds {
        write_text(&mut roster, kind);
    }
    let mut before = 0;
    for member in &members {
        let kind = kinds.partition_point(|kind| *kind < member.kind.as_str());
        write_number(&mut roster, u32::from(member.at - before));
        write_number(&mut roster, kind as u32);
        write_text(&mut roster, &member.name);
        before = member.at;
    }
    roster
}

/// Counts by type those of these, in their order, whose types and names fit.
pub fn count(
    mut roster: &[u8],
    of: &[u16],
    fit: impl Fn(&str, &str) -> bool,
    counts: &mut BTreeMap<String, i64>,
) {
    let kinds = read_number(&mut roster);
    let kinds: Vec<&str> = (0..kinds).map_while(|_| read_text(&mut roster)).collect();
    let mut of = of.iter().peekable();
    let mut at = 0u16;
    while !roster.is_empty() && of.peek().is_some() {
        at = at.wrapping_add(read_number(&mut roster) as u16);
        let kind = kinds.get(read_number(&mut roster) as usize);
        let (Some(kind), Some(name)) = (kind, read_text(&mut roster)) else {
            return;
        };
        while of.next_if(|wanted| **wanted < at).is_some() {}
        let is_meant = of.next_if_eq(&&at).is_some();
        if is_meant && fit(kind, name) {
            match counts.get_mut(*kind) {
                Some(n) => *n += 1,
                None => _ = counts.insert((*kind).to_owned(), 1),
            }
        }
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_number(out, text.len() as u32);
    out.extend(text.as_bytes());
}

fn read_text<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
    let length = read_number(from) as usize;
    let (text, rest) = from.split_at_checked(length)?;
    *from = rest;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(of: &[u16], fit: impl Fn(&str, &str) -> bool) -> Vec<(String, i64)> {
        let member = |(at, kind, name): (u16, &str, &str)| Member {
            at,
            kind: kind.into(),
            name: name.into(),
        };
        let members = [
            (4_095, "deal", "anna's deal"),
            (0, "contact", "anna smith"),
            (7, "contact", "王小明"),
            (300, "contact", "annabelle smith"),
            (301, "deal", ""),
        ];
        let mut counts = BTreeMap::new();
        count(&write(members.map(member).into()), of, fit, &mut counts);
        counts.into_iter().collect()
    }

    #[test]
    fn those_that_are_meant_and_fit_are_counted_by_type() {
        let all = [0, 1, 7, 300, 301, 4_095];
        let anna = |_: &str, name: &str| name.contains("anna");
        let each = |kind: &str, n| (kind.to_owned(), n);
        assert_eq!(counted(&all, anna), [each("contact", 2), each("deal", 1)]);
        assert_eq!(
            counted(&[300, 4_095], anna),
            [each("contact", 1), each("deal", 1)]
        );
        assert_eq!(counted(&all, |kind, _| kind == "deal"), [each("deal", 2)]);
        assert_eq!(
            counted(&all, |_, name| name == "王小明"),
            [each("contact", 1)]
        );
        assert_eq!(counted(&[], anna), []);
    }

    #[test]
    fn a_damaged_roster_is_no_reason_to_fall_over() {
        for roster in [
            &b"\x01"[..],
            &[0xff; 9],
            &[1, 1, b'a', 0, 9],
            &[0, 0, 0, 200],
        ] {
            count(roster, &[0, 1, 2], |_, _| true, &mut BTreeMap::new());
        }
    }
}
