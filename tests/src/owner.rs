//! The owner at the page, as his browser signs in: for the two words of a question that are shown there and told nowhere else.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};

/// For what a loaded machine does in the end.
const PATIENT: Duration = Duration::from_secs(60);

/// The two words of question `id`, from the page at `page` (`http://127.0.0.1:1`) with the token in `state_dir`.
///
/// # Errors
/// Where the page lets nobody in, or shows no words to him, or shows them to whoever is not signed in.
pub async fn words(page: &str, state_dir: &Path, id: i64) -> Result<Vec<String>> {
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let page = page.trim_end_matches('/');
    let client = Client::builder().no_proxy().timeout(PATIENT).build()?;
    let token = std::fs::read_to_string(state_dir.join("page.token")).context("the page's token")?;
    let body = json!({"token": token.trim()}).to_string();
    let entering = client.post(format!("{page}/api/session")).header(CONTENT_TYPE, "application/json");
    let entered = entering.header(ORIGIN, page).body(body).send().await?.error_for_status()?;
    let cookie = entered.headers().get(SET_COOKIE).context("no session")?.to_str()?;
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let approvals = format!("{page}/api/approvals");
    let stranger: Value = serde_json::from_str(&client.get(&approvals).send().await?.text().await?)?;
    ensure!(find(&stranger, id)?.is_null(), "a stranger sees the words: {stranger}");
    let shown: Value =
        serde_json::from_str(&client.get(&approvals).header(COOKIE, cookie).send().await?.text().await?)?;
    let words = find(&shown, id)?.as_str().with_context(|| format!("no words for question {id}: {shown}"))?;
    Ok(words.split_whitespace().map(str::to_owned).collect())
}

fn find(approvals: &Value, id: i64) -> Result<&Value> {
    let all = approvals.as_array().context("a list of approvals")?;
    let found = all.iter().find(|approval| approval["id"] == id).with_context(|| format!("question {id}"))?;
    found.get("words").context("a field for words")
}
