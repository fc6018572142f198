//! What only the owner may do from the page: answer questions about changes, set and release the kill switch.
//!
//! The owner shows the token in `page.token` of the state folder once and gets a session: a cookie that scripts cannot read and other
//! sites cannot send, and a second token that every request must name in a header, which no form of another site can. Sessions live in
//! memory and end with the daemon.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::header::{CACHE_CONTROL, COOKIE, HOST, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jarvis_core::approval::Channel;
use jarvis_core::hex::hex;
use jarvis_core::ids::ApprovalId;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::Shared;
use crate::whole_file;

/// Sessions at once; the oldest goes for a new one.
const SESSIONS_MAX: usize = 16;
/// A session ends after so long.
const SESSION: Duration = Duration::from_secs(12 * 60 * 60);
/// Wrong tokens within [`WRONG_WINDOW`] after which none is looked at.
const WRONG_MAX: usize = 5;
/// See [`WRONG_MAX`].
const WRONG_WINDOW: Duration = Duration::from_secs(60);
/// Permission bits that let somebody else read or change the token's file.
const OTHERS: u32 = 0o077;
/// Shortest token: whoever writes one himself shall not make it easy.
const TOKEN_CHARS_MIN: usize = 32;
/// So much of its file is read.
const TOKEN_BYTES_MAX: u64 = 1024;
/// The cookie's name.
const NAME: &str = "jarvis";
/// The header that names the session's second token.
const CSRF: &str = "x-jarvis-csrf";
/// Approvals shown.
const SHOWN: u32 = 20;

/// Who is let in.
pub(super) struct Owner {
    token: String,
    sessions: Mutex<Sessions>,
    random: SystemRandom,
}

#[derive(Default)]
struct Sessions {
    open: HashMap<String, Session>,
    wrong: Vec<Instant>,
}

struct Session {
    csrf: String,
    begun: Instant,
}

impl Owner {
    /// With the token in `state_dir`, which is drawn where there is none.
    ///
    /// # Errors
    /// Where it can't be made, or what is there can't be taken for a secret; says what to do.
    pub(super) fn open(state_dir: &Path) -> io::Result<Arc<Self>> {
        let random = SystemRandom::new();
        let path = state_dir.join("page.token");
        let token = match kept(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let token = draw(&random)?;
                whole_file::replace(&path, format!("{token}\n").as_bytes()).map_err(|error| at(&path, &error))?;
                token
            }
            found => found?,
        };
        Ok(Arc::new(Self { token, sessions: Mutex::default(), random }))
    }

    /// A session for whoever shows the token: its cookie and its second token.
    fn enter(&self, token: &str) -> Result<(String, String), Response> {
        let now = Instant::now();
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.wrong.retain(|at| now.duration_since(*at) < WRONG_WINDOW);
        if sessions.wrong.len() >= WRONG_MAX {
            return Err(told(StatusCode::TOO_MANY_REQUESTS, "Too many wrong tokens: wait a minute."));
        }
        if !same(token.trim().as_bytes(), self.token.as_bytes()) {
            sessions.wrong.push(now);
            return Err(told(StatusCode::FORBIDDEN, "That is not the token in page.token of the state folder."));
        }
        let drawn = draw(&self.random).and_then(|cookie| Ok((cookie, draw(&self.random)?)));
        let Ok((cookie, csrf)) = drawn else {
            return Err(told(StatusCode::INTERNAL_SERVER_ERROR, "No random bytes can be had."));
        };
        sessions.open.retain(|_, session| now.duration_since(session.begun) < SESSION);
        if sessions.open.len() >= SESSIONS_MAX {
            let oldest = sessions.open.iter().min_by_key(|(_, session)| session.begun).map(|(name, _)| name.clone());
            oldest.and_then(|name| sessions.open.remove(&name));
        }
        sessions.open.insert(cookie.clone(), Session { csrf: csrf.clone(), begun: now });
        Ok((cookie, csrf))
    }

    /// The second token of the session that a request belongs to.
    fn session(&self, headers: &HeaderMap) -> Option<String> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let ours = cookies.flat_map(|text| text.split(';')).find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == NAME).then_some(value)
        })?;
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.open.get(ours)?;
        (session.begun.elapsed() < SESSION).then(|| session.csrf.clone())
    }

    /// Whether a request may change something: from our own page, in a session, naming its second token.
    fn admits(&self, headers: &HeaderMap) -> Result<(), Response> {
        same_origin(headers)?;
        let Some(csrf) = self.session(headers) else {
            return Err(told(StatusCode::UNAUTHORIZED, "Sign in first."));
        };
        let named = headers.get(CSRF).map_or(&b""[..], |value| value.as_bytes());
        if same(named, csrf.as_bytes()) {
            return Ok(());
        }
        Err(told(StatusCode::FORBIDDEN, "That did not come from this page."))
    }
}

/// Browsers say where a request that changes something comes from; it must be this page.
fn same_origin(headers: &HeaderMap) -> Result<(), Response> {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let origin = headers.get(ORIGIN).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let from = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    if from.is_some_and(|from| !from.is_empty() && from == host) {
        return Ok(());
    }
    Err(told(StatusCode::FORBIDDEN, "That did not come from this page."))
}

/// Compares digests, so that the time it takes tells nothing of the secret.
fn same(given: &[u8], secret: &[u8]) -> bool {
    Sha256::digest(given) == Sha256::digest(secret)
}

fn draw(random: &SystemRandom) -> io::Result<String> {
    let mut bytes = [0; 24];
    random.fill(&mut bytes).map_err(|_| io::Error::other("no random bytes can be had"))?;
    Ok(hex(&bytes))
}

/// The token that is kept at `path`.
fn kept(path: &Path) -> io::Result<String> {
    let meta = fs::metadata(path).map_err(|error| at(path, &error))?;
    if meta.permissions().mode() & OTHERS != 0 {
        let what = "others may read or change it: `chmod 0600` it, or remove it where somebody may have read it: a new one is drawn";
        return Err(at(path, &io::Error::other(what)));
    }
    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(TOKEN_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|error| at(path, &error))?;
    match text.trim() {
        token if token.len() >= TOKEN_CHARS_MIN => Ok(token.to_owned()),
        _ => Err(at(path, &io::Error::other("it is too short for a token: remove it, and a new one is drawn"))),
    }
}

/// The same error with the file it is about.
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn told(status: StatusCode, text: &str) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], format!("{text}\n")).into_response()
}

fn answer(value: serde_json::Value) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(value)).into_response()
}

fn failed(error: impl std::fmt::Display) -> Response {
    told(StatusCode::CONFLICT, &error.to_string())
}

type Body<T> = Result<Json<T>, JsonRejection>;

fn body<T>(body: Body<T>) -> Result<T, Response> {
    body.map(|Json(body)| body).map_err(|error| told(StatusCode::BAD_REQUEST, &error.body_text()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Yes {
    id: i64,
    seal: String,
    words: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct No {
    id: i64,
}

/// Questions and their ends, for whoever may see the page; the words that are told nowhere else, for its owner alone.
pub(super) async fn approvals(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let safety = &shared.house.safety;
    let past = match shared.owner.session(&headers) {
        Some(_) => safety.past_with_words(SHOWN).await,
        None => safety.past(SHOWN).await,
    };
    match past {
        Ok(past) => answer(json!(past)),
        Err(error) => told(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

/// Whether this browser is signed in, and its second token.
pub(super) async fn session(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    answer(json!({"csrf": shared.owner.session(&headers)}))
}

pub(super) async fn enter(State(shared): State<Shared>, headers: HeaderMap, given: Body<Token>) -> Response {
    let entered = same_origin(&headers).and_then(|()| body(given)).and_then(|given| shared.owner.enter(&given.token));
    match entered {
        Ok((cookie, csrf)) => {
            let max_age = SESSION.as_secs();
            let cookie = format!("{NAME}={cookie}; HttpOnly; SameSite=Strict; Path=/; Max-Age={max_age}");
            ([(SET_COOKIE, cookie)], answer(json!({"csrf": csrf}))).into_response()
        }
        Err(refused) => refused,
    }
}

pub(super) async fn approve(State(shared): State<Shared>, headers: HeaderMap, yes: Body<Yes>) -> Response {
    let yes = match shared.owner.admits(&headers).and_then(|()| body(yes)) {
        Ok(yes) => yes,
        Err(refused) => return refused,
    };
    match shared.house.safety.approve_second(ApprovalId(yes.id), Channel::Page, &yes.seal, yes.words).await {
        Ok(()) => answer(json!({"approved": yes.id})),
        Err(error) => failed(error),
    }
}

pub(super) async fn deny(State(shared): State<Shared>, headers: HeaderMap, no: Body<No>) -> Response {
    let no = match shared.owner.admits(&headers).and_then(|()| body(no)) {
        Ok(no) => no,
        Err(refused) => return refused,
    };
    match shared.house.safety.refuse(ApprovalId(no.id), "page").await {
        Ok(true) => answer(json!({"denied": no.id})),
        Ok(false) => failed("that question is not open any more"),
        Err(error) => failed(error),
    }
}

pub(super) async fn stop(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if let Err(refused) = shared.owner.admits(&headers) {
        return refused;
    }
    match shared.house.safety.stop("page").await {
        Ok(()) => answer(json!(shared.house.safety.switch().state())),
        Err(error) => failed(error),
    }
}

pub(super) async fn resume(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    if let Err(refused) = shared.owner.admits(&headers) {
        return refused;
    }
    match shared.house.safety.resume("page").await {
        Ok(()) => answer(json!(shared.house.safety.switch().state())),
        Err(error) => failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(state_dir: &Path) -> Result<String, String> {
        Owner::open(state_dir).map(|owner| owner.token.clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_is_drawn_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let drawn = token(folder.path()).unwrap();
        assert_eq!(drawn.len(), 48);
        assert_eq!(token(folder.path()), Ok(drawn.clone()));
        let path = folder.path().join("page.token");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_file(&path).unwrap();
        assert_ne!(token(folder.path()), Ok(drawn), "whoever removes it has another");
    }

    #[test]
    fn what_others_may_read_and_what_is_no_token_is_refused_and_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.token");
        let own = "an owner's own token of many words";
        for (text, mode, remedy) in [
            (own, 0o640, "chmod 0600"),
            (own, 0o602, "chmod 0600"),
            ("short", 0o600, "remove it"),
            ("", 0o600, "remove it"),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = token(folder.path()).unwrap_err();
            assert!(refused.contains(remedy) && refused.contains("page.token"), "{refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        fs::write(&path, own).unwrap();
        assert_eq!(token(folder.path()).as_deref(), Ok(own));
        // Nor is another one drawn where it can't be read at all.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        token(folder.path()).unwrap_err();
        assert!(path.is_dir());
    }
}
