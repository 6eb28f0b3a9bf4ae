//! The sandbox, the program and the bare loop, each in a process of its own, and what each has used.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;

pub const CLIENT_ID: &str = "bench-client";
pub const CLIENT_SECRET: &str = "bench-secret";
/// More calls in a window than can be made: no limit.
const UNLIMITED: u32 = 1_000_000;
/// The unit of the times in `/proc`, the same on every Linux.
const TICKS_A_SECOND: f64 = 100.0;

/// A process that ends with this.
pub struct Process {
    child: Child,
    /// What it said first.
    pub said: String,
    /// What else it says is not read, but must go somewhere.
    _stdout: BufReader<ChildStdout>,
}

impl Process {
    /// Starts it and waits for its first line.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the process starts");
        let mut said = String::new();
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
        lines.read_line(&mut said).expect("its first line");
        Self {
            child,
            said: said.trim().to_owned(),
            _stdout: lines,
        }
    }

    fn proc(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.child.id());
        std::fs::read_to_string(path).expect("a process that runs")
    }

    /// Seconds of work so far, in the program and in the kernel for it.
    pub fn cpu(&self) -> f64 {
        let stat = self.proc("stat");
        let (_, numbers) = stat.rsplit_once(')').expect("the name in brackets");
        let ticks = numbers.split_whitespace().skip(11).take(2);
        ticks
            .map(|ticks| ticks.parse::<f64>().expect("a number"))
            .sum::<f64>()
            / TICKS_A_SECOND
    }

    /// The most memory that it ever held, in MiB.
    pub fn peak(&self) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kib.expect("the peak") / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A provider and a program that knows it.
pub struct Pair {
    _sandbox: Process,
    pub sandbox_url: String,
    pub redirect: String,
    port: u16,
}

impl Pair {
    /// A sandbox with so many contacts, and where a program will be that it knows.
    pub fn new(contacts: u32, rate: Option<u32>) -> Self {
        // Let go at once: the program takes it when it starts.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
        let port = free.expect("a free port").port();
        let redirect = format!("http://localhost:{port}/integrations/hubspot/oauth2callback");
        let sandbox = Process::start(
            program(["sandbox", "--listen", "127.0.0.1:0"])
                .args(["--client-id", CLIENT_ID, "--client-secret", CLIENT_SECRET])
                .args(["--redirect-uri", &redirect])
                .args(["--contacts", &contacts.to_string()])
                .args(["--rate", &rate.unwrap_or(UNLIMITED).to_string()]),
        );
        let url = sandbox.said.strip_prefix("Sandbox: ").expect("its address");
        Self {
            sandbox_url: url.to_owned(),
            _sandbox: sandbox,
            redirect,
            port,
        }
    }

    /// The program on a new database, with `settings` beside those that it needs.
    pub fn serve(&self, settings: &[(&str, &str)]) -> Served {
        let folder = tempfile::tempdir().expect("a folder");
        let database = std::env::var("BENCH_DATABASE_URL").unwrap_or_else(|_| sqlite(&folder));
        let log = folder.path().join("log");
        let process = Process::start(
            program(["serve"])
                .env("LISTEN", format!("127.0.0.1:{}", self.port))
                .env("DATABASE_URL", database)
                .env("TRIBUTARY_KEYS", KEY)
                .env("HUBSPOT_CLIENT_ID", CLIENT_ID)
                .env("HUBSPOT_CLIENT_SECRET", CLIENT_SECRET)
                .env("HUBSPOT_AUTH_URL", &self.sandbox_url)
                .env("HUBSPOT_API_URL", &self.sandbox_url)
                .env("IMPORT_EVERY", "off")
                .env("CONNECT_RATE", "off")
                .envs(settings.iter().copied())
                .stderr(File::create(&log).expect("a file")),
        );
        let url = process
            .said
            .strip_prefix("Tributary: ")
            .expect("its address");
        Served {
            url: url.to_owned(),
            process,
            folder,
        }
    }
}

/// Seals nothing that outlives the bench.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// The program, running.
pub struct Served {
    pub url: String,
    pub process: Process,
    folder: TempDir,
}

impl Served {
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("its log")
    }
}

/// A database in this folder.
pub fn sqlite(folder: &TempDir) -> String {
    format!("sqlite:{}", folder.path().join("tributary.db").display())
}

/// The program as a host has it, and nothing of our surroundings.
fn program<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = alone(Path::new(env!("CARGO_BIN_EXE_tributary")));
    command.args(arguments);
    command
}

pub fn alone(executable: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(executable);
    command.env_clear().current_dir(std::env::temp_dir());
    command
}
