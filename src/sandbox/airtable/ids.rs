//! Ids as Airtable writes them: three letters that say of what, and fourteen that say nothing.

use crate::sandbox::people::mix;

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE: u64 = LETTERS.len() as u64;

/// As many letters as a number of 64 bits takes.
const BODY: usize = 11;
/// The rest of the fourteen.
const HEAD: usize = 3;

/// An odd number has an inverse modulo 2^64; these two are each other's.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
const UNDO: u64 = inverse(ODD);

/// The id that belongs to a seed.
pub fn id(prefix: &str, seed: u64) -> String {
    let head = letters(mix(seed, 1), HEAD);
    format!("{prefix}{head}{}", letters(seed, BODY))
}

/// The id of the record at an index. It looks random, and leads back to the index: that is what
/// spares the sandbox a list of its records.
pub fn record_id(lineage: u64, index: u32) -> String {
    id("rec", scramble(u64::from(index) ^ lineage))
}

/// The index behind a record's id, whether or not a table goes that far.
pub fn index_of(lineage: u64, id: &str) -> Option<u32> {
    let body = id.strip_prefix("rec")?.get(HEAD..)?;
    let index = u32::try_from(unscramble(number(body)?) ^ lineage).ok()?;
    (record_id(lineage, index) == id).then_some(index)
}

/// Whether a text could be an id at all.
pub fn is_id(prefix: &str, text: &str) -> bool {
    let rest = text.strip_prefix(prefix).unwrap_or_default();
    rest.len() == HEAD + BODY && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn letters(mut number: u64, count: usize) -> String {
    let mut text = vec![b'0'; count];
    for letter in text.iter_mut().rev() {
        *letter = LETTERS[(number % BASE) as usize];
        number /= BASE;
    }
    text.into_iter().map(char::from).collect()
}

fn number(text: &str) -> Option<u64> {
    text.bytes().try_fold(0_u64, |sum, letter| {
        let digit = LETTERS.iter().position(|known| *known == letter)?;
        sum.checked_mul(BASE)?.checked_add(digit as u64)
    })
}

fn scramble(number: u64) -> u64 {
    let once = number.wrapping_mul(ODD);
    (once ^ (once >> 32)).wrapping_mul(ODD)
}

fn unscramble(number: u64) -> u64 {
    let once = number.wrapping_mul(UNDO);
    (once ^ (once >> 32)).wrapping_mul(UNDO)
}

/// Newton's method: each step doubles the number of right bits.
const fn inverse(odd: u64) -> u64 {
    let (mut guess, mut step) = (odd, 0);
    while step < 6 {
        guess = guess.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(guess)));
        step += 1;
    }
    guess
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_record_id_leads_back_to_its_index_in_its_own_lineage_alone() {
        for index in [0, 1, 2, 10_249, u32::MAX] {
            let id = record_id(77, index);
            assert_eq!(index_of(77, &id), Some(index));
            assert_eq!(index_of(78 << 40, &id), None);
        }
    }

    #[test]
    fn ids_have_seventeen_letters_and_digits_and_differ() {
        let ids: HashSet<String> = (0..5_000).map(|index| record_id(9, index)).collect();
        assert_eq!(ids.len(), 5_000);
        assert!(ids.iter().all(|id| is_id("rec", id)));
    }

    #[test]
    fn what_was_not_given_out_leads_nowhere() {
        let id = record_id(9, 4);
        let changed = format!("{}{}", &id[..16], if id.ends_with('0') { '1' } else { '0' });
        for text in ["", "rec", "recé", "recZZZZZZZZZZZZZZ", &changed, &id[..16]] {
            assert_eq!(index_of(9, text), None);
        }
        assert!(!is_id("rec", "rec1"));
        assert!(!is_id("rec", "app00000000000000"));
    }
}
