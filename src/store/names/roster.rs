//! A block's roster: all that a search may ask of its items, so that where many of them may fit, a block
//! is read at once and not a row for each.
//!
//! Names are kept as the words they are made of, each of which stands there once: most blocks have few,
//! and a search looks at each word and not at each name. Times are apart, for counting and sorting by name ask of none.

use std::collections::HashMap;

use super::numbers::{read_number, step, stepped, write_number};

/// An item of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member<'a, N> {
    /// Its id as it is counted in the block.
    pub at: u16,
    pub kind: &'a str,
    pub is_gone: bool,
    pub times: Times,
    /// All of it, folded.
    pub name: N,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    pub created: i64,
    pub modified: i64,
}

/// A name as it stands in a roster.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    words: &'a Words<'a>,
    numbers: &'a [u8],
}

impl Name<'_> {
    pub fn whole(&self) -> String {
        let words = self.numbers().filter_map(|number| self.words.get(number));
        words.collect::<Vec<_>>().join(" ")
    }

    fn numbers(&self) -> impl Iterator<Item = usize> {
        let mut rest = self.numbers;
        std::iter::from_fn(move || {
            rest.first()?;
            Some(read_number(&mut rest) as usize)
        })
    }
}

/// What is written of a block.
#[derive(Debug, Default)]
pub struct Written {
    pub roster: Vec<u8>,
    pub times: Vec<u8>,
}

/// The types of all and the words of all, and then each member by their numbers.
pub fn write(members: &[Member<'_, &str>]) -> Written {
    let mut members = members.to_vec();
    members.sort_unstable_by_key(|member| member.at);
    let (mut kinds, mut words) = (Numbered::default(), Numbered::default());
    let (mut lines, mut times) = (Vec::new(), Vec::new());
    let (mut at, mut created) = (0, 0);
    for it in members {
        write_number(&mut lines, u64::from(it.at - at));
        write_number(
            &mut lines,
            kinds.number(it.kind) << 1 | u64::from(it.is_gone),
        );
        let mut name = Vec::new();
        for word in it.name.split(' ') {
            write_number(&mut name, words.number(word));
        }
        write_bytes(&mut lines, &name);
        write_number(&mut times, step(created, it.times.created));
        write_number(&mut times, step(it.times.created, it.times.modified));
        (at, created) = (it.at, it.times.created);
    }
    let mut roster = Vec::new();
    write_bytes(&mut roster, kinds.texts.join(" ").as_bytes());
    write_bytes(&mut roster, words.texts.join(" ").as_bytes());
    roster.extend(lines);
    Written { roster, times }
}

/// Texts by the order in which they were met.
#[derive(Default)]
struct Numbered<'a> {
    texts: Vec<&'a str>,
    numbers: HashMap<&'a str, u64>,
}

impl<'a> Numbered<'a> {
    fn number(&mut self, text: &'a str) -> u64 {
        let next = self.texts.len() as u64;
        *self.numbers.entry(text).or_insert_with(|| {
            self.texts.push(text);
            next
        })
    }
}

/// The words of all names, with a blank between them, and where each begins.
struct Words<'a> {
    all: &'a str,
    starts: Vec<usize>,
}

impl<'a> Words<'a> {
    fn new(all: &'a str) -> Self {
        let further = all.match_indices(' ').map(|(at, _)| at + 1);
        Self {
            all,
            starts: std::iter::once(0).chain(further).collect(),
        }
    }

    fn get(&self, number: usize) -> Option<&'a str> {
        let rest = self.all.get(*self.starts.get(number)?..)?;
        rest.split(' ').next()
    }

    /// Which have this in them. It has no blank, so that it is in one of them or in none.
    fn with(&self, sought: &str) -> Vec<bool> {
        let mut with = vec![false; self.starts.len()];
        for (at, _) in self.all.match_indices(sought) {
            with[self.starts.partition_point(|start| *start <= at) - 1] = true;
        }
        with
    }
}

/// Shows each of these, in their order, that is there and has all the words somewhere in its name; with
/// its times, where they are there.
pub fn each(
    written: &Written,
    of: &[u16],
    words: &[String],
    met: impl FnMut(Member<'_, Name<'_>>),
) {
    // What is damaged ends here, and is no reason to fall over.
    let _ = try_each(written, of, words, met);
}

fn try_each(
    written: &Written,
    of: &[u16],
    sought: &[String],
    mut met: impl FnMut(Member<'_, Name<'_>>),
) -> Option<()> {
    let (mut lines, mut all_times) = (&written.roster[..], &written.times[..]);
    let kinds: Vec<&str> = read_text(&mut lines)?.split(' ').collect();
    let words = Words::new(read_text(&mut lines)?);
    let with: Vec<Vec<bool>> = sought.iter().map(|sought| words.with(sought)).collect();
    let mut of = of.iter().peekable();
    let (mut at, mut times) = (0u16, Times::default());
    while !lines.is_empty() && of.peek().is_some() {
        at = at.wrapping_add(read_number(&mut lines) as u16);
        let kind = read_number(&mut lines);
        let numbers = read_bytes(&mut lines)?;
        if !all_times.is_empty() {
            times.created = stepped(times.created, read_number(&mut all_times));
            times.modified = stepped(times.created, read_number(&mut all_times));
        }
        while of.next_if(|wanted| **wanted < at).is_some() {}
        if of.next_if_eq(&&at).is_none() {
            continue;
        }
        let words = &words;
        let name = Name { words, numbers };
        let is_in = |with: &Vec<bool>| name.numbers().any(|it| with.get(it) == Some(&true));
        if with.iter().all(is_in) {
            met(Member {
                at,
                kind: kinds.get((kind >> 1) as usize)?,
                is_gone: kind & 1 == 1,
                times,
                name,
            });
        }
    }
    Some(())
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_number(out, bytes.len() as u64);
    out.extend(bytes);
}

#[inline]
fn read_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(read_number(from)).ok()?;
    let (bytes, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(bytes)
}

fn read_text<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(read_bytes(from)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member<'a>(at: u16, kind: &'a str, name: &'a str) -> Member<'a, &'a str> {
        let times = Times {
            created: 1_000 - i64::from(at),
            modified: if at == 0 { i64::MIN } else { 2_000 },
        };
        Member {
            at,
            kind,
            is_gone: at == 7,
            times,
            name,
        }
    }

    fn members() -> Vec<Member<'static, &'static str>> {
        vec![
            member(4_095, "deal", "anna's deal"),
            member(301, "deal", ""),
            member(300, "contact", "annabelle  smith"),
            member(7, "contact", "王小明"),
            member(0, "contact", "anna smith"),
        ]
    }

    fn met(of: &[u16], words: &[&str]) -> Vec<u16> {
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        let mut met = Vec::new();
        each(&write(&members()), of, &words, |it| {
            let told = (it.at, it.kind, it.is_gone, it.times, it.name.whole());
            let is_told = |member: &Member<'_, &str>| {
                let name = member.name.to_owned();
                told == (member.at, member.kind, member.is_gone, member.times, name)
            };
            assert!(members().iter().any(is_told), "{told:?}");
            met.push(it.at);
        });
        met
    }

    #[test]
    fn those_that_are_asked_for_are_met_as_they_are() {
        assert_eq!(met(&[0, 7, 300, 301, 4_095], &[]), [0, 7, 300, 301, 4_095]);
        assert_eq!(met(&[1, 7, 299, 4_095], &[]), [7, 4_095]);
        assert_eq!(met(&[4_094], &[]), [0; 0]);
        assert_eq!(met(&[], &[]), [0; 0]);
    }

    #[test]
    fn of_those_the_ones_are_met_that_have_all_the_words() {
        let all = [0, 7, 300, 301, 4_095];
        assert_eq!(met(&all, &["anna"]), [0, 300, 4_095]);
        assert_eq!(met(&all, &["anna", "mit"]), [0, 300]);
        assert_eq!(met(&all, &["小"]), [7]);
        assert_eq!(met(&all, &["anna", "小"]), [0; 0]);
        assert_eq!(met(&[300], &["anna"]), [300]);
    }

    #[test]
    fn a_name_is_read_as_it_was_whatever_its_blanks() {
        for name in ["", " ", "a", " a  b ", "王 a"] {
            let mut read = Vec::new();
            let written = write(&[member(1, "x", name)]);
            each(&written, &[1], &[], |it| read.push(it.name.whole()));
            assert_eq!(read, [name]);
        }
    }

    #[test]
    fn without_its_times_a_roster_tells_the_rest() {
        let roster = write(&members()).roster;
        let times = Vec::new();
        let mut n = 0;
        each(&Written { roster, times }, &[0, 7], &[], |_| n += 1);
        assert_eq!(n, 2);
    }

    #[test]
    fn a_damaged_roster_is_no_reason_to_fall_over() {
        for roster in [
            &b"\x01"[..],
            &[0xff; 9],
            &[1, b'a', 1, b'b', 0, 0, 200],
            &[1, b'a', 1, b'b', 0, 9, 1, 0],
            &[1, b'a', 1, b'b', 0, 0, 2, 7, 0],
            &[1, b'a', 1, b'b', 0, 0, 1, 0x80],
            &[1, 0xff, 0],
        ] {
            for times in [&[][..], &[0xff; 3]] {
                let written = Written {
                    roster: roster.to_vec(),
                    times: times.to_vec(),
                };
                each(&written, &[0, 1, 2], &["b".into()], |it| {
                    drop(it.name.whole())
                });
            }
        }
    }
}
