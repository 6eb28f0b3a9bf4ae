//! Seals what must not lie about in the clear: tokens, pending approvals, the cookie's key.
//!
//! XChaCha20-Poly1305, because its 24-byte nonces may be drawn at random for as long as a key lives.

mod keys;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::Rng;
use zeroize::Zeroizing;

pub use keys::{BadKeys, Key, KeyFileError, KeyId, KeyRing, open_key_file};

/// The layout of a sealed value; the first byte of each, so that another layout can follow.
const LAYOUT: u8 = 1;
const NONCE: usize = 24;
/// The part of a sealed value that names its key.
pub const KEY_HEAD: usize = 1 + KeyId::LENGTH;
const HEAD: usize = KEY_HEAD + NONCE;

/// What a sealed value belongs to. A value moved to another row does not open there.
pub struct Owner(String);

impl Owner {
    pub fn new(kind: &'static str, id: impl std::fmt::Display) -> Self {
        Self(format!("{kind}:{id}"))
    }
}

/// Why a sealed value could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("sealed with key {0}, which is not in the key ring")]
    KeyMissing(KeyId),
    #[error("the sealed value is damaged or belongs elsewhere")]
    Damaged,
}

/// Seals with the newest key and opens with any key of the ring.
#[derive(Clone)]
pub struct Vault {
    ring: KeyRing,
}

impl Vault {
    pub fn new(ring: KeyRing) -> Self {
        Self { ring }
    }

    /// The sealed form: layout, key id, nonce, ciphertext.
    pub fn seal(&self, owner: &Owner, plain: &[u8]) -> Vec<u8> {
        let key = self.ring.newest();
        let mut nonce = [0u8; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload {
            msg: plain,
            aad: owner.0.as_bytes(),
        };
        let sealed = cipher(key)
            .encrypt(&XNonce::from(nonce), payload)
            .expect("encryption fails only beyond 256 GiB");
        let mut out = Vec::with_capacity(HEAD + sealed.len());
        out.push(LAYOUT);
        out.extend_from_slice(key.id().as_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    pub fn open(&self, owner: &Owner, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let id = key_of(sealed).ok_or(OpenError::Damaged)?;
        let key = self.ring.find(id).ok_or(OpenError::KeyMissing(id))?;
        let (head, ciphertext) = sealed.split_at_checked(HEAD).ok_or(OpenError::Damaged)?;
        let nonce: [u8; NONCE] = head[HEAD - NONCE..]
            .try_into()
            .expect("the head ends with the nonce");
        let payload = Payload {
            msg: ciphertext,
            aad: owner.0.as_bytes(),
        };
        cipher(key)
            .decrypt(&XNonce::from(nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| OpenError::Damaged)
    }
}

/// What came of sealing a value anew.
#[derive(Debug)]
pub enum Resealed {
    /// It is under the newest key already.
    Fresh,
    Anew(Vec<u8>),
}

impl Vault {
    /// The same value under the newest key.
    pub fn reseal(&self, owner: &Owner, sealed: &[u8]) -> Result<Resealed, OpenError> {
        if key_of(sealed) == Some(self.ring.newest().id()) {
            return Ok(Resealed::Fresh);
        }
        let plain = self.open(owner, sealed)?;
        Ok(Resealed::Anew(self.seal(owner, &plain)))
    }

    /// The keys that are named by these heads of sealed values and are not in the ring.
    pub fn lacking(&self, heads: &[Vec<u8>]) -> Vec<KeyId> {
        let named = heads.iter().filter_map(|head| key_of(head));
        named.filter(|id| self.ring.find(*id).is_none()).collect()
    }

    /// The id of the key that seals.
    pub fn newest(&self) -> KeyId {
        self.ring.newest().id()
    }

    /// The ids of all keys, newest first, with a blank between them.
    pub fn key_ids(&self) -> String {
        let ids: Vec<String> = self.ring.ids().map(|id| id.to_string()).collect();
        ids.join(" ")
    }
}

/// The key a value was sealed with, by its head, where it is a sealed value at all.
pub fn key_of(sealed: &[u8]) -> Option<KeyId> {
    if sealed.len() < KEY_HEAD || sealed[0] != LAYOUT {
        return None;
    }
    let id: [u8; KeyId::LENGTH] = sealed[1..KEY_HEAD].try_into().ok()?;
    Some(KeyId::from(id))
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.bytes().into())
}

/// Random bytes from the operating system's generator, for anything that must not be guessed.
pub fn random<const N: usize>() -> Zeroizing<[u8; N]> {
    let mut bytes = Zeroizing::new([0u8; N]);
    rand::rng().fill_bytes(bytes.as_mut());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(keys: &[&Key]) -> Vault {
        Vault::new(KeyRing::new(keys.iter().map(|&k| k.clone()).collect()).unwrap())
    }

    #[test]
    fn what_is_sealed_opens_only_for_its_owner() {
        let vault = vault(&[&Key::random()]);
        let sealed = vault.seal(&Owner::new("grant", 1), b"na1-secret");
        assert_eq!(
            vault
                .open(&Owner::new("grant", 1), &sealed)
                .unwrap()
                .as_slice(),
            b"na1-secret"
        );
        assert!(matches!(
            vault.open(&Owner::new("grant", 2), &sealed),
            Err(OpenError::Damaged)
        ));
    }

    #[test]
    fn a_sealed_value_does_not_show_what_is_in_it_and_is_never_the_same_twice() {
        let vault = vault(&[&Key::random()]);
        let one = vault.seal(&Owner::new("grant", 1), b"na1-secret");
        let two = vault.seal(&Owner::new("grant", 1), b"na1-secret");
        assert_ne!(one, two);
        assert!(!one.windows(10).any(|w| w == b"na1-secret"));
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let vault = vault(&[&Key::random()]);
        let owner = Owner::new("grant", 1);
        let sealed = vault.seal(&owner, b"x");
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(vault.open(&owner, &changed).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(vault.open(&owner, &sealed[..length]).is_err());
        }
    }

    #[test]
    fn an_older_key_of_the_ring_still_opens_and_a_missing_one_is_named() {
        let (old, new) = (Key::random(), Key::random());
        let owner = Owner::new("grant", 1);
        let sealed = vault(&[&old]).seal(&owner, b"x");
        assert!(vault(&[&new, &old]).open(&owner, &sealed).is_ok());
        match vault(&[&new]).open(&owner, &sealed) {
            Err(OpenError::KeyMissing(id)) => assert_eq!(id, old.id()),
            _ => panic!("a missing key must be named"),
        }
    }
}
