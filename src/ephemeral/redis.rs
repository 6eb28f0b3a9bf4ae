//! The ephemeral store on Redis, for more than one process. Redis itself forgets what has expired.

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use deadpool_redis::redis::{self, Cmd, FromRedisValue};
use deadpool_redis::{Config, Pool, PoolConfig, Runtime, Timeouts};

use super::{Away, Ephemeral, Result};
use crate::store::DEADLINE;
use crate::vault::random;

/// Connections of one process; sessions share them.
const CONNECTIONS: usize = 16;

/// Where Redis is, as `REDIS_URL` says it. It may hold a password, so it is never shown whole.
#[derive(Clone)]
pub struct RedisLocation(String);

impl FromStr for RedisLocation {
    type Err = String;

    fn from_str(url: &str) -> std::result::Result<Self, String> {
        if !url.starts_with("redis:") && !url.starts_with("rediss:") {
            return Err("must begin with redis: or rediss:".into());
        }
        redis::Client::open(url)
            .map_err(|_| "is not a Redis address; write redis://host:6379".to_owned())?;
        Ok(Self(url.to_owned()))
    }
}

/// Makes the pool. Nothing is dialled before the first call.
pub fn connect(location: &RedisLocation) -> std::result::Result<RedisEphemeral, Away> {
    let mut config = Config::from_url(&location.0);
    let mut pool = PoolConfig::new(CONNECTIONS);
    pool.timeouts = Timeouts {
        wait: Some(DEADLINE),
        create: Some(DEADLINE),
        recycle: Some(DEADLINE),
    };
    config.pool = Some(pool);
    let pool = config
        .create_pool(Some(Runtime::Tokio1))
        .map_err(|error| Away(error.to_string()))?;
    Ok(RedisEphemeral { pool })
}

#[derive(Clone)]
pub struct RedisEphemeral {
    pool: Pool,
}

/// All names stand below one prefix, so that a Redis can be shared with other programs.
fn name(key: &str) -> String {
    format!("tributary:{key}")
}

fn ms(life: Duration) -> u64 {
    u64::try_from(life.as_millis())
        .unwrap_or(u64::MAX / 4)
        .max(1)
}

impl RedisEphemeral {
    /// The pool, for the sessions, which actix-session keeps in its own way.
    pub fn pool(&self) -> Pool {
        self.pool.clone()
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        let call = async {
            let connection = self
                .pool
                .get()
                .await
                .map_err(|error| Away(error.to_string()));
            let asked = command.query_async(&mut connection?).await;
            asked.map_err(|error| Away(error.to_string()))
        };
        match tokio::time::timeout(DEADLINE, call).await {
            Ok(answer) => answer,
            Err(_) => Err(Away("Redis did not answer in time".into())),
        }
    }
}

/// `command` and the name of the entry it is about.
fn on_entry(command: &str, key: &str) -> Cmd {
    let mut cmd = redis::cmd(command);
    cmd.arg(name(key));
    cmd
}

/// `script` on the entry, which it knows as `KEYS[1]`, and the value that the caller believes in it.
fn script(script: &str, key: &str, value: &[u8]) -> Cmd {
    let mut cmd = redis::cmd("EVAL");
    cmd.arg(script).arg(1).arg(name(key)).arg(value);
    cmd
}

/// A lease is touched only by who holds it; asking and touching must be one step.
const RENEW: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) else return 0 end";
const RELEASE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end";

/// The calls of the last window, by Redis's own clock, in microseconds; answers how long to wait.
const ADMIT: &str = "local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
if redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[3]) then
  redis.call('ZADD', KEYS[1], now, ARGV[1])
  redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[2] / 1000))
  return 0
end
return redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] + ARGV[2] - now";

#[async_trait]
impl Ephemeral for RedisEphemeral {
    async fn put(&self, key: &str, value: &[u8], life: Duration) -> Result<()> {
        self.ask(on_entry("SET", key).arg(value).arg("PX").arg(ms(life)))
            .await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.ask(&on_entry("GET", key)).await
    }

    async fn take(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.ask(&on_entry("GETDEL", key)).await
    }

    async fn claim(&self, key: &str, value: &[u8], life: Duration) -> Result<bool> {
        let mut set = on_entry("SET", key);
        let set: Option<String> = self
            .ask(set.arg(value).arg("NX").arg("PX").arg(ms(life)))
            .await?;
        Ok(set.is_some())
    }

    async fn renew(&self, key: &str, value: &[u8], life: Duration) -> Result<bool> {
        let renewed: i64 = self.ask(script(RENEW, key, value).arg(ms(life))).await?;
        Ok(renewed == 1)
    }

    async fn release(&self, key: &str, value: &[u8]) -> Result<()> {
        self.ask(&script(RELEASE, key, value)).await
    }

    async fn forget(&self, key: &str) -> Result<()> {
        self.ask(&on_entry("DEL", key)).await
    }

    async fn admit(&self, budget: &str, calls: usize, window: Duration) -> Result<Duration> {
        let call = random::<12>();
        let micros = u64::try_from(window.as_micros()).unwrap_or(u64::MAX / 4);
        let mut admit = script(ADMIT, budget, call.as_slice());
        let wait: u64 = self.ask(admit.arg(micros).arg(calls)).await?;
        Ok(Duration::from_micros(wait))
    }

    async fn sweep(&self) -> Result<u64> {
        Ok(0)
    }

    async fn ping(&self) -> Result<()> {
        self.ask(&redis::cmd("PING")).await
    }
}
