//! The owner at the page, as his browser signs in: for the two words of a question that are shown there and told nowhere else, and for
//! those that were spoken in a room and are confirmed there.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};

/// For what a loaded machine does in the end.
const PATIENT: Duration = Duration::from_secs(60);

/// A browser that is signed in.
struct Signed {
    client: Client,
    page: String,
    cookie: String,
    csrf: String,
}

impl Signed {
    /// At the page at `page` (`http://127.0.0.1:1`) with the token in `state_dir`.
    async fn in_at(page: &str, state_dir: &Path) -> Result<Self> {
        let (client, page) = (client()?, page.trim_end_matches('/').to_owned());
        let token = std::fs::read_to_string(state_dir.join("page.token")).context("the page's token")?;
        let body = json!({"token": token.trim()}).to_string();
        let entering = client.post(format!("{page}/api/session")).header(CONTENT_TYPE, "application/json");
        let entered = entering.header(ORIGIN, &page).body(body).send().await?.error_for_status()?;
        let cookie = entered.headers().get(SET_COOKIE).context("no session")?.to_str()?;
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let told: Value = serde_json::from_str(&entered.text().await?)?;
        let csrf = told["csrf"].as_str().context("a second token")?.to_owned();
        Ok(Self { client, page, cookie, csrf })
    }

    /// The approvals as they are shown here.
    async fn approvals(&self) -> Result<Value> {
        let asked = self.client.get(format!("{}/api/approvals", self.page)).header(COOKIE, &self.cookie);
        Ok(serde_json::from_str(&asked.send().await?.error_for_status()?.text().await?)?)
    }
}

fn client() -> Result<Client> {
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    Ok(Client::builder().no_proxy().timeout(PATIENT).build()?)
}

/// The two words of question `id`, from the page at `page` (`http://127.0.0.1:1`) with the token in `state_dir`.
///
/// # Errors
/// Where the page lets nobody in, or shows no words to him, or shows them to whoever is not signed in.
pub async fn words(page: &str, state_dir: &Path, id: i64) -> Result<Vec<String>> {
    let owner = Signed::in_at(page, state_dir).await?;
    let stranger = shown(page).await?;
    ensure!(words_of(&stranger, id)?.is_null(), "a stranger sees the words: {stranger}");
    let shown = owner.approvals().await?;
    let words = words_of(&shown, id)?.as_str().with_context(|| format!("no words for question {id}: {shown}"))?;
    Ok(words.split_whitespace().map(str::to_owned).collect())
}

/// Confirms `words`, which were spoken with question `id` in its room, on that page.
///
/// # Errors
/// Where the page lets nobody in, or takes no yes.
pub async fn confirm(page: &str, state_dir: &Path, id: i64, words: &str) -> Result<()> {
    let owner = Signed::in_at(page, state_dir).await?;
    let shown = owner.approvals().await?;
    let body = json!({"id": id, "seal": question(&shown, id)?["seal"], "words": words}).to_string();
    let yes = owner.client.post(format!("{}/api/approve", owner.page)).header(CONTENT_TYPE, "application/json");
    let yes = yes.header(ORIGIN, &owner.page).header(COOKIE, &owner.cookie).header("x-jarvis-csrf", &owner.csrf);
    let told = yes.body(body).send().await?;
    let (status, text) = (told.status(), told.text().await?);
    ensure!(status.is_success(), "the page took no yes: {status} {text}");
    Ok(())
}

/// What the page shows of every question, to whoever looks.
///
/// # Errors
/// Where it does not answer.
pub async fn shown(page: &str) -> Result<Value> {
    let asked = client()?.get(format!("{}/api/approvals", page.trim_end_matches('/'))).send().await?;
    Ok(serde_json::from_str(&asked.error_for_status()?.text().await?)?)
}

fn words_of(approvals: &Value, id: i64) -> Result<&Value> {
    question(approvals, id)?.get("words").context("a field for words")
}

fn question(approvals: &Value, id: i64) -> Result<&Value> {
    let all = approvals.as_array().context("a list of approvals")?;
    all.iter().find(|approval| approval["id"] == id).with_context(|| format!("question {id}"))
}
