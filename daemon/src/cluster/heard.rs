//! A node's answer, read to its end and no further than is sane.

use hyper::ext::ReasonPhrase;
use jarvis_core::ids::UnixSeconds;
use reqwest::header::DATE;

use super::wire::Envelope;

/// The longest answer read: `/cluster/resources` of 5,000 guests is 2 MiB.
pub(super) const BODY_MAX: usize = 4 << 20;

/// A whole answer, whatever it says.
pub(super) struct Heard {
    pub(super) status: u16,
    /// The status line's own words, where they are not the usual ones.
    pub(super) reason: Option<String>,
    pub(super) at: Option<UnixSeconds>,
    pub(super) envelope: Result<Envelope, serde_json::Error>,
}

/// Why an answer did not come whole.
pub(super) enum Unheard {
    TooLong,
    BrokeOff(reqwest::Error),
}

/// Reads an answer to its end.
pub(super) async fn heard(mut response: reqwest::Response) -> Result<Heard, Unheard> {
    let status = response.status().as_u16();
    let reason = response.extensions().get::<ReasonPhrase>();
    let reason = reason.map(|reason| String::from_utf8_lossy(reason.as_bytes()).into_owned());
    let at = response.headers().get(DATE).and_then(|date| date.to_str().ok()).and_then(clock);
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > BODY_MAX => return Err(Unheard::TooLong),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return Err(Unheard::BrokeOff(error)),
        }
    }
    Ok(Heard { status, reason, at, envelope: serde_json::from_slice(&body) })
}

/// `Thu, 26 Nov 2026 10:00:00 GMT`.
fn clock(date: &str) -> Option<UnixSeconds> {
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    Some(UnixSeconds(at.as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nodes_clock_is_read_from_its_date() {
        assert_eq!(clock("Thu, 26 Nov 2026 10:00:00 GMT"), Some(UnixSeconds(1_795_687_200)));
        assert_eq!(clock("soon"), None);
    }
}
