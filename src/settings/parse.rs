//! How each kind of value is written. Every function says in plain words what it wants.

use std::net::SocketAddr;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use url::Url;

use super::LogFormat;
use crate::client::Budget;

pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "must be an address and a port, such as 127.0.0.1:8000".into())
}

pub(super) fn url(text: &str) -> Result<Url, String> {
    let wrong = || "must be an http or https address".to_owned();
    let url = Url::parse(text).map_err(|_| wrong())?;
    let usable = matches!(url.scheme(), "http" | "https") && url.has_host();
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if usable && plain {
        Ok(url)
    } else {
        Err(wrong())
    }
}

/// An address that paths are put behind.
pub(super) fn base(text: &str) -> Result<Url, String> {
    let url = url(text)?;
    if url.query().is_some() {
        return Err("must be an address without a query".into());
    }
    Ok(url)
}

pub(super) fn origin(text: &str) -> Result<Url, String> {
    let url = url(text)?;
    if url.path() != "/" || url.query().is_some() {
        return Err("must be an address without a path, such as https://tributary.example".into());
    }
    Ok(url)
}

pub(super) fn version(text: &str) -> Result<String, String> {
    let usable = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    if usable {
        Ok(text.to_owned())
    } else {
        Err("must be a version such as 2026-09".into())
    }
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("must be on or off".into()),
    }
}

pub(super) fn budget(text: &str) -> Result<Option<Budget>, String> {
    if text == "off" {
        return Ok(None);
    }
    let calls = text.parse().ok().filter(|n| (1..=100_000).contains(n));
    let calls = calls.ok_or("must be a number of requests a second, or off")?;
    Ok(Some(Budget {
        calls,
        window: Duration::from_secs(1),
    }))
}

pub(super) fn rate(text: &str) -> Result<Option<Budget>, String> {
    let wrong = || "must be a number a second, minute or hour, such as 60/m, or off".to_owned();
    if text == "off" {
        return Ok(None);
    }
    let (number, unit) = text.split_once('/').ok_or_else(wrong)?;
    let window = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(wrong()),
    };
    let calls = number.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?;
    Ok(Some(Budget {
        calls,
        window: Duration::from_secs(window),
    }))
}

pub(super) fn networks(text: &str) -> Result<Vec<ipnet::IpNet>, String> {
    let entries = text
        .split([',', ' '])
        .map(str::trim)
        .filter(|entry| !entry.is_empty());
    let parse = |entry: &str| {
        let address = entry.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
        address
            .or_else(|_| entry.parse())
            .map_err(|_| format!("“{entry}” is neither an address nor a network"))
    };
    entries.map(parse).collect()
}

pub(super) fn log(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(
            "must be a level such as info or debug, or a list such as info,tributary=debug".into(),
        ),
    }
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "pretty" => Ok(LogFormat::Pretty),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be pretty or json".into()),
    }
}
