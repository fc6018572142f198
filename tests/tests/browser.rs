//! The status page in a real browser: its script runs, and what strangers wrote stays text.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::process::{Command, Output};
use std::time::Duration;

use jarvis_tests::browser::{Browser, installed};
use jarvis_tests::office::{GUEST, Office};
use jarvis_tests::process::{Process, programs, wait_for};
use jarvis_tests::told;
use serde_json::{Value, json};

const PATIENT: Duration = Duration::from_secs(60);
/// A guest's name as somebody would write it who wants to run a script in the owner's browser.
const HOSTILE: &str = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>";

/// Texts of every node of the page that a selector finds.
fn texts(browser: &mut Browser, selector: &str) -> Vec<String> {
    let found = browser.evaluate(&format!("[...document.querySelectorAll({selector:?})].map((n) => n.textContent)"));
    found.unwrap().as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// An expression: whether what a selector finds holds a text.
fn holds(selector: &str, text: &str) -> String {
    format!("[...document.querySelectorAll({selector:?})].some((n) => n.textContent.includes({}))", json!(text))
}

/// Types a request, once the daemon knows the guests.
fn ask(office: &Office, text: &str, known: &str) -> String {
    let answered = wait_for("an answer about the guest", PATIENT, || {
        let reply = office.ctl_json(&["ask", text])?["reply"].as_str().unwrap_or_default().to_owned();
        Ok(reply.contains(known).then_some(reply))
    });
    answered.unwrap()
}

fn satellite(office: &Office, arguments: &[&str]) -> Command {
    let mut command = Command::new(programs().unwrap().join("jarvis-satellite"));
    command.arg("--config").arg(office.dir().join("satellite.toml")).args(arguments);
    command
}

/// A satellite without sound.
fn enrolled(office: &Office, room: &str) -> Process {
    let state = office.dir().join("satellite");
    let text = format!("state_dir = {state:?}\n[audio]\nbackend = \"null\"\n");
    std::fs::write(office.dir().join("satellite.toml"), text).unwrap();
    let code = office.ctl_json(&["enrol", room]).unwrap()["code"].as_str().unwrap().to_owned();
    let Output { status, stderr, .. } = satellite(office, &["enrol", &code]).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    Process::start("jarvis-satellite", &mut satellite(office, &[]), &office.dir().join("satellite.log")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_shows_turns_nodes_and_satellites_and_makes_no_markup_of_names() {
    if !installed() {
        told::not_run("browser", "the status page in a real browser: chromium is not installed").unwrap();
        return;
    }
    let office = Office::start("", "").await.unwrap();
    let _satellite = enrolled(&office, "kitchen");
    let mut browser = Browser::open(&office.page()).unwrap();
    browser.until("document.querySelector('#connection')?.textContent === 'Live'").unwrap();
    browser.until(&holds("#satellite-list li", "kitchen")).unwrap();
    browser.until(&holds("#satellite-list li", "connected")).unwrap();
    let nodes: Vec<String> = ["pve1", "pve2", "pve3", "pve4"].map(str::to_owned).into();
    browser.until("document.querySelectorAll('#node-list li').length === 4").unwrap();
    assert_eq!(texts(&mut browser, "#node-list bdi"), nodes);

    // A typed turn, as it happens and then among the earlier ones.
    let reply = ask(&office, "is one one two running", "test-machine");
    browser.until(&holds("#live .asked", "is one one two running")).unwrap();
    // It is drawn sentence by sentence.
    let first = reply.split_inclusive(". ").next().unwrap().trim();
    browser.until(&holds("#live .said", first)).unwrap();
    browser.until(&holds("#live .phase", "Done")).unwrap();
    browser.until(&holds("#turn-list .reply", &reply)).unwrap();
    browser.until(&holds("#live .steps", "Answered by the local grammar")).unwrap();

    // What is put in writing stays with its turn, when the page is opened anew as well.
    office.ctl_json(&["ask", "put that on the page"]).unwrap();
    for _ in 0..2 {
        browser.until(&holds("#turn-list .more", &reply)).unwrap();
        browser.reload().unwrap();
    }

    // A name that is markup, in an answer; and words that are, in a request.
    office.cluster.change(|state| {
        state.guests.iter_mut().filter(|guest| guest.vmid == GUEST).for_each(|guest| guest.name = Some(HOSTILE.into()))
    });
    let reply = ask(&office, "is one one two running", "<img");
    let asked = "<script>document.title='owned'</script> is this text";
    office.ctl_json(&["ask", asked]).unwrap();
    for turn in 0..2 {
        browser.until(&holds("#turn-list .reply", &reply)).unwrap();
        browser.until(&holds("#turn-list .words", asked)).unwrap();
        // The notices have bold titles of their own.
        for tag in ["img", "script", "b:not(.notice > b)"] {
            let found = browser.evaluate(&format!("document.querySelectorAll('main {tag}').length")).unwrap();
            assert_eq!(found, json!(0), "{tag} in a page that was opened {turn} times anew");
        }
        assert_eq!(browser.evaluate("document.title").unwrap(), json!("Jarvis"), "no script of a stranger ran");
        // The same from what is stored, when the page is opened anew.
        browser.reload().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wide_table_is_scrolled_by_itself_and_a_long_note_is_shown_whole() {
    if !installed() {
        told::not_run("browser-notes", "notes in a real browser: chromium is not installed").unwrap();
        return;
    }
    let office = Office::start("", "").await.unwrap();
    let mut browser = Browser::open(&office.page()).unwrap();
    ask(&office, "is one one two running", "test-machine");
    let row = "| a cell that is wide ".repeat(100);
    let note = format!("{}\n\n{row}\n{row}\n\nThe last words.", "a word, ".repeat(400));
    // It stands among the live ones if the page was open when it was asked, and among the earlier ones if not.
    const PLACE: &str = "document.querySelector('#live .more, #turn-list .more')";
    browser.until(&format!("{PLACE} !== null")).unwrap();
    // At once: the page draws what it knows again whenever something happens.
    let look = format!(
        "(() => {{
            const note = {PLACE};
            note.closest('details')?.setAttribute('open', '');
            fillNote(note, {});
            const [page, table] = [document.documentElement, note.querySelector('.columns')];
            return {{
                page_fits: page.scrollWidth <= page.clientWidth,
                table_scrolls: table.scrollWidth > table.clientWidth && table.tabIndex === 0,
                blocks: note.children.length,
                shown: note.innerText.includes('The last words.'),
            }};
        }})()",
        json!(note)
    );
    let seen = browser.evaluate(&look).unwrap();
    assert_eq!(seen, json!({"page_fits": true, "table_scrolls": true, "blocks": 3, "shown": true}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_signs_in_and_answers_a_question_in_his_browser() {
    if !installed() {
        told::not_run("browser-owner", "the owner's answers in a real browser: chromium is not installed").unwrap();
        return;
    }
    let office = Office::start("", "").await.unwrap();
    let mut browser = Browser::open(&office.page()).unwrap();
    ask(&office, "turn on one one two", "page");
    browser.until(&holds("#question-list .stage", "waits for an answer")).unwrap();
    assert_eq!(browser.evaluate("document.querySelector('.reply-form').hidden").unwrap(), json!(true), "not signed in");
    let token = std::fs::read_to_string(office.state_dir().join("page.token")).unwrap();
    let enter = format!(
        "document.querySelector('#token').value = {}, document.querySelector('#enter').requestSubmit()",
        json!(token.trim())
    );
    browser.evaluate(&enter).unwrap();
    browser.until("document.querySelector('.reply-form')?.hidden === false").unwrap();
    assert_eq!((office.running(), office.deeds()), (false, 0));
    browser.evaluate("document.querySelector('.reply-form button').click()").unwrap();
    browser.until(&holds("#question-list .stage", "done")).unwrap();
    assert_eq!((office.running(), office.deeds()), (true, 1), "what was shown was done, once");

    browser.evaluate("document.querySelector('#power-button').click()").unwrap();
    browser.until(&holds("#power", "stopped by page")).unwrap();
    let power: Value = office.ctl_json(&["status"]).unwrap()["power"]["power"].clone();
    assert_eq!(power, json!("stopped"));
}
