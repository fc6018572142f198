//! Who is asked, what it costs, and who is passed over: providers with a meter, over real connections.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use jarvis_core::costs::{Level, Notice, Span};
use jarvis_core::ids::TurnId;
use jarvis_core::mind::error::{Fault, Unpaid};
use jarvis_core::mind::message::Delta;
use jarvis_core::mind::models::Models;
use jarvis_core::mind::prices::MicroUsd;
use jarvis_core::route::Plan;
use jarvis_tests::model_server::{ModelServer, Script, Step};
use jarvisd::event::{Bus, EventKind, Told};
use jarvisd::mind::{Books, Catalogue, Minds, MindsConfig, Occasion, today};
use jarvisd::store::{By, CostLine, Store};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{Kind, ask, question};

/// Longer than anything here takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(30);

struct House {
    minds: Minds,
    store: Store,
    bus: Bus,
    _tasks: JoinSet<()>,
    _dir: TempDir,
}

/// A local model and Claude at these addresses; `more` goes on the configuration.
fn house(local: &str, cloud: &str, more: &str) -> House {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, "sk-test-key\n").unwrap();
    let text = format!(
        "{more}\n[[providers]]\nkind = 'openai'\nname = 'qwen'\nurl = '{local}'\nmodel = 'qwen3'\n\
         [[providers]]\nkind = 'claude'\nurl = '{cloud}'\nmodel = 'claude-opus-5-5'\nkey_file = '{}'",
        key.display()
    );
    let config: MindsConfig = toml::from_str(&text).unwrap();
    let (store, _) = Store::open(&dir.path().join("jarvis.db")).unwrap();
    let bus = Bus::new();
    let (books, keeper) = Books::open(store.clone(), config.budget.caps(), bus.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(keeper.run(books.clone()));
    let minds = Minds::new(&config, &Catalogue::new(Models::built_in().unwrap()), books).unwrap();
    House { minds, store, bus, _tasks: tasks, _dir: dir }
}

impl House {
    async fn plan(&self, text: &str) -> Plan {
        self.minds.plan(text, &BTreeSet::new(), 500, 400).await
    }

    fn claude(&self) -> Arc<dyn jarvisd::mind::Provider> {
        let occasion = Occasion { turn: Some(TurnId(7)), room: "study".to_owned() };
        self.minds.provider("claude", occasion).unwrap()
    }

    async fn books(&self) -> Vec<CostLine> {
        self.store.cost_figures(By::Model, today().first_of_month()).await.unwrap()
    }
}

async fn well(kind: Kind) -> ModelServer {
    ModelServer::start([Script::stream(kind.says("Well."))]).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_paid_for_to_the_micro_dollar() {
    let (local, cloud) = (well(Kind::OpenAi).await, well(Kind::Claude).await);
    let house = house(&local.url(), &cloud.url(), "");
    let plan = house.plan("debug it").await;
    assert_eq!(plan.asks, ["claude", "qwen"]);
    assert_eq!(ask(&house.claude(), question("debug it")).await.spoken(), "Well.");
    let lines = house.books().await;
    // 9 tokens read and 5 written, at $4 and $20 a million.
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!((line.key.as_str(), line.cost, line.open), ("claude claude-opus-5-5", MicroUsd(136), MicroUsd(0)));
    let local = house.minds.provider("qwen", Occasion::default()).unwrap();
    assert_eq!(ask(&local, question("and you?")).await.spoken(), "Well.");
    let lines = house.books().await;
    assert_eq!((lines.len(), lines[1].cost), (2, MicroUsd(0)), "what costs nothing is in the books as well");
    let rooms = house.store.cost_figures(By::Room, today().first_of_month()).await.unwrap();
    assert_eq!(rooms.iter().map(|line| line.key.as_str()).collect::<Vec<_>>(), ["study", "typed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_given_up_counts_in_full() {
    let mut steps = Kind::Claude.begin();
    steps.extend([Kind::Claude.words("Well, "), Step::Hang]);
    let cloud = ModelServer::start([Script::stream(steps)]).await.unwrap();
    let house = house("http://127.0.0.1:1/v1", &cloud.url(), "");
    let asked = Arc::new(question("debug it"));
    let mut answer = house.claude().ask(asked).await.unwrap();
    loop {
        match answer.next().await.unwrap().unwrap() {
            Delta::Text { .. } => break,
            _ => continue,
        }
    }
    let open = house.books().await[0].open;
    assert!(open.0 > 400 * 20, "the most that it can cost is set aside: {open}");
    drop(answer);
    cloud.hung_up(1).await.unwrap();
    // The keeper writes it down when it comes to it.
    let settled = async {
        loop {
            let line = house.books().await.remove(0);
            if line.open == MicroUsd(0) {
                break line;
            }
            tokio::task::yield_now().await;
        }
    };
    let line = tokio::time::timeout(PATIENCE, settled).await.unwrap();
    assert_eq!((line.cost, line.unknown), (open, open));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_costs_nothing_and_is_left_alone() {
    let refused =
        Script::refusal(401, &json!({"error": {"type": "authentication_error", "message": "invalid x-api-key"}}));
    let (local, cloud) = (well(Kind::OpenAi).await, ModelServer::start([refused]).await.unwrap());
    let house = house(&local.url(), &cloud.url(), "");
    let outcome = ask(&house.claude(), question("debug it")).await;
    assert_eq!(outcome.error().fault, Fault::WrongKey);
    let line = house.books().await.remove(0);
    assert_eq!((line.cost, line.open, line.unknown), Default::default());
    let plan = house.plan("debug it").await;
    assert_eq!(plan.asks, ["qwen"]);
    assert!(plan.reason.text().ends_with("; claude is passed over, it has failed of late"), "{}", plan.reason.text());
    let status = house.minds.status().await;
    assert_eq!(
        status.minds.iter().map(|mind| (mind.name.as_str(), mind.asked)).collect::<Vec<_>>(),
        [("qwen", true), ("claude", false)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_network_that_is_gone() {
    let local = well(Kind::OpenAi).await;
    // Nobody listens there: the kernel says so at once. That a silent network is given up in time is a constant of the program.
    let house = house(&local.url(), "http://127.0.0.1:1/v1", "");
    let plan = house.plan("debug it").await;
    assert_eq!(plan.asks, ["qwen"]);
    assert!(plan.reason.text().ends_with("claude is passed over, it can't be reached"), "{}", plan.reason.text());
    let nobody = self::house("http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1", "").plan("debug it").await;
    assert_eq!(nobody.asks, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_cap_the_house_answers_alone_and_says_so() {
    let (local, cloud) = (well(Kind::OpenAi).await, well(Kind::Claude).await);
    // Room for one request that is set aside in full, not for two.
    let house = house(&local.url(), &cloud.url(), "budget = { day_usd = 0.02, month_usd = 10 }");
    let mut told = house.bus.listen();
    let dear = || {
        let mut asked = question("debug it");
        asked.max_tokens = 700;
        asked
    };
    let first = house.claude().ask(Arc::new(dear())).await.unwrap();
    let outcome = ask(&house.claude(), dear()).await;
    assert_eq!(outcome.error().fault, Fault::Budget(Unpaid::Day));
    assert!(outcome.error().to_string().contains("raise day_usd"), "{}", outcome.error());
    assert_eq!(cloud.asked().len(), 1, "what is not paid for is not sent");
    assert_eq!(house.minds.books().take_notice(), Some(Notice { span: Span::Day, level: Level::Spent }));
    assert_eq!(house.minds.books().take_notice(), None, "it is said once");
    let plan = house.minds.plan("debug it", &BTreeSet::new(), 500, 700).await;
    assert_eq!(plan.asks, ["qwen"]);
    assert!(plan.reason.is_out_of_money(), "{:?}", plan.reason);
    let local = house.minds.provider("qwen", Occasion::default()).unwrap();
    assert_eq!(ask(&local, dear()).await.spoken(), "Well.", "what costs nothing goes on");
    // The first is over for far less than was set aside, so there is money again.
    let _all: Vec<_> = first.collect().await;
    assert_eq!(house.minds.plan("debug it", &BTreeSet::new(), 500, 700).await.asks, ["claude", "qwen"]);
    // Four fifths and more of it spent: the house is told.
    let charge = jarvisd::store::Charge {
        turn: None,
        room: String::new(),
        provider: "claude".to_owned(),
        model: "x".to_owned(),
        day: today(),
        at: jarvis_core::ids::WallMillis(0),
        at_most: MicroUsd(17_000),
    };
    let jarvisd::store::Reserved::Yes(id) = house.store.reserve_cost(charge, house.minds.books().caps()).await.unwrap()
    else {
        panic!("it fits")
    };
    house.store.cost_unknown(id, house.minds.books().caps(), jarvis_core::ids::WallMillis(0)).await.unwrap();
    house.minds.status().await;
    let Some(Told::Event(event)) = told.next().await else { panic!("an event was due") };
    let EventKind::Degraded { part, reason, fallback } = &event.kind else { panic!("{event:?}") };
    assert_eq!((part.as_str(), fallback), ("budget", &None));
    assert!(reason.starts_with("$0.017136 of the day's $0.020000 is spent"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_nobody_said_is_refused_until_it_is_given() {
    let cloud = well(Kind::OpenAi).await;
    let other = |price: &str| {
        format!(
            "[[providers]]\nkind = 'openai'\nname = 'other'\nurl = '{}'\nmodel = 'unheard-of'\nlocal = false\n{price}",
            cloud.url()
        )
    };
    let house = house("http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1", &other(""));
    let plan = house.plan("debug it").await;
    assert_eq!(plan.asks, Vec::<String>::new());
    assert!(plan.reason.text().contains("other is passed over, its price is not known"), "{}", plan.reason.text());
    let asked = house.minds.provider("other", Occasion::default()).unwrap();
    let outcome = ask(&asked, question("debug it")).await;
    assert_eq!(outcome.error().fault, Fault::Budget(Unpaid::NoPrice));
    assert!(outcome.error().to_string().contains("write its price"), "{}", outcome.error());
    assert_eq!(cloud.asked().len(), 0);
    let price = "price = { input = 1000000, output = 2000000, cache_write_5m = 0, cache_write_1h = 0, cache_read = 0 }";
    let priced = self::house("http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1", &other(price));
    assert_eq!(priced.plan("debug it").await.asks, ["other"]);
}
