//! Stores of a test's own: a folder, a PostgreSQL database, a Redis server.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use deadpool_redis::redis;
use sqlx::Connection;
use tempfile::TempDir;

/// The value of a variable that `scripts/test` sets; without it there is nothing to test on.
pub fn given(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run ./scripts/test, or ./scripts/with-services COMMAND")
    })
}

/// A fresh PostgreSQL database, and its address.
pub async fn postgres_database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = given("TEST_POSTGRES_URL");
    let name = format!(
        "test_{}_{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let mut admin = sqlx::PgConnection::connect(&server)
        .await
        .expect("PostgreSQL answers");
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::raw_sql(create)
        .execute(&mut admin)
        .await
        .expect("the database is made");
    let (base, _) = server
        .rsplit_once('/')
        .expect("the address names a database");
    format!("{base}/{name}")
}

/// A Redis server of a test's own, which it may stop and start.
pub struct Redis {
    port: u16,
    folder: TempDir,
    server: Option<Child>,
}

impl Redis {
    pub async fn start() -> Self {
        let port = free_port();
        let mut redis = Self {
            port,
            folder: tempfile::tempdir().expect("a folder"),
            server: None,
        };
        redis.again().await;
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Every name and value that it holds.
    pub async fn everything(&self) -> Vec<u8> {
        let client = redis::Client::open(self.url()).expect("an address");
        let connection = client.get_multiplexed_async_connection().await;
        let mut connection = connection.expect("a connection");
        let names = redis::cmd("KEYS")
            .arg("*")
            .query_async(&mut connection)
            .await;
        let mut all: Vec<Vec<u8>> = names.expect("the names");
        for name in all.clone() {
            let kind = redis::cmd("TYPE")
                .arg(&name)
                .query_async(&mut connection)
                .await;
            let kind: String = kind.expect("a type");
            let mut read = redis::cmd(if kind == "zset" { "ZRANGE" } else { "MGET" });
            read.arg(&name);
            if kind == "zset" {
                read.arg(0).arg(-1);
            }
            let value: Vec<Vec<u8>> = read.query_async(&mut connection).await.expect("a value");
            all.extend(value);
        }
        all.concat()
    }

    /// Ends the server; what it held is gone.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("redis-server ends");
            server.wait().expect("redis-server ends");
        }
    }

    /// Starts it again on the same port.
    pub async fn again(&mut self) {
        let server = Command::new(given("TEST_REDIS_SERVER"))
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server starts");
        self.server = Some(server);
        let port = self.port;
        super::app::until("redis-server listens", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_ok()
        })
        .await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A way to a server that a test can close: held, nothing passes in either direction; cut, what was
/// open ends.
pub struct Forwarder {
    url: String,
    open: tokio::sync::watch::Sender<bool>,
    cut: tokio::sync::watch::Sender<u32>,
}

impl Forwarder {
    /// A way to the server in `url`.
    pub async fn to(url: &str) -> Self {
        let mut url = url::Url::parse(url).expect("an address");
        let target = (
            url.host_str().expect("a host").to_owned(),
            url.port().expect("a port"),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        url.set_port(Some(listener.local_addr().expect("a port").port()))
            .expect("a port fits");
        let (open, opened) = tokio::sync::watch::channel(true);
        let (cut, cuts) = tokio::sync::watch::channel(0);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (target, mut opened, mut cuts) = (target.clone(), opened.clone(), cuts.clone());
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(()) = opened.wait_for(|open| *open).await.map(drop) else {
                        return;
                    };
                    let Ok(far) = tokio::net::TcpStream::connect(target).await else {
                        return;
                    };
                    let ((near_read, near_write), (far_read, far_write)) =
                        (near.into_split(), far.into_split());
                    tokio::select! {
                        () = carry(near_read, far_write, opened.clone()) => {}
                        () = carry(far_read, near_write, opened) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Self {
            url: url.into(),
            open,
            cut,
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on nothing passes, and nobody is told.
    pub fn hold(&mut self) {
        self.open.send_replace(false);
    }

    pub fn let_through(&mut self) {
        self.open.send_replace(true);
    }

    /// Ends what is open.
    pub fn cut(&mut self) {
        self.cut.send_modify(|cuts| *cuts += 1);
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut open: tokio::sync::watch::Receiver<bool>,
) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if open.wait_for(|open| *open).await.is_err() || to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a port").port()
}
