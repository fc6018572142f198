//! What the owner does on the page, as a browser sends it: who is refused, and what a yes, a no, a stop and a resumption do.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use jarvis_tests::office::{GUEST, Office};
use jarvis_tests::process::wait_for;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

const PATIENT: Duration = Duration::from_secs(60);
const CHANGES: [&str; 4] = ["/api/approve", "/api/deny", "/api/stop", "/api/resume"];

/// A browser with the page open.
struct Browser {
    client: Client,
    page: String,
    cookie: Option<String>,
    csrf: Option<String>,
}

impl Browser {
    fn new(office: &Office) -> Self {
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().timeout(PATIENT).build().unwrap();
        Self { client, page: office.page(), cookie: None, csrf: None }
    }

    async fn signed_in(office: &Office) -> Self {
        let mut browser = Self::new(office);
        let token = std::fs::read_to_string(office.state_dir().join("page.token")).unwrap();
        let answer = browser.post("/api/session", json!({"token": token}), &[]).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        for flag in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(flag), "{cookie}");
        }
        browser.cookie = cookie.split(';').next().map(str::to_owned);
        let told: Value = answer.json().await.unwrap();
        browser.csrf = told["csrf"].as_str().map(str::to_owned);
        browser
    }

    /// Sends as the page does; `other` takes the place of headers, an empty value leaves one out.
    async fn post(&self, path: &str, body: Value, other: &[(&str, &str)]) -> reqwest::Response {
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("origin", self.page.clone()),
            ("cookie", self.cookie.clone().unwrap_or_default()),
            ("x-jarvis-csrf", self.csrf.clone().unwrap_or_default()),
        ];
        for (name, value) in other {
            headers.retain(|(known, _)| known != name);
            headers.push((*name, (*value).to_owned()));
        }
        let mut request = self.client.post(format!("{}{path}", self.page)).body(body.to_string());
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, value);
        }
        request.send().await.unwrap()
    }

    async fn status(&self, path: &str, body: Value, other: &[(&str, &str)]) -> StatusCode {
        self.post(path, body, other).await.status()
    }

    async fn get(&self, path: &str) -> String {
        self.client.get(format!("{}{path}", self.page)).send().await.unwrap().text().await.unwrap()
    }

    /// The newest question as the page shows it.
    async fn newest(&self) -> Value {
        serde_json::from_str::<Value>(&self.get("/api/approvals").await).unwrap()[0].clone()
    }

    /// Waits until a question stands somewhere.
    async fn until(&self, id: i64, stage: &str) {
        let deadline = tokio::time::Instant::now() + PATIENT;
        loop {
            let all: Value = serde_json::from_str(&self.get("/api/approvals").await).unwrap();
            let now = all.as_array().unwrap().iter().find(|a| a["id"] == id).unwrap()["stage"].clone();
            if now == stage {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "question {id} is {now}, not {stage}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Has the guest's start asked about; gives the question as the page shows it.
async fn asked(office: &Office, browser: &Browser) -> Value {
    ask(office, "turn on one one two");
    let question = browser.newest().await;
    assert_eq!((&question["stage"], &question["tool"]), (&json!("pending"), &json!("guest_start")), "{question}");
    question
}

/// Asks in writing; gives the answer.
fn ask(office: &Office, text: &str) -> String {
    // Guests are known by name and number once a node has answered.
    let answered = wait_for("an answer about the guest", PATIENT, || {
        let told = office.ctl_json(&["ask", text])?;
        let reply = told["reply"].as_str().unwrap_or_default().to_owned();
        Ok((reply.contains("jarvisctl") || reply.contains("page")).then_some(reply))
    });
    answered.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_changes_anything_without_the_token_the_second_one_and_the_page_itself() {
    let office = Office::start("", "").await.unwrap();
    let stranger = Browser::new(&office);
    let question = asked(&office, &stranger).await;
    let body = json!({"id": question["id"], "seal": question["seal"], "words": null});
    assert_eq!(stranger.get("/api/session").await, "{\"csrf\":null}");
    for path in CHANGES {
        assert_eq!(stranger.status(path, body.clone(), &[]).await, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(
            stranger.client.get(format!("{}{path}", office.page())).send().await.unwrap().status(),
            405,
            "{path}"
        );
    }
    let owner = Browser::signed_in(&office).await;
    let other = Browser::signed_in(&office).await;
    let stolen = other.csrf.clone().unwrap();
    assert_ne!(owner.csrf, other.csrf);
    for path in CHANGES {
        for (why, headers, wanted) in [
            ("no second token", vec![("x-jarvis-csrf", "")], StatusCode::FORBIDDEN),
            ("a wrong second token", vec![("x-jarvis-csrf", "0")], StatusCode::FORBIDDEN),
            ("another session's", vec![("x-jarvis-csrf", stolen.as_str())], StatusCode::FORBIDDEN),
            ("a foreign page", vec![("origin", "http://evil.example")], StatusCode::FORBIDDEN),
            ("a page of no origin", vec![("origin", "null")], StatusCode::FORBIDDEN),
            ("no origin", vec![("origin", "")], StatusCode::FORBIDDEN),
            ("another port", vec![("origin", "http://127.0.0.1:1")], StatusCode::FORBIDDEN),
            (
                "another name",
                vec![("host", "evil.example"), ("origin", "http://evil.example")],
                StatusCode::MISDIRECTED_REQUEST,
            ),
            ("a made-up session", vec![("cookie", "jarvis=00")], StatusCode::UNAUTHORIZED),
            ("no session", vec![("cookie", "")], StatusCode::UNAUTHORIZED),
        ] {
            assert_eq!(owner.status(path, body.clone(), &headers).await, wanted, "{path}: {why}");
        }
    }
    // What a form of another site can send.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let status = owner.status("/api/approve", body.clone(), &[("content-type", kind)]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{kind}");
    }
    for wrong in [json!({}), json!([]), json!({"id": "1"}), json!({"id": 1, "seal": "x", "words": null, "force": true})]
    {
        assert_eq!(owner.status("/api/approve", wrong.clone(), &[]).await, StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert_eq!(
        owner.status("/api/approve", json!({"id": 1, "seal": "x".repeat(8 << 10)}), &[]).await,
        StatusCode::BAD_REQUEST
    );
    assert_eq!((office.running(), office.deeds()), (false, 0));
    assert_eq!(owner.newest().await["stage"], "pending");
    assert_eq!(office.ctl_json(&["status"]).unwrap()["power"]["power"], "on", "nobody stopped it either");
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_the_token_is_slowed_down() {
    let office = Office::start("", "").await.unwrap();
    let browser = Browser::new(&office);
    let enter = async |token: &str| browser.status("/api/session", json!({"token": token}), &[]).await;
    for _ in 0..5 {
        assert_eq!(enter("0123456789abcdef0123456789abcdef0123456789abcdef").await, StatusCode::FORBIDDEN);
    }
    assert_eq!(enter("guess").await, StatusCode::TOO_MANY_REQUESTS);
    let token = std::fs::read_to_string(office.state_dir().join("page.token")).unwrap();
    assert_eq!(enter(&token).await, StatusCode::TOO_MANY_REQUESTS, "the right one is not told from a guess meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_runs_once_what_was_shown_and_a_no_nothing() {
    let office = Office::start("", "").await.unwrap();
    let owner = Browser::signed_in(&office).await;
    let question = asked(&office, &owner).await;
    let id = question["id"].as_i64().unwrap();
    let yes = |seal: &Value| json!({"id": id, "seal": seal, "words": null});
    for seal in [json!("00".repeat(32)), json!(""), json!("zz")] {
        assert_eq!(
            owner.status("/api/approve", yes(&seal), &[]).await,
            StatusCode::CONFLICT,
            "{seal}: not what was shown"
        );
    }
    assert_eq!((office.deeds(), owner.newest().await["stage"].clone()), (0, json!("pending")));
    assert_eq!(owner.status("/api/approve", yes(&question["seal"]), &[]).await, StatusCode::OK);
    owner.until(id, "done").await;
    assert_eq!((office.running(), office.deeds()), (true, 1));
    assert_eq!(owner.status("/api/approve", yes(&question["seal"]), &[]).await, StatusCode::CONFLICT, "replayed");
    assert_eq!(owner.status("/api/deny", json!({"id": id}), &[]).await, StatusCode::CONFLICT, "too late");
    assert_eq!(
        owner.status("/api/approve", json!({"id": 999, "seal": question["seal"], "words": null}), &[]).await,
        StatusCode::CONFLICT
    );

    ask(&office, "restart one one two");
    let question = owner.newest().await;
    let id = question["id"].as_i64().unwrap();
    assert_eq!(owner.status("/api/deny", json!({"id": id}), &[]).await, StatusCode::OK);
    let yes = json!({"id": id, "seal": question["seal"], "words": null});
    assert_eq!(owner.status("/api/approve", yes, &[]).await, StatusCode::CONFLICT, "it was denied");
    assert_eq!((owner.newest().await["stage"].clone(), office.deeds()), (json!("denied"), 1));
    let kinds = office.audited().unwrap();
    assert!(kinds.iter().any(|kind| kind == "not approved") && kinds.iter().any(|kind| kind == "denied"), "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_two_words_are_shown_to_the_owner_alone_and_confirmed_elsewhere() {
    let office = Office::start("", "").await.unwrap();
    office.cluster.change(|state| {
        state.guests.iter_mut().filter(|guest| guest.vmid == GUEST).for_each(|guest| guest.running = true)
    });
    let owner = Browser::signed_in(&office).await;
    // The stream begins with what is there and goes on with what happens: the whole of it is read.
    let stream = owner.client.get(format!("{}/events", office.page())).send().await.unwrap();
    let reply = ask(&office, "force stop one one two");
    let streamed = until_over(stream).await;
    assert!(streamed.contains("force stop one one two"), "it shows the request: {streamed}");
    let again = owner.client.get(format!("{}/events", office.page())).send().await.unwrap();
    let snapshot = first(again).await;
    let question = owner.newest().await;
    let id = question["id"].as_i64().unwrap();
    let words = office.words(id).await.unwrap();
    let spoken = words.join(" ");
    for (name, text) in [
        ("the answer", &reply),
        ("events", &streamed),
        ("snapshot", &snapshot),
        ("turns", &owner.get("/api/turns").await),
        ("approvals, to whoever looks", &owner.get("/api/approvals").await),
        ("status", &owner.get("/api/status").await),
        ("jarvisctl approvals", &office.ctl_json(&["approvals"]).unwrap().to_string()),
        ("jarvisctl audit", &office.ctl_json(&["audit", "-n", "50"]).unwrap().to_string()),
        ("jarvisctl turns", &office.ctl_json(&["turns"]).unwrap().to_string()),
    ] {
        assert!(!text.contains(&spoken), "{name} shows {spoken:?}: {text}");
    }
    // Where they are shown they prove nothing, and a wrong guess there is none of the three.
    let yes = |words: Value| json!({"id": id, "seal": question["seal"], "words": words});
    for given in [json!(null), json!("wrong words"), json!(spoken)] {
        let refused = owner.post("/api/approve", yes(given.clone()), &[]).await;
        assert_eq!(refused.status(), StatusCode::CONFLICT, "{given}");
        assert!(refused.text().await.unwrap().contains("confirmed elsewhere"), "{given}");
    }
    assert_eq!(office.deeds(), 0);
    let id_text = id.to_string();
    let forgotten = office.ctl(&["approve", &id_text]).unwrap();
    assert!(!forgotten.status.success());
    let told = String::from_utf8_lossy(&forgotten.stderr).into_owned();
    assert!(told.contains("needs its two words") && told.contains("WORD WORD"), "{told}");
    let wrong = || -> i64 {
        let db = office.db().unwrap();
        db.query_row("select wrong_words from approvals where id = ?1", [id], |row| row.get(0)).unwrap()
    };
    assert_eq!(wrong(), 0, "whoever forgets them has not guessed");
    assert!(!office.ctl(&["approve", &id_text, "wrong", "words"]).unwrap().status.success());
    let (first_word, second_word) = (words[0].to_uppercase(), words[1].to_uppercase());
    let told = office.ctl(&["approve", &id_text, &first_word, &second_word]).unwrap();
    assert!(told.status.success(), "{told:?}");
    owner.until(id, "done").await;
    assert_eq!((office.running(), office.deeds()), (false, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_holds_across_a_restart_of_the_session_until_it_is_resumed() {
    let office = Office::start("", "").await.unwrap();
    let owner = Browser::signed_in(&office).await;
    let question = asked(&office, &owner).await;
    let id = question["id"].as_i64().unwrap();
    let stopped: Value = owner.post("/api/stop", json!({}), &[]).await.json().await.unwrap();
    assert_eq!((&stopped["power"], &stopped["by"]), (&json!("stopped"), &json!("page")));
    owner.until(id, "denied").await;
    let yes = json!({"id": id, "seal": question["seal"], "words": null});
    assert_eq!(owner.status("/api/approve", yes, &[]).await, StatusCode::CONFLICT, "what was open is void");
    let told = office.ctl_json(&["ask", "turn on one one two"]).unwrap();
    assert!(told["reply"].as_str().unwrap().contains("standing down"), "{told}");
    let resumed: Value = owner.post("/api/resume", json!({}), &[]).await.json().await.unwrap();
    assert_eq!(resumed["power"], "on");
    let again = asked(&office, &owner).await;
    assert_ne!(again["id"], json!(id));
    assert_eq!(office.deeds(), 0);
}

/// Reads a stream of events until a turn is over.
async fn until_over(stream: reqwest::Response) -> String {
    read(stream, "\"turn_done\"").await
}

/// Reads a stream of events until its first one is whole.
async fn first(stream: reqwest::Response) -> String {
    read(stream, "\n\n").await
}

async fn read(mut stream: reqwest::Response, until: &str) -> String {
    let mut text = String::new();
    loop {
        let piece = tokio::time::timeout(PATIENT, stream.chunk()).await.expect("the stream goes on").unwrap();
        text.push_str(&String::from_utf8_lossy(&piece.expect("the stream goes on")));
        // What follows the word belongs to the same event.
        if text.rfind(until).is_some_and(|at| text[at..].contains("\n\n")) {
            return text;
        }
    }
}
