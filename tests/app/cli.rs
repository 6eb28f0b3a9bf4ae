//! The command line, as a host meets it: the real program in a folder of its own.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use reqwest::StatusCode;
use tributary::sandbox::Sandbox;
use tributary::vault::{Key, KeyRing};

use crate::support::app::{CLIENT_ID, CLIENT_SECRET, sandbox_for};
use crate::support::program::Host;
use crate::support::services::postgres_database;
use crate::support::visitor::Visitor;

/// The exit code for settings that cannot be used.
const UNUSABLE: Option<i32> = Some(2);

/// A host with credentials for HubSpot at this address.
fn with_hubspot(url: &str) -> Host {
    Host::on_a_free_port()
        .with("HUBSPOT_CLIENT_ID", CLIENT_ID)
        .with("HUBSPOT_CLIENT_SECRET", CLIENT_SECRET)
        .with("HUBSPOT_AUTH_URL", url)
        .with("HUBSPOT_API_URL", url)
}

fn sandbox() -> Sandbox {
    sandbox_for(&[], |_| {})
}

/// An address of this machine that refuses every connection for as long as the socket lives: its port
/// is taken, and nobody listens.
fn refusing() -> (tokio::net::TcpSocket, String) {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    let any = "127.0.0.1:0".parse().expect("an address");
    socket.bind(any).expect("a free port");
    let address = socket.local_addr().expect("an address");
    (socket, format!("http://{address}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn all_wrong_settings_are_said_at_once_and_nothing_is_opened() {
    let host = Host::new()
        .with("LISTEN", "nowhere")
        .with("PUBLIC_URL", "example.com")
        .with("REDIS_URL", "http://x")
        .with("TRIBUTARY_KEYS", "hunter2")
        .with("HUBSPOT_CLIENT_ID", "without a secret")
        .with("LOG_FORMAT", "xml");
    for command in [&[][..], &["serve"], &["check"]] {
        let ended = host.run(command).await;
        assert_eq!(ended.code, UNUSABLE, "{command:?}");
        let named: Vec<&str> = ended
            .stderr
            .lines()
            .filter_map(|line| line.split_once(':').map(|(name, _)| name))
            .collect();
        let wrong = [
            "LISTEN",
            "PUBLIC_URL",
            "REDIS_URL",
            "TRIBUTARY_KEYS",
            "HUBSPOT_CLIENT_SECRET",
            "LOG_FORMAT",
        ];
        assert_eq!(named, wrong, "{command:?}");
        assert!(!ended.stderr.contains("hunter2"), "it may be half a key");
        assert_eq!(ended.stdout, [""; 0]);
        assert_eq!(host.files(), [""; 0], "{command:?} opened something");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_wins_over_the_env_file() {
    let host = Host::on_a_free_port();
    let file = "# ours\nLISTEN=nonsense\nexport LOG=\"a=b=c\"\nLOG_FORMAT=xml\n";
    std::fs::write(host.work().join(".env"), file).expect("written");
    let host = host.with("LOG", "warn");
    let ended = host.run(&["serve"]).await;
    assert_eq!(ended.code, UNUSABLE);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.starts_with("LOG_FORMAT: "), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_line_of_the_env_file_is_an_error_that_does_not_repeat_it() {
    let host = Host::on_a_free_port();
    let file = "LOG=info\nHUBSPOT_CLIENT_SECRET \"hunter2\n";
    std::fs::write(host.work().join(".env"), file).expect("written");
    for command in ["serve", "check", "demo"] {
        let ended = host.run(&[command]).await;
        assert_eq!(ended.code, UNUSABLE, "{command}");
        assert!(ended.stderr.starts_with(".env: "), "{}", ended.stderr);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
        assert_eq!(host.files(), [".env"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_is_not_unicode_is_no_reason_to_crash() {
    let junk = OsStr::from_bytes(b"caf\xe9");
    let host = Host::on_a_free_port().with("SOMEBODY_ELSES", junk);
    let mut program = host.start(&["serve"]);
    program.line_after("Tributary: ").await;
    assert_eq!(program.stopped().await.code, Some(0));

    let host = host.with("HUBSPOT_CLIENT_ID", junk);
    let host = host.with("HUBSPOT_CLIENT_SECRET", "secret");
    let ended = host.run(&["serve"]).await;
    assert_eq!(ended.code, UNUSABLE);
    assert!(
        ended.stderr.starts_with("HUBSPOT_CLIENT_ID: "),
        "{}",
        ended.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_new_prints_one_usable_key_and_writes_nothing() {
    let host = Host::new();
    let mut printed = Vec::new();
    for _ in 0..2 {
        let ended = host.run(&["keys", "new"]).await;
        assert_eq!((ended.code, ended.stdout.len()), (Some(0), 1));
        assert_eq!(ended.stderr, "");
        let line = &ended.stdout[0];
        let ring = KeyRing::parse(line).expect("as TRIBUTARY_KEYS takes it");
        printed.push(ring.newest().id().to_string());
    }
    assert_ne!(printed[0], printed[1]);
    assert_eq!(host.files(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_finds_nothing_wrong_where_nothing_is() {
    let sandbox = sandbox();
    let host = with_hubspot(&sandbox.url());
    let ended = host.run(&["check"]).await;
    assert_eq!(ended.code, Some(0), "{:?}", ended.stdout);
    assert!(!ended.stdout.is_empty());
    for finding in &ended.stdout {
        assert!(finding.starts_with("ok "), "{finding}");
    }
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_the_host_that_cannot_be_reached_and_its_variable() {
    let sandbox = sandbox();
    let (_taken, nobody) = refusing();
    for wrong in ["AUTH", "API"] {
        let variable = format!("HUBSPOT_{wrong}_URL");
        let host = with_hubspot(&sandbox.url()).with(&variable, &nobody);
        let ended = host.run(&["check"]).await;
        assert_eq!(ended.code, UNUSABLE, "{wrong}");
        let found = ended.stdout.iter().filter(|line| line.starts_with("wrong"));
        let found: Vec<&String> = found.collect();
        assert_eq!(found.len(), 1, "{:?}", ended.stdout);
        assert!(found[0].contains(&variable), "{}", found[0]);
    }
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_everything_that_is_wrong_and_no_password() {
    let (_taken, nobody) = refusing();
    let nobody = nobody.trim_start_matches("http://");
    let host = Host::on_a_free_port()
        .with(
            "DATABASE_URL",
            format!("postgres://ada:hunter2@{nobody}/none"),
        )
        .with("TRIBUTARY_KEYS", Key::random().to_text().as_str());
    let ended = host.run(&["check"]).await;
    assert_eq!(ended.code, UNUSABLE);
    let found = ended.stdout.iter().filter(|line| line.starts_with("wrong"));
    let found: Vec<&str> = found.map(String::as_str).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("DATABASE_URL"), "{found:?}");
    assert!(found[1].contains("HUBSPOT_CLIENT_ID"), "{found:?}");
    assert!(!found.concat().contains("hunter2"));

    let host = host
        .with("DATABASE_URL", "sqlite:tributary.db")
        .with("REDIS_URL", format!("redis://:hunter2@{nobody}"));
    let ended = host.run(&["check"]).await;
    assert_eq!(ended.code, UNUSABLE);
    let all = ended.stdout.concat();
    assert!(all.contains("REDIS_URL"), "{all}");
    assert!(!all.contains("hunter2") && !ended.stderr.contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_says_where_it_is_what_is_on_and_what_to_register() {
    let sandbox = sandbox();
    let host = with_hubspot(&sandbox.url());
    let mut program = host.start(&["serve"]);
    let url = program.line_after("Tributary: ").await;
    let callback = format!("{url}/integrations/hubspot/oauth2callback");
    let expected = format!("HubSpot: on, redirect URI {callback}");
    assert_eq!(program.line().await, expected);
    assert!(url.starts_with("http://localhost:"), "{url}");
    let welcome = Visitor::of(&url).get("/").await;
    assert_eq!(welcome.status, StatusCode::OK);
    assert_eq!(welcome.texts("main button"), ["Connect HubSpot"]);

    let ended = program.stopped().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, [""; 0], "logs go to standard error");
    assert!(ended.stderr.contains("stopping"), "{}", ended.stderr);
    assert!(host.files().contains(&"tributary.db".to_owned()));
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_is_what_it_does_without_a_command_and_no_provider_is_said() {
    let host = Host::on_a_free_port();
    let mut program = host.start(&[]);
    let url = program.line_after("Tributary: ").await;
    program.line_after("No provider is on.").await;
    let healthy = Visitor::of(&url).get("/healthz").await;
    assert_eq!(healthy.status, StatusCode::OK);
    assert_eq!(program.stopped().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_can_be_read_by_machines() {
    let host = Host::on_a_free_port().with("LOG_FORMAT", "json");
    let mut program = host.start(&["serve"]);
    program.line_after("Tributary: ").await;
    let ended = program.stopped().await;
    assert!(!ended.stderr.is_empty());
    for line in ended.stderr.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
        assert!(line["level"].is_string() && line["message"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_named_and_nothing_is_opened() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let host = Host::new().with("LISTEN", &address);
    let ended = host.run(&["serve"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("LISTEN") && ended.stderr.contains(&address));
    assert_eq!(host.files(), [""; 0]);
}

async fn programs_that_start_together_all_serve(host: Host) {
    let mut programs: Vec<_> = (0..4).map(|_| host.start(&["serve"])).collect();
    for program in &mut programs {
        let url = program.line_after("Tributary: ").await;
        let ready = Visitor::of(&url).get("/readyz").await;
        assert_eq!(ready.status, StatusCode::OK);
    }
    for program in programs {
        let ended = program.stopped().await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_that_start_together_on_a_fresh_file_all_serve() {
    let host = Host::on_a_free_port();
    programs_that_start_together_all_serve(host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_that_start_together_on_a_fresh_postgres_all_serve() {
    let host = Host::on_a_free_port()
        .with("DATABASE_URL", postgres_database().await)
        .with("TRIBUTARY_KEYS", Key::random().to_text().as_str());
    programs_that_start_together_all_serve(host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_sealed_with_another_key_is_refused_by_that_keys_id() {
    let (first, second) = (Key::random(), Key::random());
    let host = Host::on_a_free_port().with("TRIBUTARY_KEYS", first.to_text().as_str());
    let mut program = host.start(&["serve"]);
    program.line_after("Tributary: ").await;
    program.stopped().await;

    let host = host.with("TRIBUTARY_KEYS", second.to_text().as_str());
    let needed = first.id().to_string();
    let ended = host.run(&["serve"]).await;
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stdout, [""; 0]);
    assert!(ended.stderr.contains("TRIBUTARY_KEYS"), "{}", ended.stderr);
    assert!(ended.stderr.contains(&needed), "{}", ended.stderr);
    let checked = host.run(&["check"]).await;
    assert_eq!(checked.code, UNUSABLE);
    assert!(
        checked.stdout.concat().contains(&needed),
        "{:?}",
        checked.stdout
    );

    // With the older key behind the newer one all is well.
    let both = format!("{},{}", *second.to_text(), *first.to_text());
    let host = host.with("TRIBUTARY_KEYS", both);
    let mut program = host.start(&["serve"]);
    program.line_after("Tributary: ").await;
    assert_eq!(program.stopped().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_key_file_beside_a_sealed_database_is_not_made_anew() {
    let host = Host::on_a_free_port();
    let mut program = host.start(&["serve"]);
    program.line_after("Tributary: ").await;
    program.stopped().await;
    let file = host.work().join("tributary.keys");
    let keys = std::fs::read(&file).expect("made on the first start");
    std::fs::remove_file(&file).expect("removed");

    for (command, code) in [("serve", Some(1)), ("check", UNUSABLE)] {
        let ended = host.run(&[command]).await;
        assert_eq!(ended.code, code, "{command}");
        let said = ended.stdout.concat() + &ended.stderr;
        assert!(said.contains("tributary.keys is missing"), "{said}");
        assert!(!file.exists(), "{command} made it anew");
    }
    std::fs::write(&file, keys).expect("put back");
    let mut program = host.start(&["serve"]);
    program.line_after("Tributary: ").await;
    assert_eq!(program.stopped().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_needs_nothing_and_leaves_nothing() {
    let host = Host::on_a_free_port()
        .with("DATABASE_URL", "mysql://nonsense")
        .with("REDIS_URL", "nonsense")
        .with("PUBLIC_URL", "nonsense")
        .with("TRIBUTARY_KEYS", "nonsense")
        .with("HUBSPOT_CLIENT_ID", "alone")
        .with("HUBSPOT_API_URL", "nonsense");
    let mut program = host.start(&["demo"]);
    let url = program.line_after("Tributary: ").await;
    let sandbox = program.line_after("Sandbox: ").await;
    assert!(sandbox.starts_with("http://127.0.0.1:"), "{sandbox}");
    let mut ada = Visitor::of(&url);
    let connection = ada.connect("small").await;
    let imported = ada.imported(&connection).await;
    assert_eq!(imported.texts(".sum b"), ["156"]);

    let ended = program.stopped().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, [""; 0]);
    assert_eq!(host.files(), [""; 0]);
    assert_eq!(host.temporary(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_listens_where_it_is_told() {
    let host = Host::new().with("LISTEN", "nowhere");
    let ended = host.run(&["demo"]).await;
    assert_eq!(ended.code, UNUSABLE);
    assert!(ended.stderr.starts_with("LISTEN: "), "{}", ended.stderr);

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let host = host.with("LISTEN", &address);
    let ended = host.run(&["demo"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains(&address), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn demo_keeps_what_it_is_told_to_keep() {
    let host = Host::on_a_free_port();
    let mut program = host.start(&["demo", "--keep"]);
    let mut ada = Visitor::of(&program.line_after("Tributary: ").await);
    let connection = ada.connect("small").await;
    ada.imported(&connection).await;
    assert_eq!(program.stopped().await.code, Some(0));
    let kept = host.files();
    assert!(kept.contains(&"tributary-demo.db".to_owned()), "{kept:?}");
    assert!(
        kept.contains(&"tributary-demo.db.keys".to_owned()),
        "{kept:?}"
    );

    let mut program = host.start(&["demo", "--keep"]);
    let url = program.line_after("Tributary: ").await;
    let mut ada = ada.at(&url);
    assert_eq!(
        ada.all_names("/items").await.len(),
        156,
        "and nobody is signed out"
    );
    assert_eq!(program.stopped().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_alone_says_where_it_is() {
    let host = Host::new();
    let mut program = host.start(&["sandbox", "--listen", "127.0.0.1:0"]);
    let url = program.line_after("Sandbox: ").await;
    let answer = Visitor::of(&url).get("/crm/v3/objects/contacts").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let ended = program.stopped().await;
    assert_eq!((ended.code, ended.stdout.len()), (Some(0), 0));
    assert_eq!(host.files(), [""; 0]);
}
