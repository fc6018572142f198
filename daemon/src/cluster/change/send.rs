//! The one request of a change.
//!
//! It is sent over a connection of its own and never again: another node is tried only where the first could not even be connected
//! to, so that not a byte of the request can have arrived. A node that answers for another says 595 where it could not reach that one
//! (`AnyEvent::HTTP`: "errors during connection establishment"); 596 to 599 say that the request may have arrived.
//!
//! Before each attempt, and while a connection is made, it is asked whether anything may be sent at all: a stop that comes until then
//! takes the connection away.

use std::fmt::Write;
use std::time::Duration;

use jarvis_core::ids::Upid;
use jarvis_core::tools::{Change, Method};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value;
use tokio::time::timeout;

use super::super::api::{ATTEMPTS_MAX, Api, Endpoint};
use super::super::heard::{Heard, Unheard, heard};
use super::super::upid;
use super::remedy;

/// How often it is asked, while a connection is made, whether the request may still be sent.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What is said of a request that the kill switch kept back.
const STOPPED: &str = "the kill switch was set before it was sent";

/// Whether anything may be sent now.
pub(super) type May<'a> = &'a (dyn Fn() -> bool + Send + Sync);

/// What became of the request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// A task was begun.
    Taken(Upid),
    /// Nothing was begun, for this reason.
    Refused(String),
    /// Nobody knows.
    Lost(String),
}

/// The node could not be connected to: nothing was sent.
struct Unreached(String);

impl Api {
    /// Sends a change, to the node it is about if that can be connected to, else to another.
    pub(super) async fn send_once(&self, change: &Change, limit: Duration, may: May<'_>) -> Sent {
        let mut unreached = Vec::new();
        for endpoint in self.order(Some(&change.node)).into_iter().take(ATTEMPTS_MAX) {
            if !may() {
                return Sent::Refused(STOPPED.to_owned());
            }
            match endpoint.send_once(change, limit, self.dial, may).await {
                Ok(sent) => return sent,
                Err(Unreached(why)) => unreached.push(why),
            }
        }
        Sent::Refused(remedy::bounded(&match unreached.as_slice() {
            [] => "no node is configured; docs/cluster.md says how".to_owned(),
            unreached => format!("nothing was begun: {}", unreached.join("; ")),
        }))
    }
}

impl Endpoint {
    async fn send_once(
        &self,
        change: &Change,
        limit: Duration,
        dial: Duration,
        may: May<'_>,
    ) -> Result<Sent, Unreached> {
        let (name, guest) = (&self.name, remedy::guest(change));
        let answer = async {
            let sent = tokio::select! {
                sent = self.request(change).send() => sent,
                () = stopped(dial, may) => return Err(None),
            };
            let response = sent.map_err(|error| {
                let unreached = error.is_connect();
                Some((unreached, self.unsent(&error)))
            });
            match response {
                Ok(response) => Ok(heard(response).await),
                Err(failure) => Err(failure),
            }
        };
        let lost = |what: &str| {
            Sent::Lost(remedy::bounded(&format!(
                "{name} {what}; whether anything was begun on {guest} is not known until its task list is looked at"
            )))
        };
        Ok(match timeout(limit, answer).await {
            Err(_) => lost("took the request and did not answer in time"),
            Ok(Err(None)) => lost("was being asked when the kill switch was set"),
            Ok(Err(Some((true, error)))) => {
                self.note(Some(&error));
                return Err(Unreached(error.detail));
            }
            Ok(Err(Some((false, _))) | Ok(Err(Unheard::BrokeOff(_)))) => lost("broke off before it answered"),
            Ok(Ok(Err(Unheard::TooLong))) => lost("answered with far too much"),
            Ok(Ok(Ok(heard))) => {
                self.note(None);
                meaning(heard, change).unwrap_or_else(|what| lost(&what))
            }
        })
    }

    fn request(&self, change: &Change) -> reqwest::RequestBuilder {
        let url = format!("https://{}/api2/json{}", self.authority, change.path);
        let fields = form(&change.params);
        match change.method {
            Method::Post => self
                .once
                .post(url)
                .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
                .body(fields),
            // The API answers 501 to a DELETE with a body.
            Method::Delete if fields.is_empty() => self.once.delete(url),
            Method::Delete => self.once.delete(format!("{url}?{fields}")),
        }
    }
}

/// Resolves once nothing may be sent any more; never after `dial`, by when the request is out if it ever will be.
async fn stopped(dial: Duration, may: May<'_>) {
    let until = tokio::time::Instant::now() + dial;
    while tokio::time::Instant::now() < until {
        tokio::time::sleep(LOOK_EVERY).await;
        if !may() {
            return;
        }
    }
    std::future::pending().await
}

/// What an answer says; the error says what is odd about one that says nothing.
fn meaning(heard: Heard, change: &Change) -> Result<Sent, String> {
    match (heard.status, heard.envelope) {
        (200..=299, Ok(envelope)) => {
            let Value::String(text) = envelope.data else {
                return Err("answered without naming a task".to_owned());
            };
            let upid = Upid(text);
            let ours = upid::parts(&upid).is_some_and(|parts| parts.is_about(change.vmid));
            if ours { Ok(Sent::Taken(upid)) } else { Err("answered with what is no task of this guest".to_owned()) }
        }
        (200..=299, Err(_)) => Err("answered with what is no JSON".to_owned()),
        (status @ (400 | 401 | 403 | 404 | 405 | 500 | 501 | 595), envelope) => {
            let complaint = envelope.ok().and_then(|envelope| envelope.complaint()).or(heard.reason);
            Ok(Sent::Refused(remedy::refusal(status, &complaint.unwrap_or_default(), change)))
        }
        (status, _) => Err(format!("answered with {status}")),
    }
}

/// Form fields, percent-encoded.
fn form(params: &[(String, String)]) -> String {
    let mut out = String::new();
    for (name, value) in params {
        let parts = [if out.is_empty() { "" } else { "&" }, name, "=", value];
        for (n, part) in parts.into_iter().enumerate() {
            for byte in part.bytes() {
                let plain = byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) || n % 2 == 0;
                // Writing to a String cannot fail.
                let written = if plain { out.write_char(char::from(byte)) } else { write!(out, "%{byte:02X}") };
                written.ok();
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::wire::Envelope;
    use super::super::remedy::tests::start;
    use super::*;

    fn heard(status: u16, reason: Option<&str>, body: &str) -> Heard {
        Heard { status, reason: reason.map(str::to_owned), at: None, envelope: serde_json::from_str::<Envelope>(body) }
    }

    #[test]
    fn a_form_holds_what_it_was_given() {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(form(&[]), "");
        assert_eq!(
            form(&[field("snapname", "before-1_a"), field("description", "a&b=c d+ü%")]),
            "snapname=before-1_a&description=a%26b%3Dc%20d%2B%C3%BC%25"
        );
    }

    #[test]
    fn only_a_task_of_this_guest_counts_as_taken() {
        let change = start();
        let upid = "UPID:pve2:000001DA:0002755A:6B03787E:qmstart:104:jarvis@pve!t1:";
        let taken = meaning(heard(200, None, &format!(r#"{{"data":"{upid}"}}"#)), &change);
        assert_eq!(taken, Ok(Sent::Taken(Upid::from(upid))));
        for body in [
            r#"{"data":null}"#,
            r#"{"data":"UPID:pve2:000001DA:0002755A:6B03787E:qmstart:105:jarvis@pve!t1:"}"#,
            r#"{"data":"ok"}"#,
            "<html>",
            "",
        ] {
            assert!(meaning(heard(200, None, body), &change).is_err(), "{body}");
        }
    }

    #[test]
    fn a_refusal_is_told_from_a_lost_answer() {
        let change = start();
        for status in [400, 401, 403, 404, 405, 500, 501, 595] {
            let sent = meaning(heard(status, None, ""), &change);
            assert!(matches!(&sent, Ok(Sent::Refused(why)) if !why.is_empty()), "{status}: {sent:?}");
        }
        for status in [301, 408, 429, 502, 503, 504, 596, 597, 598, 599] {
            assert!(meaning(heard(status, Some("No route"), ""), &change).is_err(), "{status}");
        }
        let reason = Some("Permission check failed (/vms/104, VM.PowerMgmt)");
        let Ok(Sent::Refused(why)) = meaning(heard(403, reason, ""), &change) else { panic!() };
        assert!(why.contains("VM.PowerMgmt") && why.contains("docs/cluster.md"), "{why}");
    }
}
