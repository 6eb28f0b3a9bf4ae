use crate::sandbox::accounts::Account;
use crate::sandbox::people::mix;

const KIND_BITS: u32 = 4;
const ACCOUNT_BITS: u32 = 3;
const SLOT_BITS: u32 = 16;
const NUMBER_BITS: u32 = 32;

/// All bits of an id's second half but the two that mark a UUID's variant.
const BITS: u32 = 62;
const MASK: u64 = (1 << BITS) - 1;
const VARIANT: u64 = 1 << 63;
/// Odd, so that multiplying by it can be undone.
const STIR: u64 = 0x1e37_79b9_7f4a_7c15;
const VERSION: u64 = 0x4000;

/// Everything that has an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    Page(u32),
    Source(u32),
    Database(u32),
    /// A block of a page that is neither a page nor a database itself.
    Block {
        page: u32,
        slot: u16,
    },
    Trashed(u32),
    /// Something that exists but was not shared.
    Hidden(u32),
    Person,
    Bot,
    Workspace,
    Agent,
}

/// The id of a thing, as Notion writes it. Nothing is kept: the thing can be read back from it.
pub fn id(account: Account, thing: Thing) -> String {
    let low = VARIANT | stir(pack(account, thing));
    let bits = format!("{:016x}{low:016x}", check(low));
    format!(
        "{}-{}-{}-{}-{}",
        &bits[..8],
        &bits[8..12],
        &bits[12..16],
        &bits[16..20],
        &bits[20..]
    )
}

/// Whether a text is a UUID at all, with dashes or without.
pub fn is_uuid(text: &str) -> bool {
    bits(text).is_some()
}

/// The thing of an account that has this id.
pub fn find(account: Account, text: &str) -> Option<Thing> {
    let (high, low) = bits(text)?;
    if high != check(low) {
        return None;
    }
    let (owner, thing) = unpack(unstir(low & MASK))?;
    (owner == account).then_some(thing)
}

fn bits(text: &str) -> Option<(u64, u64)> {
    let dashes = [8, 13, 18, 23];
    let dashed = text.len() == 36 && dashes.iter().all(|at| text.as_bytes()[*at] == b'-');
    let hex = match text.len() {
        32 => text.to_owned(),
        36 if dashed => text.replace('-', ""),
        _ => return None,
    };
    if hex.len() != 32 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let half = |part: &str| u64::from_str_radix(part, 16).ok();
    Some((half(&hex[..16])?, half(&hex[16..])?))
}

fn pack(account: Account, thing: Thing) -> u64 {
    let (kind, number, slot) = match thing {
        Thing::Page(number) => (0, number, 0),
        Thing::Source(number) => (1, number, 0),
        Thing::Database(number) => (2, number, 0),
        Thing::Block { page, slot } => (3, page, slot),
        Thing::Trashed(number) => (4, number, 0),
        Thing::Hidden(number) => (5, number, 0),
        Thing::Person => (6, 0, 0),
        Thing::Bot => (7, 0, 0),
        Thing::Workspace => (8, 0, 0),
        Thing::Agent => (9, 0, 0),
    };
    let parts = [
        (kind, KIND_BITS),
        (position(account), ACCOUNT_BITS),
        (u64::from(slot), SLOT_BITS),
        (u64::from(number), NUMBER_BITS),
    ];
    parts
        .iter()
        .fold(0, |packed, (part, width)| packed << width | part)
}

fn unpack(mut packed: u64) -> Option<(Account, Thing)> {
    let mut take = |width: u32| {
        let part = packed & ((1 << width) - 1);
        packed >>= width;
        part
    };
    let number = u32::try_from(take(NUMBER_BITS)).ok()?;
    let slot = u16::try_from(take(SLOT_BITS)).ok()?;
    let account = *Account::ALL.get(usize::try_from(take(ACCOUNT_BITS)).ok()?)?;
    let thing = match take(KIND_BITS) {
        0 => Thing::Page(number),
        1 => Thing::Source(number),
        2 => Thing::Database(number),
        3 => Thing::Block { page: number, slot },
        4 => Thing::Trashed(number),
        5 => Thing::Hidden(number),
        6 => Thing::Person,
        7 => Thing::Bot,
        8 => Thing::Workspace,
        9 => Thing::Agent,
        _ => return None,
    };
    Some((account, thing))
}

fn position(account: Account) -> u64 {
    let at = Account::ALL.iter().position(|other| *other == account);
    at.unwrap_or_default() as u64
}

/// Makes neighbours look like strangers; each step can be undone.
fn stir(bits: u64) -> u64 {
    half_over(bits.wrapping_mul(STIR) & MASK).wrapping_mul(STIR) & MASK
}

fn unstir(bits: u64) -> u64 {
    let back = inverse(STIR);
    half_over(bits.wrapping_mul(back) & MASK).wrapping_mul(back) & MASK
}

/// Its own opposite.
fn half_over(bits: u64) -> u64 {
    bits ^ (bits >> (BITS / 2))
}

/// What undoes multiplying by an odd number, by Newton's method: each round doubles the bits that
/// are right.
fn inverse(odd: u64) -> u64 {
    (0..6).fold(odd, |guess, _| {
        guess.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(guess)))
    })
}

/// The first half of an id is a seal on the second, so that made-up ids are strangers.
fn check(low: u64) -> u64 {
    mix(low, 0x1d) & !0xf000 | VERSION
}

#[cfg(test)]
mod tests {
    use super::*;

    const THINGS: [Thing; 6] = [
        Thing::Page(0),
        Thing::Page(u32::MAX),
        Thing::Source(7),
        Thing::Block {
            page: 99_999,
            slot: u16::MAX,
        },
        Thing::Hidden(1),
        Thing::Bot,
    ];

    #[test]
    fn an_id_leads_back_to_its_thing_with_dashes_and_without() {
        for account in Account::ALL {
            for thing in THINGS {
                let id = id(account, thing);
                assert_eq!(find(account, &id), Some(thing));
                assert_eq!(find(account, &id.replace('-', "")), Some(thing));
                assert_eq!(find(account, &id.to_uppercase()), Some(thing));
            }
        }
    }

    #[test]
    fn ids_look_like_random_uuids() {
        let id = id(Account::Small, Thing::Page(1));
        assert!(is_uuid(&id));
        assert_eq!(&id[14..15], "4");
        assert!("89ab".contains(&id[19..20]));
    }

    #[test]
    fn the_ids_of_another_account_and_made_up_ones_are_strangers() {
        let id = id(Account::Small, Thing::Page(1));
        assert_eq!(find(Account::Faults, &id), None);
        assert_eq!(
            find(Account::Small, "00000000-0000-4000-8000-000000000000"),
            None
        );
    }

    #[test]
    fn what_is_not_a_uuid_is_told_apart() {
        for bad in ["", "12345", "deadbeef-deadbeefdeadbeefdeadbeefdead", "ü"] {
            assert!(!is_uuid(bad));
        }
    }
}
