//! The pieces that names are made of, and the lists of who has which.
//!
//! A piece is one, two or three characters of a folded name, known by a hash. A block's lists are cut
//! into buckets, so that a search reads a few short values of each block and nothing else. Two pieces of
//! one hash only make candidates that are then looked at in vain.

use std::collections::BTreeMap;

use super::numbers::{read_number, write_number};

/// Values that a block's lists are cut into.
pub const BUCKETS: u32 = 256;
/// Pieces of a search that are looked up; the names themselves decide in the end.
const MOST: usize = 8;

/// The values of a block, by bucket, from its ids (as they are counted in the block) and folded names.
pub fn lists<'a>(names: impl Iterator<Item = (u16, &'a str)> + Clone) -> Vec<Vec<u8>> {
    // Room for all of them at once: to grow step by step would take twice as much.
    let letters: usize = names.clone().map(|(_, name)| name.len()).sum();
    let mut held: Vec<(u32, u16)> = Vec::with_capacity(3 * letters);
    for (at, name) in names {
        let before = held.len();
        all_pieces(name, |piece| held.push((piece, at)));
        held[before..].sort_unstable();
    }
    held.sort_unstable();
    held.dedup();
    let mut values = vec![Vec::new(); BUCKETS as usize];
    for list in held.chunk_by(|a, b| a.0 == b.0) {
        write_list(&mut values[bucket(list[0].0) as usize], list);
    }
    values
}

/// Which bucket a piece is in.
pub fn bucket(piece: u32) -> u32 {
    piece % BUCKETS
}

/// The pieces that a name must have to hold all these words.
pub fn sought(words: &[String]) -> Vec<u32> {
    let mut sought = Vec::new();
    for word in words {
        let chars: Vec<char> = word.chars().collect();
        let last = chars.len().saturating_sub(3);
        let starts = (0..last).step_by(3).chain([last]);
        let piece = |start: usize| hash(&chars[start..chars.len().min(start + 3)]);
        sought.extend(starts.map(piece));
    }
    sought.sort_unstable();
    sought.dedup();
    sought.truncate(MOST);
    sought
}

/// Who has all of these pieces, each of them in the value of its bucket.
pub fn who_has(sought: &[u32], values: &BTreeMap<u32, Vec<u8>>) -> Vec<u16> {
    let mut found: Option<Vec<u16>> = None;
    for piece in sought {
        let value = values.get(&bucket(*piece));
        let list = value
            .map(|value| read_list(value, *piece))
            .unwrap_or_default();
        found = Some(match found {
            None => list,
            Some(mut found) => {
                found.retain(|at| list.binary_search(at).is_ok());
                found
            }
        });
    }
    found.unwrap_or_default()
}

fn all_pieces(name: &str, mut each: impl FnMut(u32)) {
    let chars: Vec<char> = name.chars().collect();
    for length in 1..=3 {
        chars.windows(length).for_each(|piece| each(hash(piece)));
    }
}

/// FNV-1a: what is stored must mean the same for ever.
fn hash(piece: &[char]) -> u32 {
    let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let bytes = piece.iter().flat_map(|c| u32::from(*c).to_le_bytes());
    bytes.fold(0x811c_9dc5, mix)
}

/// A list is its piece, its length in bytes, and the steps from one holder to the next.
fn write_list(value: &mut Vec<u8>, list: &[(u32, u16)]) {
    let mut steps = Vec::with_capacity(list.len());
    let mut before = 0;
    for (_, at) in list {
        write_number(&mut steps, u64::from(at - before));
        before = *at;
    }
    value.extend(list[0].0.to_le_bytes());
    write_number(value, steps.len() as u64);
    value.extend(steps);
}

fn read_list(mut value: &[u8], wanted: u32) -> Vec<u16> {
    while let Some((piece, rest)) = value.split_first_chunk() {
        value = rest;
        let length = read_number(&mut value) as usize;
        let Some((mut steps, rest)) = value.split_at_checked(length) else {
            return Vec::new();
        };
        value = rest;
        if u32::from_le_bytes(*piece) == wanted {
            let mut list = Vec::with_capacity(length);
            let mut at = 0u16;
            while !steps.is_empty() {
                at = at.wrapping_add(read_number(&mut steps) as u16);
                list.push(at);
            }
            return list;
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::item_ids::BLOCK;

    fn found(names: &[&str], words: &[&str]) -> Vec<u16> {
        let names = (0..).step_by(300).zip(names.iter().copied());
        let values = (0..).zip(lists(names)).collect();
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        who_has(&sought(&words), &values)
    }

    #[test]
    fn a_name_is_found_by_any_part_of_it_from_one_character_up() {
        let names = ["anna smith", "王小明", "bob", "", "annabelle"];
        assert_eq!(found(&names, &["a"]), [0, 1_200]);
        assert_eq!(found(&names, &["王"]), [300]);
        assert_eq!(found(&names, &["小明"]), [300]);
        assert_eq!(found(&names, &["ob"]), [600]);
        assert_eq!(found(&names, &["anna"]), [0, 1_200]);
        assert_eq!(found(&names, &["mit", "nn"]), [0]);
        assert_eq!(found(&names, &["annabelle"]), [1_200]);
        assert_eq!(found(&names, &["x"]), [0u16; 0]);
    }

    #[test]
    fn everybody_of_a_full_block_is_found_again() {
        let names: Vec<(u16, String)> = (0..BLOCK as u16)
            .map(|n| (n, format!("name {n:05}")))
            .collect();
        let borrowed = names.iter().map(|(n, name)| (*n, name.as_str()));
        let values: BTreeMap<u32, Vec<u8>> = (0..).zip(lists(borrowed)).collect();
        let all: Vec<u16> = (0..BLOCK as u16).collect();
        assert_eq!(who_has(&sought(&["name".into()]), &values), all);
        assert!(who_has(&sought(&["04095".into()]), &values).contains(&4_095));
    }

    #[test]
    fn a_damaged_value_is_no_reason_to_fall_over() {
        for value in [&b"\x01"[..], &[0xff; 9], &[0, 0, 0, 0, 200]] {
            let values = (0..BUCKETS)
                .map(|bucket| (bucket, value.to_vec()))
                .collect();
            who_has(&sought(&["anna".into()]), &values);
        }
    }
}
