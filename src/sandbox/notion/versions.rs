/// Every value of `Notion-Version` that Notion takes, oldest first.
const PUBLISHED: [&str; 7] = [
    "2021-05-11",
    "2021-05-13",
    "2021-08-16",
    "2022-02-22",
    "2022-06-28",
    "2025-09-03",
    "2026-03-11",
];

/// A published version; they are dates, so a later one is larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(&'static str);

impl Version {
    pub fn parse(text: &str) -> Option<Version> {
        let known = PUBLISHED.iter().find(|version| **version == text);
        known.map(|version| Version(version))
    }

    /// Whether databases are split into containers and the tables in them.
    pub fn knows_data_sources(self) -> bool {
        self.0 >= "2025-09-03"
    }

    /// Whether objects still say `archived` beside `in_trash`.
    pub fn says_archived(self) -> bool {
        self.0 < "2026-03-11"
    }

    /// The published values, as Notion lists them when it refuses one.
    pub fn list() -> String {
        PUBLISHED
            .map(|version| format!("`\"{version}\"`"))
            .join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_published_versions_exist() {
        assert!(Version::parse("2026-03-11").is_some());
        for unknown in ["", "2026-03-12", "latest"] {
            assert_eq!(Version::parse(unknown), None);
        }
    }

    #[test]
    fn versions_differ_in_what_they_know() {
        let traits = |text| {
            let version = Version::parse(text).unwrap();
            (version.knows_data_sources(), version.says_archived())
        };
        assert_eq!(traits("2022-06-28"), (false, true));
        assert_eq!(traits("2025-09-03"), (true, true));
        assert_eq!(traits("2026-03-11"), (true, false));
    }
}
