//! Addresses: IPv4 and IPv6, URLs, users of a realm.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{name, number};

pub(super) fn say(core: &str) -> Option<String> {
    url(core).or_else(|| ip(core)).or_else(|| user(core)).or_else(|| host_and_port(core))
}

/// The host of a URL, and its port; the path is for the page, not for the ear.
fn url(core: &str) -> Option<String> {
    let rest = match core.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|b| b.is_ascii_alphabetic()) => rest,
        _ => core.strip_prefix("www.").map(|_| core)?,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    Some(ip(host).or_else(|| host_and_port(host)).unwrap_or_else(|| dotted(host)))
}

fn dotted(host: &str) -> String {
    host.split('.').filter(|label| !label.is_empty()).map(name::say).collect::<Vec<_>>().join(" dot ")
}

/// `host.name:8006`.
fn host_and_port(core: &str) -> Option<String> {
    let (host, port) = core.rsplit_once(':')?;
    let named = host.starts_with(|c: char| c.is_ascii_alphabetic())
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    let numbered = !port.is_empty() && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
    (named && numbered).then(|| format!("{} port {}", dotted(host), number::digits(port)))
}

fn ip(core: &str) -> Option<String> {
    let (address, prefix) = match core.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse::<u8>().ok()?)),
        None => (core, None),
    };
    let bracketed = address.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (address, port) = match bracketed {
        Some((address, port)) => (address, port.strip_prefix(':')),
        None => match address.split_once(':') {
            Some((v4, port)) if v4.contains('.') && !port.contains(':') => (v4, Some(port)),
            _ => (address, None),
        },
    };
    let mut words = if address.parse::<Ipv4Addr>().is_ok() {
        let parts: Vec<_> = address.split('.').map(number::digits).collect();
        parts.join(" dot ")
    } else if address.parse::<Ipv6Addr>().is_ok() {
        v6(address)
    } else {
        return None;
    };
    if let Some(port) = port.filter(|port| !port.is_empty()) {
        words.push_str(" port ");
        words.push_str(&number::digits(port));
    }
    if let Some(prefix) = prefix {
        words.push_str(" slash ");
        words.push_str(&number::count(prefix.into()));
    }
    Some(words)
}

fn v6(address: &str) -> String {
    let parts: Vec<_> = address.split(':').map(name::spell).collect();
    parts.join(" colon ")
}

/// `root@pam`, `owner@example.com`.
fn user(core: &str) -> Option<String> {
    let (user, realm) = core.split_once('@')?;
    if user.is_empty() || realm.is_empty() {
        return None;
    }
    Some(format!("{} at {}", dotted(user), dotted(realm)))
}
