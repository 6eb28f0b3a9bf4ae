//! Sealing keys, how they are written down, and the file they live in by default.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A sealing key: 32 random bytes, written as 43 characters of unpadded base64url.
#[derive(Clone)]
pub struct Key(Arc<Zeroizing<[u8; 32]>>);

/// Names a key without telling anything about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId([u8; KeyId::LENGTH]);

impl KeyId {
    pub(super) const LENGTH: usize = 4;

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<[u8; KeyId::LENGTH]> for KeyId {
    fn from(bytes: [u8; KeyId::LENGTH]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Key {
    pub fn random() -> Self {
        Self(Arc::new(super::random()))
    }

    /// As `TRIBUTARY_KEYS` takes it.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.bytes()))
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        let decoded = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.trim()).ok()?);
        if decoded.len() != bytes.len() {
            return None;
        }
        bytes.copy_from_slice(&decoded);
        Some(Self(Arc::new(bytes)))
    }

    pub fn id(&self) -> KeyId {
        let digest = Sha256::new_with_prefix(b"tributary key id")
            .chain_update(self.bytes())
            .finalize();
        KeyId(digest[..KeyId::LENGTH].try_into().expect("four bytes"))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Why a list of keys cannot be used. It never repeats what was given: that may be half a key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeys {
    #[error("holds no key; `tributary keys new` prints one")]
    Empty,
    #[error("entry {0} is not a key as `tributary keys new` prints it")]
    Unreadable(usize),
    #[error("entry {0} is the same key as an earlier one")]
    Repeated(usize),
}

/// All keys that may open, the newest first: that one seals.
#[derive(Clone)]
pub struct KeyRing(Vec<Key>);

impl KeyRing {
    pub fn new(keys: Vec<Key>) -> Result<Self, BadKeys> {
        for (at, key) in keys.iter().enumerate() {
            if keys[..at].iter().any(|earlier| earlier.id() == key.id()) {
                return Err(BadKeys::Repeated(at + 1));
            }
        }
        if keys.is_empty() {
            return Err(BadKeys::Empty);
        }
        Ok(Self(keys))
    }

    /// Reads keys separated by commas, newest first.
    pub fn parse(text: &str) -> Result<Self, BadKeys> {
        let entries = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let keys = entries
            .enumerate()
            .map(|(at, part)| Key::from_text(part).ok_or(BadKeys::Unreadable(at + 1)))
            .collect::<Result<_, _>>()?;
        Self::new(keys)
    }

    pub fn newest(&self) -> &Key {
        &self.0[0]
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.0.iter().map(Key::id)
    }

    pub fn find(&self, id: KeyId) -> Option<&Key> {
        self.0.iter().find(|key| key.id() == id)
    }
}

/// Why the key file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error(
        "the key file {0} is missing; without it nothing sealed in this database can be opened"
    )]
    Missing(PathBuf),
    #[error("the key file {0}: {1}")]
    Bad(PathBuf, BadKeys),
    #[error("the key file {0}: {1}")]
    Io(PathBuf, io::Error),
}

/// Opens the key file, or makes it where `may_create` says that nothing is sealed yet.
pub fn open_key_file(path: &Path, may_create: bool) -> Result<KeyRing, KeyFileError> {
    let failed = |error| KeyFileError::Io(path.to_owned(), error);
    match read(path) {
        Ok(text) => {
            warn_of_readers(path);
            KeyRing::parse(&text).map_err(|bad| KeyFileError::Bad(path.to_owned(), bad))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && may_create => {
            match create(path) {
                // Another process that starts at the same moment was first: its key counts.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    open_key_file(path, false)
                }
                other => other.map_err(failed),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(KeyFileError::Missing(path.to_owned()))
        }
        Err(error) => Err(failed(error)),
    }
}

/// A key that others on the machine can read protects nothing from them.
fn warn_of_readers(path: &Path) {
    #[cfg(unix)]
    if let Ok(about) = std::fs::metadata(path)
        && std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o077 != 0
    {
        tracing::warn!(file = %path.display(), "the key file can be read by others; chmod 600 mends that");
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(4096));
    File::open(path)?.read_to_string(&mut text)?;
    // One key a line is easier to edit by hand than commas.
    Ok(Zeroizing::new(text.lines().collect::<Vec<_>>().join(",")))
}

/// The file appears whole or not at all, readable by its owner only, and never over another.
fn create(path: &Path) -> io::Result<KeyRing> {
    let key = Key::random();
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut draft = tempfile::NamedTempFile::new_in(folder)?;
    draft.write_all(key.to_text().as_bytes())?;
    draft.write_all(b"\n")?;
    draft.as_file().sync_all()?;
    draft
        .persist_noclobber(path)
        .map_err(|failed| failed.error)?;
    File::open(folder)?.sync_all()?;
    Ok(KeyRing(vec![key]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_printed() {
        let key = Key::random();
        let ring = KeyRing::parse(&key.to_text()).unwrap();
        assert_eq!(ring.newest().id(), key.id());
        assert_eq!(key.to_text().len(), 43);
    }

    #[test]
    fn a_bad_list_is_refused_by_its_place_and_never_repeated() {
        let good = Key::random().to_text();
        assert_eq!(KeyRing::parse(" , ").err(), Some(BadKeys::Empty));
        let bad = KeyRing::parse(&format!("{},hunter2", *good)).err().unwrap();
        assert_eq!(bad, BadKeys::Unreadable(2));
        assert!(!bad.to_string().contains("hunter2"));
        let twice = KeyRing::parse(&format!("{},{}", *good, *good)).err();
        assert_eq!(twice, Some(BadKeys::Repeated(2)));
    }

    #[test]
    fn the_key_file_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tributary.keys");
        let first = open_key_file(&path, true).unwrap();
        let again = open_key_file(&path, true).unwrap();
        assert_eq!(first.newest().id(), again.newest().id());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_file_is_never_made_anew_beside_sealed_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tributary.keys");
        assert!(matches!(
            open_key_file(&path, false),
            Err(KeyFileError::Missing(_))
        ));
        assert!(!path.exists());
    }

    #[test]
    fn processes_that_start_together_agree_on_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tributary.keys");
        let ids: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| open_key_file(&path, true).unwrap().newest().id()))
                .collect();
            starts
                .into_iter()
                .map(|start| start.join().unwrap())
                .collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]));
    }
}
