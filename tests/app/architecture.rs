//! The order of the parts, as `src/lib.rs` and the architecture page tell it, read from the source.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each part may know those in the rows below its own. Two in one row know nothing of each other.
const ORDER: [&[&str]; 12] = [
    &["main"],
    &["cli"],
    &["rotation", "server"],
    &["settings"],
    &["web"],
    &["oauth", "import", "export"],
    &["providers"],
    &["client"],
    &["grants"],
    &["ephemeral"],
    &["vault", "store"],
    &["item"],
];

/// Apart from the order: it plays the outside world, so it must not share our understanding of it.
const SANDBOX: &str = "sandbox";

/// A source file without its comments and its tests.
struct Source {
    path: PathBuf,
    code: String,
}

impl Source {
    /// The part it belongs to: `web` for `src/web/items.rs`, `grants` for `src/grants.rs`.
    fn part(&self) -> &str {
        let first = self.path.iter().next().expect("a name");
        let first = first.to_str().expect("UTF-8");
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The parts that it names by a path from the crate's root.
    fn knows(&self) -> BTreeSet<&str> {
        let mut known = BTreeSet::new();
        let mut roots = vec!["crate::".to_owned(), "super::".repeat(self.depth())];
        if self.part() == "main" {
            roots.push("tributary::".into());
        }
        for root in roots {
            for (at, _) in self.code.match_indices(&root) {
                let before = self.code[..at].chars().next_back();
                if !before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                    known.extend(heads(&self.code[at + root.len()..]));
                }
            }
        }
        known
    }

    /// How many times `super` leads from here to the crate's root.
    fn depth(&self) -> usize {
        let names = self.path.iter().count();
        names - usize::from(self.path.ends_with("mod.rs"))
    }
}

/// The first names of the paths at the start of `text`: one, or those of a group in braces.
fn heads(text: &str) -> Vec<&str> {
    let Some(group) = text.strip_prefix('{') else {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
        return vec![&text[..end.unwrap_or(text.len())]];
    };
    let mut depth = 0;
    let mut start = 0;
    let mut found = Vec::new();
    for (at, c) in group.char_indices() {
        match c {
            ',' | '}' if depth == 0 => {
                found.extend(heads(group[start..at].trim()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    found.retain(|head| !head.is_empty());
    found
}

/// Leaves out comments, and everything from the tests at the end of the file on.
fn without_comments_and_tests(text: &str) -> String {
    let tests = text.match_indices("#[cfg(test)]").find(|(at, _)| {
        let declared = text[*at..].lines().nth(1).unwrap_or_default();
        declared.starts_with("mod ") && declared.ends_with('{')
    });
    let text = &text[..tests.map_or(text.len(), |(at, _)| at)];
    text.lines()
        .map(|line| {
            // `//` inside a string is an address, and stands behind a colon.
            let comment = line.match_indices("//");
            let comment = comment
                .map(|(at, _)| at)
                .find(|at| !line[..*at].ends_with(':'));
            format!("{}\n", &line[..comment.unwrap_or(line.len())])
        })
        .collect()
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of src") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                found.push(Source {
                    path: path.strip_prefix(&root).expect("below src").to_owned(),
                    code: without_comments_and_tests(&text),
                });
            }
        }
    }
    assert!(found.len() > 20, "the source was not found");
    found
}

fn row(part: &str) -> Option<usize> {
    ORDER.iter().position(|row| row.contains(&part))
}

#[test]
fn imports_point_down_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        let part = source.part();
        if part == "lib" || part == SANDBOX {
            continue;
        }
        let Some(own) = row(part) else {
            wrong.push(format!("{part} stands in no row of the order"));
            continue;
        };
        for known in source.knows() {
            let below = row(known).is_some_and(|row| row > own);
            // What is no part at all is something of the crate's root, or the compiler's business.
            if known != part && row(known).is_some() && !below {
                wrong.push(format!("{} knows {known}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_part_of_the_library_has_its_place_in_the_order() {
    let lib = sources().into_iter().find(|source| source.part() == "lib");
    let lib = lib.expect("src/lib.rs").code;
    let parts = lib.lines().filter_map(|line| line.strip_prefix("pub mod "));
    let parts: BTreeSet<&str> = parts.map(|part| part.trim_end_matches(';')).collect();
    let mut placed: BTreeSet<&str> = ORDER.iter().flat_map(|row| row.iter().copied()).collect();
    placed.remove("main");
    placed.insert(SANDBOX);
    assert_eq!(parts, placed);
}

#[test]
fn the_sandbox_knows_nothing_of_the_product_and_only_the_command_line_knows_it() {
    for source in sources() {
        let known = source.knows();
        let path = source.path.display();
        match source.part() {
            SANDBOX => assert!(
                known.iter().all(|known| *known == SANDBOX),
                "{path}: {known:?}"
            ),
            "cli" | "lib" => {}
            _ => assert!(!known.contains(SANDBOX), "{path} knows the sandbox"),
        }
    }
}

#[test]
fn a_provider_is_named_in_its_adapter_and_in_the_sandbox_only() {
    // Whoever adds a provider adds a file and lists it; a name elsewhere would be one more to find.
    let mut named = Vec::new();
    for source in sources() {
        if ["providers", SANDBOX].contains(&source.part()) {
            continue;
        }
        for (at, line) in source.code.lines().enumerate() {
            let lower = line.to_lowercase();
            for name in tributary::providers::NAMES {
                if lower.contains(name) {
                    named.push(format!(
                        "{}:{}: {}",
                        source.path.display(),
                        at + 1,
                        line.trim()
                    ));
                }
            }
        }
    }
    assert!(named.is_empty(), "{named:#?}");
}

#[test]
fn queries_are_written_where_the_data_is_kept() {
    for source in sources() {
        let keeps = ["store", "ephemeral"].contains(&source.part());
        // The ids of rows are SQL values by themselves.
        let id = source.path.ends_with("item/ids.rs");
        assert!(
            keeps || id || !source.code.contains("sqlx"),
            "{} knows the database's library",
            source.path.display()
        );
    }
}

#[test]
fn what_reads_the_source_sees_groups_and_skips_comments_and_tests() {
    let code = without_comments_and_tests(
        "use crate::{a::{B, c}, d};\nlet x = \"http://e\"; // crate::f\n#[cfg(test)]\nmod tests {\nuse crate::g;\n",
    );
    let source = Source {
        path: "web/items.rs".into(),
        code,
    };
    assert_eq!(source.knows().into_iter().collect::<Vec<_>>(), ["a", "d"]);
    assert!(source.code.contains("http://e"));
}
