//! GET against the nodes' API: which node is asked, when a second one is, and what an answer means.
//!
//! Any node answers for any other by proxy, so one question may go to several: the next node is asked when one fails, and also when
//! one is late. Only GET is sent from here, so asking twice does no harm; what changes something goes out by `change/send.rs`, once.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jarvis_core::ids::{NodeName, UnixSeconds};
use jarvis_core::tool::GapReason;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use super::heard::{BODY_MAX, Unheard, heard};
use super::{ClusterConfig, Limits, NodeHealth, SetupError, now, pin};

/// Nodes asked for one answer.
pub(super) const ATTEMPTS_MAX: usize = 3;
/// A node that failed or was late is asked last for so long.
const SHUNNED: Duration = Duration::from_secs(10);
/// The longest part of a node's own words that is kept.
pub(super) const COMPLAINT_MAX: usize = 300;

/// A question that brought no answer.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    pub(super) reason: GapReason,
    pub(super) detail: String,
    /// Whether another node would say the same.
    last_word: bool,
}

impl ApiError {
    pub(super) fn new(reason: GapReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), last_word: false }
    }
}

/// What a node answered.
pub(super) struct Answer {
    pub(super) data: Value,
    /// The node's clock when it answered, where it told.
    pub(super) at: Option<UnixSeconds>,
}

/// The nodes' API.
pub(super) struct Api {
    endpoints: Vec<Endpoint>,
    /// Whose the token is: `jarvis@pve!act`, as UPIDs name it.
    pub(super) user: String,
    late: Duration,
    /// The longest a connection takes to be made.
    pub(super) dial: Duration,
}

pub(super) struct Endpoint {
    pub(super) name: NodeName,
    pub(super) authority: String,
    http: reqwest::Client,
    /// Takes a new connection for every request and tries nothing twice: for what changes something.
    pub(super) once: reqwest::Client,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    answers: Option<bool>,
    since: Option<UnixSeconds>,
    trouble: Option<String>,
    shunned_at: Option<Instant>,
}

impl Api {
    pub(super) fn new(config: &ClusterConfig, limits: Limits) -> Result<Self, SetupError> {
        if config.nodes.is_empty() {
            return Ok(Self { endpoints: Vec::new(), user: String::new(), late: limits.late, dial: limits.view() });
        }
        let file = config.token_file.as_deref().ok_or_else(|| {
            SetupError("[cluster] names nodes but no token_file; docs/cluster.md says how to make a token".to_owned())
        })?;
        let mut headers = HeaderMap::new();
        let (user, authorization) = authorization(file)?;
        headers.insert(AUTHORIZATION, authorization);
        let endpoints = config
            .nodes
            .iter()
            .map(|node| {
                let wrong = |error: String| SetupError(format!("node {}: {error}", node.name));
                let tls = pin::client_config(node.fingerprint).map_err(|e| wrong(e.to_string()))?;
                let client = || {
                    reqwest::Client::builder()
                        .tls_backend_preconfigured(tls.clone())
                        .https_only(true)
                        .http1_only()
                        .no_proxy()
                        .redirect(reqwest::redirect::Policy::none())
                        .referer(false)
                        .connect_timeout(limits.view())
                        .tcp_nodelay(true)
                        .default_headers(headers.clone())
                };
                let once = client().pool_max_idle_per_host(0).retry(reqwest::retry::never());
                Ok(Endpoint {
                    name: NodeName(node.name.clone()),
                    authority: node.api_authority(),
                    http: client().build().map_err(|e| wrong(e.to_string()))?,
                    once: once.build().map_err(|e| wrong(e.to_string()))?,
                    state: Mutex::default(),
                })
            })
            .collect::<Result<_, SetupError>>()?;
        Ok(Self { endpoints, user, late: limits.late, dial: limits.view() })
    }

    /// The nodes configured, in their order.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &NodeName> {
        self.endpoints.iter().map(|endpoint| &endpoint.name)
    }

    pub(super) fn health(&self) -> Vec<NodeHealth> {
        self.endpoints.iter().map(Endpoint::health).collect()
    }

    /// `data` of `path`, from the node it is about if that is `about` one, else from any.
    pub(super) async fn get(&self, about: Option<&NodeName>, path: &str, deadline: Instant) -> Result<Value, ApiError> {
        Ok(self.answer(about, path, deadline).await?.data)
    }

    /// [`Self::get`], with the clock of the node that answered.
    pub(super) async fn answer(
        &self,
        about: Option<&NodeName>,
        path: &str,
        deadline: Instant,
    ) -> Result<Answer, ApiError> {
        let mut waiting = self.order(about).into_iter().take(ATTEMPTS_MAX);
        let mut asked = FuturesUnordered::new();
        let mut latest: Option<&Endpoint> = None;
        let mut failures: Vec<ApiError> = Vec::new();
        loop {
            if let Some(endpoint) = waiting.next() {
                latest = Some(endpoint);
                asked.push(endpoint.get(path, deadline));
            }
            match timeout(self.late, asked.next()).await {
                Ok(Some(Ok(answer))) => return Ok(answer),
                Ok(Some(Err(error))) if error.last_word => return Err(error),
                Ok(Some(Err(error))) => failures.push(error),
                Ok(None) => return Err(summed_up(failures)),
                Err(_) => {
                    if let Some(endpoint) = latest.take() {
                        endpoint.shun();
                    }
                }
            }
        }
    }

    /// `data` of `path` as `node` itself says it.
    pub(super) async fn get_from(&self, node: &NodeName, path: &str, deadline: Instant) -> Result<Value, ApiError> {
        match self.endpoints.iter().find(|e| e.name == *node) {
            Some(endpoint) => Ok(endpoint.get(path, deadline).await?.data),
            None => Err(ApiError::new(GapReason::NotConfigured, format!("{node} is not in [cluster] nodes"))),
        }
    }

    /// Whether `node`'s last answer was none.
    pub(super) fn is_silent(&self, node: &NodeName) -> bool {
        self.endpoints.iter().any(|e| e.name == *node && e.health().answers == Some(false))
    }

    /// The node in question first, the shunned ones last, else as configured.
    pub(super) fn order(&self, about: Option<&NodeName>) -> Vec<&Endpoint> {
        let mut order: Vec<&Endpoint> = self.endpoints.iter().collect();
        order.sort_by_key(|endpoint| (endpoint.is_shunned(), Some(&endpoint.name) != about));
        order
    }
}

impl Endpoint {
    async fn get(&self, path: &str, deadline: Instant) -> Result<Answer, ApiError> {
        let answer = match timeout_at(deadline, self.ask(path)).await {
            Ok(answer) => answer,
            Err(_) => {
                Err(ApiError::new(GapReason::NodeUnknown, format!("{} did not answer {path} in time", self.name)))
            }
        };
        self.note(answer.as_ref().err().filter(|error| !error.last_word));
        answer
    }

    async fn ask(&self, path: &str) -> Result<Answer, ApiError> {
        let url = format!("https://{}/api2/json{path}", self.authority);
        let response = self.http.get(url).send().await.map_err(|error| self.unsent(&error))?;
        let heard = heard(response).await.map_err(|why| match why {
            Unheard::TooLong => {
                ApiError::new(GapReason::Failed, format!("{}: {path} is over {BODY_MAX} bytes long", self.name))
            }
            Unheard::BrokeOff(error) => {
                ApiError::new(GapReason::NodeUnknown, format!("{}: {path} broke off: {error}", self.name))
            }
        })?;
        match (heard.status, heard.envelope) {
            (200..=299, Ok(envelope)) => Ok(Answer { data: envelope.data, at: heard.at }),
            (200..=299, Err(error)) => {
                Err(ApiError::new(GapReason::Failed, format!("{}: {path} is no JSON: {error}", self.name)))
            }
            (status, envelope) => {
                let complaint = envelope.ok().and_then(|e| e.complaint()).or(heard.reason);
                Err(self.refusal(status, path, complaint))
            }
        }
    }

    /// What a status other than success means. Only its text tells a missing guest from other troubles.
    fn refusal(&self, status: u16, path: &str, complaint: Option<String>) -> ApiError {
        let complaint: String = complaint.unwrap_or_default().chars().take(COMPLAINT_MAX).collect();
        let missing = ["does not exist", "no such", "hostname lookup"].iter().any(|words| complaint.contains(words));
        let (reason, last_word) = match status {
            401 | 403 => (GapReason::Forbidden, true),
            595..=599 => (GapReason::NodeUnknown, false),
            502..=504 => (GapReason::NodeUnknown, false),
            400 | 404 | 500 if missing => (GapReason::Missing, true),
            _ => (GapReason::Failed, true),
        };
        let remedy = match status {
            401 => ": the token is wrong or was removed; see docs/cluster.md",
            _ => "",
        };
        ApiError {
            reason,
            detail: format!("{} answered {path} with {status}{remedy} {complaint}", self.name).trim_end().to_owned(),
            last_word,
        }
    }

    pub(super) fn unsent(&self, error: &reqwest::Error) -> ApiError {
        if let Some(mismatch) = pin::mismatch_in(error) {
            let detail = format!(
                "{}: {mismatch}; if the node was given a new certificate, put that fingerprint into [cluster] nodes",
                self.name
            );
            tracing::warn!(node = %self.name, "{detail}");
            return ApiError::new(GapReason::Failed, detail);
        }
        let mut why = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            why = inner.to_string();
            source = inner.source();
        }
        ApiError::new(GapReason::NodeUnknown, format!("{} ({}) cannot be reached: {why}", self.name, self.authority))
    }

    pub(super) fn note(&self, failure: Option<&ApiError>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = failure.is_none();
        if state.answers != Some(answers) {
            state.since = Some(now());
        }
        state.answers = Some(answers);
        state.trouble = failure.map(|error| error.detail.clone());
        state.shunned_at = failure.map(|_| Instant::now());
    }

    fn shun(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.shunned_at = Some(Instant::now());
    }

    fn is_shunned(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.shunned_at.is_some_and(|at| at.elapsed() < SHUNNED)
    }

    fn health(&self) -> NodeHealth {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        NodeHealth {
            node: self.name.clone(),
            address: self.authority.clone(),
            answers: state.answers,
            since: state.since,
            trouble: state.trouble.clone(),
        }
    }
}

fn summed_up(failures: Vec<ApiError>) -> ApiError {
    let Some(worst) = failures.iter().find(|error| error.reason != GapReason::NodeUnknown).or(failures.first()) else {
        return ApiError::new(GapReason::NotConfigured, "no node is configured; docs/cluster.md says how");
    };
    let details: Vec<_> = failures.iter().map(|e| e.detail.as_str()).collect();
    ApiError::new(worst.reason, details.join("; "))
}

/// Whose an API token is, and its header: `user@realm!id=secret`.
fn authorization(file: &Path) -> Result<(String, HeaderValue), SetupError> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| SetupError(format!("token_file {shown} cannot be read: {error}")))?;
    let token = text.lines().next().unwrap_or_default().trim();
    let wrong = || SetupError(format!("token_file {shown} does not hold `user@realm!id=secret` on its first line"));
    let (id, secret) = token.split_once('=').ok_or_else(wrong)?;
    if !id.contains('@') || !id.contains('!') || secret.is_empty() {
        return Err(wrong());
    }
    let mut value = HeaderValue::from_str(&format!("PVEAPIToken={token}")).map_err(|_| wrong())?;
    value.set_sensitive(true);
    Ok((id.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_file_is_read_or_its_fault_named_without_its_secret() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "jarvis@pve!reader=c0ffee\n").unwrap();
        let (user, header) = authorization(&file).unwrap();
        assert_eq!(user, "jarvis@pve!reader");
        assert_eq!(header.to_str().unwrap(), "PVEAPIToken=jarvis@pve!reader=c0ffee");
        assert!(header.is_sensitive());
        std::fs::write(&file, "c0ffee").unwrap();
        let error = authorization(&file).unwrap_err().to_string();
        assert!(error.contains("user@realm!id=secret") && !error.contains("c0ffee"), "{error}");
        assert!(authorization(&dir.path().join("none")).is_err());
    }

    #[test]
    fn statuses_mean_what_the_api_means_by_them() {
        let config = ClusterConfig {
            nodes: vec![super::super::NodeConfig {
                name: "pve1".to_owned(),
                address: "127.0.0.1".to_owned(),
                fingerprint: super::super::Fingerprint([0; 32]),
                ssh_address: None,
                ssh_host_key: None,
            }],
            ..ClusterConfig::default()
        };
        let limits = super::super::Limits::default();
        assert!(Api::new(&config, limits).is_err(), "a token is needed");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "jarvis@pve!reader=c0ffee\n").unwrap();
        let api = Api::new(&ClusterConfig { token_file: Some(file), ..config }, limits).unwrap();
        let cases = [
            (401, "", GapReason::Forbidden),
            (403, "Permission check failed (/, Sys.Audit)", GapReason::Forbidden),
            (500, "Configuration file 'x.conf' does not exist", GapReason::Missing),
            (500, "hostname lookup 'pve9' failed", GapReason::Missing),
            (500, "cluster not ready - no quorum?", GapReason::Failed),
            (501, "", GapReason::Failed),
            (595, "", GapReason::NodeUnknown),
            (599, "", GapReason::NodeUnknown),
        ];
        for (status, complaint, reason) in cases {
            let error = api.endpoints[0].refusal(status, "/x", Some(complaint.to_owned()));
            assert_eq!(error.reason, reason, "{status} {complaint}");
        }
    }
}
