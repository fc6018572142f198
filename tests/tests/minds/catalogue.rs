//! Lists of models: what a provider says of its model is used by the next request, and what is no list changes nothing.

use jarvis_core::ids::UnixSeconds;
use jarvis_core::mind::models::Models;
use jarvis_core::mind::prices::MicroUsd;
use jarvis_tests::model_server::{ModelServer, Script, Step};
use jarvisd::event::Bus;
use jarvisd::mind::{Books, Catalogue, Minds, MindsConfig, Occasion};
use jarvisd::store::Store;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{Kind, ask, question};

/// Claude and a server in the house, and a folder in which what is learnt is kept.
struct House {
    claude: ModelServer,
    qwen: ModelServer,
    minds: Minds,
    store: Store,
    dir: TempDir,
    _tasks: JoinSet<()>,
}

fn minds(dir: &TempDir, store: &Store, claude: &ModelServer, qwen: &ModelServer, tasks: &mut JoinSet<()>) -> Minds {
    let key = dir.path().join("key");
    std::fs::write(&key, "sk-test-key\n").unwrap();
    let text = format!(
        "[[providers]]\nkind = 'claude'\nurl = '{}'\nmodel = 'claude-opus-5-5'\nkey_file = '{}'\n\
         [[providers]]\nkind = 'openai'\nname = 'qwen'\nurl = '{}'\nmodel = 'qwen3'\nwindow_tokens = 32000",
        claude.url(),
        key.display(),
        qwen.url()
    );
    let config: MindsConfig = toml::from_str(&text).unwrap();
    let (books, keeper) = Books::open(store.clone(), config.budget.caps(), Bus::new());
    tasks.spawn(keeper.run(books.clone()));
    let now = UnixSeconds(jiff::Timestamp::now().as_second());
    let catalogue = Catalogue::kept(Models::built_in().unwrap(), dir.path(), now);
    Minds::new(&config, &catalogue, books).unwrap()
}

impl House {
    async fn new() -> Self {
        let claude = ModelServer::start([Script::stream(Kind::Claude.says("Well."))]).await.unwrap();
        let qwen = ModelServer::start([Script::stream(Kind::OpenAi.says("Well."))]).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&dir.path().join("jarvis.db")).unwrap();
        let mut tasks = JoinSet::new();
        let minds = minds(&dir, &store, &claude, &qwen, &mut tasks);
        Self { claude, qwen, minds, store, dir, _tasks: tasks }
    }

    /// Windows of both, as a request would meet them.
    async fn windows(&self) -> (u64, u64) {
        let status = self.minds.status().await;
        (status.minds[0].window_tokens, status.minds[1].window_tokens)
    }

    /// Tokens that the answer to a question may have, as Claude's server is told.
    async fn answer_tokens(&self) -> Value {
        let provider = self.minds.provider("claude", Occasion::default()).unwrap();
        assert_eq!(ask(&provider, question("x")).await.spoken(), "Well.");
        self.claude.asked().last().unwrap().body["max_tokens"].clone()
    }
}

fn claude_list(window: u64, answer: u64) -> Script {
    let line = json!({"type": "model", "id": "claude-opus-5-5", "display_name": "Opus", "max_input_tokens": window, "max_tokens": answer,
        "price": {"input": 0, "output": 0}});
    Script::refusal(200, &json!({"data": [line], "has_more": false}))
}

fn qwen_list(window: u64) -> Script {
    Script::refusal(
        200,
        &json!({"object": "list", "data": [{"id": "qwen3", "object": "model", "max_model_len": window}]}),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_list_says_is_used_by_the_next_request_and_kept() {
    let house = House::new().await;
    assert_eq!((house.windows().await, house.answer_tokens().await), ((1_000_000, 32_000), json!(400)));
    house.claude.offers(claude_list(2_000_000, 300));
    house.qwen.offers(qwen_list(4_096));
    assert!(house.minds.refresh().await);
    assert_eq!(house.windows().await, (2_000_000, 4_096));
    assert_eq!(house.answer_tokens().await, json!(300), "the request after the list goes by it");
    let qwen = house.minds.provider("qwen", Occasion::default()).unwrap();
    let long = "a word or two of the past ".repeat(2_000);
    let mut asked = question("and now?");
    asked.messages.insert(0, jarvis_core::mind::message::Message::user(&long));
    asked.messages.insert(
        1,
        jarvis_core::mind::message::Message {
            role: jarvis_core::mind::message::Role::Assistant,
            blocks: vec![jarvis_core::mind::message::Block::Text { text: "I see.".to_owned() }],
        },
    );
    assert_eq!(ask(&qwen, asked).await.spoken(), "Well.");
    assert!(!house.qwen.asked().last().unwrap().body.to_string().contains("of the past"), "it was made to fit");

    let status = house.minds.status().await;
    assert!(status.minds.iter().all(|mind| mind.listed.day.is_some() && mind.listed.trouble.is_none()), "{status:?}");
    assert!(status.minds[0].price_known);
    let spent = house.store.spent(jarvisd::mind::today()).await.unwrap();
    assert!(spent.day > MicroUsd(0), "a price that a list names is nobody's: {spent:?}");

    // A daemon that is begun anew knows it without asking, and says of when it is.
    let mut tasks = JoinSet::new();
    let again = minds(&house.dir, &house.store, &house.claude, &house.qwen, &mut tasks).status().await;
    let windows: Vec<u64> = again.minds.iter().map(|mind| mind.window_tokens).collect();
    assert_eq!((windows, house.claude.listed()), (vec![2_000_000, 4_096], 1));
    assert!(again.minds.iter().all(|mind| mind.listed.day.is_some()), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_list_changes_nothing_and_is_told() {
    let house = House::new().await;
    house.claude.offers(claude_list(2_000_000, 300));
    house.qwen.offers(qwen_list(4_096));
    assert!(house.minds.refresh().await);
    let stream = |bytes: Vec<u8>| Script::stream([Step::Bytes(bytes)]);
    let huge = format!(
        "{{\"data\": [{{\"id\": \"claude-opus-5-5\", \"max_tokens\": 1000, \"x\": \"{}\"}}]}}",
        "x".repeat(10 << 20)
    );
    for (what, list) in [
        ("garbage", stream(b"\xff\xfe<html>{{{".to_vec())),
        ("10 MB", stream(huge.into_bytes())),
        ("without an end", Script::stream([Step::Forever(vec![b' '; 4096])])),
        ("broken off", Script::stream([Step::Bytes(b"{\"data\": [".to_vec()), Step::Cut])),
        ("of another form", Script::refusal(200, &json!({"data": {"id": 5}}))),
        ("refused", Script::refusal(500, &json!({"error": {"message": "no"}}))),
    ] {
        house.claude.offers(list.clone());
        house.qwen.offers(list);
        assert!(!house.minds.refresh().await, "{what}");
        assert_eq!((house.windows().await, house.answer_tokens().await), ((2_000_000, 4_096), json!(300)), "{what}");
        let status = house.minds.status().await;
        assert!(status.minds.iter().all(|mind| mind.listed.trouble.is_some() && mind.listed.day.is_some()), "{what}");
    }
    // Windows that no model has are not believed; another model's are nobody's here.
    let other = json!({"data": [{"id": "claude-other", "max_input_tokens": 5_000}, {"id": "claude-opus-5-5", "max_input_tokens": u64::MAX, "max_tokens": 0}]});
    house.claude.offers(Script::refusal(200, &other));
    house.qwen.offers(qwen_list(7));
    assert!(house.minds.refresh().await);
    assert_eq!(
        (house.windows().await, house.answer_tokens().await),
        ((1_000_000, 32_000), json!(400)),
        "as if nobody had said"
    );
}
