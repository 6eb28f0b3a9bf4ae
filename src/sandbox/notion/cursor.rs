use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Part of every seal; no secret, since what it guards is made up.
const KEY: &[u8] = b"tributary sandbox notion cursor 1";
const MAC: usize = 12;

/// How far a listing has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Of the last thing that was given.
    pub place: u64,
    /// How many were given so far.
    pub count: u32,
    /// How many answers there were, so that no cursor comes twice.
    pub answers: u32,
}

impl Cursor {
    /// The cursor as text that means something to the same listing alone.
    pub fn close(self, listing: &str) -> String {
        let words = format!("{} {} {}", self.place, self.count, self.answers);
        let mut sealed = mac(listing, words.as_bytes()).to_vec();
        sealed.extend_from_slice(words.as_bytes());
        URL_SAFE_NO_PAD.encode(sealed)
    }

    pub fn open(text: &str, listing: &str) -> Option<Cursor> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (seal, words) = sealed.split_at_checked(MAC)?;
        if mac(listing, words) != seal {
            return None;
        }
        let mut words = std::str::from_utf8(words).ok()?.split(' ');
        Some(Cursor {
            place: words.next()?.parse().ok()?,
            count: words.next()?.parse().ok()?,
            answers: words.next()?.parse().ok()?,
        })
    }
}

fn mac(listing: &str, words: &[u8]) -> [u8; MAC] {
    let digest = Sha256::new()
        .chain_update(KEY)
        .chain_update(Sha256::digest(listing))
        .chain_update(words)
        .finalize();
    let mut mac = [0; MAC];
    mac.copy_from_slice(&digest[..MAC]);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_belongs_to_one_listing() {
        let cursor = Cursor {
            place: u64::MAX,
            count: 100,
            answers: 1,
        };
        let text = cursor.close("search small {}");
        assert_eq!(Cursor::open(&text, "search small {}"), Some(cursor));
        assert_eq!(Cursor::open(&text, "search 10k {}"), None);
    }

    #[test]
    fn made_up_cursors_are_strangers() {
        for bad in [
            "",
            "null",
            "MTIz",
            "ü",
            "00000000-0000-4000-8000-000000000000",
        ] {
            assert_eq!(Cursor::open(bad, ""), None);
        }
    }
}
