use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::accounts::Account;

/// Part of every seal; no secret, since what it guards is made up.
const KEY: &[u8] = b"tributary sandbox 1";
const MAC: usize = 16;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Access,
    Refresh,
}

/// What a token says about itself.
///
/// Nothing is kept about tokens, so that those given before a restart are still good after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Use,
    pub account: Account,
    pub scopes: Vec<String>,
    /// Microseconds since 1970, never the same twice in one sandbox.
    pub issued: i64,
    /// Microseconds since 1970.
    pub expires: Option<i64>,
}

/// Makes tokens that only the same provider and client can read back.
pub struct Seal {
    key: [u8; 32],
}

impl Seal {
    pub fn new(provider: &str, client_secret: &str) -> Seal {
        let key = Sha256::new()
            .chain_update(KEY)
            .chain_update(Sha256::digest(provider))
            .chain_update(Sha256::digest(client_secret))
            .finalize();
        Seal { key: key.into() }
    }

    /// The token as text of letters, digits, `-` and `_`; `padding` makes it longer.
    pub fn close(&self, token: &Token, padding: &str) -> String {
        let words = format!("{}|{padding}", token.words());
        let mut sealed = self.mac(words.as_bytes()).to_vec();
        sealed.extend_from_slice(words.as_bytes());
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// The token in a text, unless somebody else made it.
    pub fn open(&self, text: &str) -> Option<Token> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (mac, words) = sealed.split_at_checked(MAC)?;
        let genuine: bool = self.mac(words).ct_eq(mac).into();
        if !genuine {
            return None;
        }
        Token::from_words(std::str::from_utf8(words).ok()?)
    }

    fn mac(&self, words: &[u8]) -> [u8; MAC] {
        let digest = Sha256::new()
            .chain_update(self.key)
            .chain_update(words)
            .finalize();
        let mut mac = [0; MAC];
        mac.copy_from_slice(&digest[..MAC]);
        mac
    }
}

impl Token {
    fn words(&self) -> String {
        let kind = match self.kind {
            Use::Access => "access",
            Use::Refresh => "refresh",
        };
        let expires = self.expires.map(|at| at.to_string()).unwrap_or_default();
        let scopes = self.scopes.join(" ");
        let account = self.account.slug();
        format!("{kind}|{account}|{}|{expires}|{scopes}", self.issued)
    }

    fn from_words(words: &str) -> Option<Token> {
        let mut parts = words.split('|');
        let kind = match parts.next()? {
            "access" => Use::Access,
            "refresh" => Use::Refresh,
            _ => return None,
        };
        Some(Token {
            kind,
            account: Account::from_slug(parts.next()?)?,
            issued: parts.next()?.parse().ok()?,
            expires: match parts.next()? {
                "" => None,
                at => Some(at.parse().ok()?),
            },
            scopes: parts.next()?.split(' ').map(str::to_owned).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token {
            kind: Use::Access,
            account: Account::Small,
            scopes: vec!["oauth".to_owned(), "read".to_owned()],
            issued: 7,
            expires: Some(9),
        }
    }

    #[test]
    fn a_token_says_what_was_sealed_into_it() {
        let seal = Seal::new("hubspot", "secret");
        assert_eq!(seal.open(&seal.close(&token(), "xyz")), Some(token()));
    }

    #[test]
    fn a_token_outlives_the_sandbox_that_made_it() {
        let before = Seal::new("hubspot", "secret").close(&token(), "");
        assert!(Seal::new("hubspot", "secret").open(&before).is_some());
    }

    #[test]
    fn a_token_of_another_provider_or_client_is_unknown() {
        let text = Seal::new("hubspot", "secret").close(&token(), "");
        assert_eq!(Seal::new("notion", "secret").open(&text), None);
        assert_eq!(Seal::new("hubspot", "other").open(&text), None);
    }

    #[test]
    fn a_token_with_a_changed_letter_is_unknown() {
        let seal = Seal::new("hubspot", "secret");
        let text = seal.close(&token(), "");
        let last = if text.ends_with('A') { "B" } else { "A" };
        for broken in [format!("{last}{}", &text[1..]), String::new(), "é".into()] {
            assert_eq!(seal.open(&broken), None);
        }
    }
}
