//! The program itself, as a host runs it: its own folder, and nothing of our environment.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::app::until;

/// Longer than the program may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a host would have put the program, with what it finds there.
pub struct Host {
    folder: TempDir,
    settings: Vec<(String, OsString)>,
}

impl Host {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["work", "tmp"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        Self {
            folder,
            settings: Vec::new(),
        }
    }

    /// A host whose program listens on any free port.
    pub fn on_a_free_port() -> Self {
        Self::new().with("LISTEN", "127.0.0.1:0")
    }

    /// Sets a variable; the last word on it counts.
    pub fn with(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.settings.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// The program's working directory.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// The names of all files in the working directory, sorted.
    pub fn files(&self) -> Vec<String> {
        names_in(&self.work())
    }

    /// The names of all that was left in the folder for temporary files.
    pub fn temporary(&self) -> Vec<String> {
        names_in(&self.folder.path().join("tmp"))
    }

    pub fn start(&self, arguments: &[&str]) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tributary"))
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TMPDIR", self.folder.path().join("tmp"))
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .current_dir(self.work())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("a pipe");
        let mut stderr = child.stderr.take().expect("a pipe");
        let (sender, lines) = unbounded_channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        Program {
            child,
            lines,
            stderr: Some(stderr),
        }
    }

    /// Runs the program to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).ended().await
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

/// A program that was started, and is killed if nobody ends it.
pub struct Program {
    child: Child,
    lines: UnboundedReceiver<String>,
    stderr: Option<JoinHandle<String>>,
}

/// What a program left.
pub struct Ended {
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    /// Lines of standard output that nobody has read before.
    pub stdout: Vec<String>,
    pub stderr: String,
}

impl Program {
    /// The next line on standard output.
    pub async fn line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.lines.recv()).await;
        if let Ok(Some(line)) = line {
            return line;
        }
        let _ = self.child.kill();
        let stderr = self.stderr.take().map(JoinHandle::join);
        panic!("no line came; standard error says: {stderr:?}");
    }

    /// The rest of the next line, which must begin with `start`.
    pub async fn line_after(&mut self, start: &str) -> String {
        let line = self.line().await;
        let rest = line.strip_prefix(start);
        rest.unwrap_or_else(|| panic!("{line:?} does not begin with {start:?}"))
            .to_owned()
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> Ended {
        let mut code = None;
        until("the program has ended", async || {
            let status = self.child.try_wait().expect("its state");
            code = status.map(|status| status.code());
            code.is_some()
        })
        .await;
        let mut stdout = Vec::new();
        while let Some(line) = self.lines.recv().await {
            stdout.push(line);
        }
        let stderr = self.stderr.take().expect("read once");
        Ended {
            code: code.flatten(),
            stdout,
            stderr: stderr.join().expect("standard error"),
        }
    }

    /// Asks it to stop, as a service manager does, and waits until it has.
    pub async fn stopped(self) -> Ended {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.expect("kill runs").success());
        self.ended().await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
