//! Where settings are read from: the environment, and a `.env` file below it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;

use super::Problem;

/// What the environment, or a file, says.
pub struct Variables(HashMap<String, String>);

impl Variables {
    /// The environment, and below it a `.env` file where one stands.
    pub fn from_environment() -> Result<Self, Vec<Problem>> {
        let mut all = match std::fs::read_to_string(".env") {
            Ok(text) => read_env_file(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => HashMap::new(),
            Err(error) => {
                return Err(vec![Problem::new(
                    ".env",
                    format!("cannot be read ({error})"),
                )]);
            }
        };
        // Not `vars()`, which panics at the first variable that is not Unicode, be it ours or not.
        let lossy = |text: OsString| text.to_string_lossy().into_owned();
        all.extend(std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))));
        Ok(Self(all))
    }

    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    /// Only those named.
    pub fn only(mut self, names: &[&str]) -> Self {
        self.0.retain(|name, _| names.contains(&name.as_str()));
        self
    }

    /// The value, if it is there and not blank.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }
}

/// Reads `NAME=value` lines. A line that cannot be read is told by its number, for it may hold a
/// secret; so is one with a `$`, which would be replaced by something else without a word.
fn read_env_file(text: &str) -> Result<HashMap<String, String>, Vec<Problem>> {
    let (mut all, mut problems) = (HashMap::new(), Vec::new());
    let mut wrong = |at: usize, what: &str| {
        problems.push(Problem::new(".env", format!("line {} {what}", at + 1)));
    };
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if line
            .split('\'')
            .step_by(2)
            .any(|outside| outside.contains('$') && !line.trim().starts_with('#'))
        {
            wrong(at, "holds a $; put the value in single quotes");
            continue;
        }
        for read in dotenvy::from_read_iter(line.as_bytes()) {
            match read {
                Ok((name, value)) => drop(all.insert(name, value)),
                Err(_) => wrong(at, "is not NAME=value; a value with blanks wants quotes"),
            }
        }
    }
    if problems.is_empty() {
        Ok(all)
    } else {
        Err(problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_env_file_gives_each_value_as_it_stands_or_says_which_line_does_not() {
        let read =
            read_env_file("\u{feff}# a comment with a $\n\nA=1\nexport B='two $x'\nC=\"a b\"\n");
        let read = read.unwrap();
        assert_eq!(
            (read["A"].as_str(), read["B"].as_str(), read["C"].as_str()),
            ("1", "two $x", "a b")
        );
        let problems = read_env_file("A=1\nB=se$cret\nC=two words\n").unwrap_err();
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(
            told[0].starts_with(".env: line 2") && told[1].starts_with(".env: line 3"),
            "{told:?}"
        );
        assert!(!told.concat().contains("cret"));
    }
}
