//! The rows as a transaction and as a thief with the database meet them.

use std::path::PathBuf;

use jarvis_core::approval::{Approver, Bound, Channel, NotApproved, SealKey, Stage};
use jarvis_core::gate::{Ask, Decision, Gate, Identity, Origin, Power, situations};
use jarvis_core::ids::{TurnId, WallMillis};
use jarvis_core::tools::parse;
use rusqlite::Connection;
use serde_json::json;

use super::*;
use crate::store::AuditEntry;

const NOW: WallMillis = WallMillis(1_760_000_000_000);
const ROOM: &str = "study";

struct Home {
    folder: tempfile::TempDir,
    store: Store,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&folder.path().join("jarvis.db")).unwrap();
        store.seal_with(SealKey([7; 32]));
        Self { folder, store }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("jarvis.db")
    }

    /// What somebody does who can write to the database.
    fn edit(&self, sql: &str) {
        let changed = Connection::open(self.database()).unwrap().execute(sql, []).unwrap();
        assert_eq!(changed, 1, "{sql}");
    }

    async fn ask(&self, tool: &str, turn: u64) -> Row {
        let (row, _) = self.asks(tool, turn, ROOM).await;
        row
    }

    async fn asks(&self, tool: &str, turn: u64, room: &str) -> (Row, Vec<ApprovalId>) {
        let ask = ask(tool);
        let words = Some("amber falcon".to_owned());
        let question = "Shall I?".to_owned();
        let bound = Bound::new(&ask, Origin::Owner, Some(room.into()), Some(TurnId(turn)), question, words, NOW);
        self.store.ask_approval(bound, entry("asked"), entry("withdrawn")).await.unwrap()
    }

    async fn stage(&self, id: ApprovalId) -> Stage {
        self.store.approval(id).await.unwrap().unwrap().row.stage
    }

    /// A change begun at `at`, of which nobody knows how it ended.
    async fn lost(&self, identity: Option<Identity>, at: WallMillis) -> ApprovalId {
        let (mut bound, mut begun) = leave_row();
        begun.at = at;
        if let Some(identity) = identity {
            bound.identity = identity;
        }
        let used = LeaveUsed { since: NOW, count: u32::MAX };
        let id = self.store.begin_on_leave(bound, begun, entry("started"), used).await.unwrap().unwrap();
        assert!(self.store.settle_approval(id, Stage::Unknown, "", entry("unknown")).await.unwrap());
        id
    }

    async fn yes(&self, row: &Row, words: Option<&str>) -> Result<(), NotApproved> {
        let by = Approver::Second { channel: Channel::Ctl, seal: row.seal, words: words.map(str::to_owned) };
        self.store.answer_approval(row.id, by, entry("approved")).await.unwrap().unwrap()
    }

    async fn voice(&self, row: &Row) -> Result<(), NotApproved> {
        let by = Approver::Voice { room: ROOM.into() };
        self.store.answer_approval(row.id, by, entry("approved")).await.unwrap().unwrap()
    }
}

fn entry(kind: &'static str) -> AuditEntry {
    AuditEntry { at: NOW, kind, approval: None, salt: [1; 16], content: json!({}), key: SealKey([7; 32]) }
}

fn ask(tool: &str) -> Ask {
    let owned = situations::named("running guest", situations::PLAIN).unwrap();
    let call = parse(tool, r#"{"vmid":104}"#).unwrap();
    match Gate::new().decide(call, &owned.origin, &owned.asker, &owned.situation(), Power::On) {
        Decision::Ask(ask) => ask,
        other => panic!("{other:?}"),
    }
}

fn leave_row() -> (Bound, Begun) {
    let work = ask("guest_shutdown").work;
    let bound = Bound::on_leave(&work, Origin::Owner, Some(ROOM.into()), None, "shut down".into(), NOW);
    (bound, Begun { at: NOW, change: None, inverse: None })
}

#[tokio::test]
async fn every_column_that_is_changed_by_hand_is_refused() {
    // Each column of the row and of its standing; a column that is added later is missing here, and the count below tells.
    let edits = [
        ("approvals", "seal", "zeroblob(32)"),
        ("approvals", "bound", "replace(bound, 'guest_shutdown', 'guest_stop')"),
        ("approvals", "stage", "'started'"),
        ("approvals", "approved_by", "'page'"),
        ("approvals", "clears_ms", "1"),
        ("approvals", "wrong_words", "2"),
        ("approvals", "room", "'kitchen'"),
        ("approvals", "asked_ms", "1"),
        ("approvals", "expires_ms", "9999999999999"),
        ("approvals", "started_ms", "1"),
        ("approvals", "change", "null"),
        ("approvals", "upid", "'UPID:pve1:1'"),
        ("approvals", "outcome", "'well'"),
        ("approvals", "ended_ms", "1"),
        ("approvals", "inverse", "'{\"tool\":\"guest_stop\",\"args\":\"{\\\"vmid\\\":103}\"}'"),
        ("approvals", "undone_by", "id"),
        ("approval_standings", "spoken_ms", "1"),
        ("approval_standings", "seal", "zeroblob(32)"),
    ];
    let home = Home::new();
    let columns: i64 = Connection::open(home.database())
        .unwrap()
        .query_row("select (select count(*) from pragma_table_info('approvals')) + (select count(*) from pragma_table_info('approval_standings'))", [], |row| row.get(0))
        .unwrap();
    assert_eq!(columns, edits.len() as i64 + 2, "every column but the two numbers of the row");
    let key = SealKey([7; 32]);
    for (table, column, value) in edits {
        let row = home.ask("guest_shutdown", 1).await;
        home.yes(&row, None).await.unwrap();
        let change = format!("update approvals set change = '{}' where id = {}", change_json(), row.id);
        if column == "change" {
            // There must be one to be taken out; the seal is made anew over it, as the store does.
            home.edit(&change);
            let (id, key) = (row.id, key.clone());
            home.store.run(move |tx| seal_anew(tx, id, &key)).await.unwrap();
        }
        let before = home.store.approval(row.id).await.unwrap().unwrap();
        assert!(before.row.is_sealed_by(&key), "{column}: sealed while nobody touched it");
        let name = if table == "approvals" { "id" } else { "approval_id" };
        home.edit(&format!("update {table} set {column} = {value} where {name} = {}", row.id));
        let after = home.store.approval(row.id).await.unwrap().unwrap();
        assert!(!after.row.is_sealed_by(&key), "{column} can be changed without a trace");
        let owned = situations::named("running guest", situations::PLAIN).unwrap();
        let redeemed = Gate::new().redeem(&after.row, &key, &owned.situation(), Power::On, NOW);
        assert!(redeemed.is_err(), "{column}");
        // Nor does a later move bless what was changed; it can still be closed.
        let opened = home.store.step_approval(row.id, &["approved", "started"], Stage::Started, entry("started")).await;
        assert!(!opened.unwrap(), "{column}");
        assert!(
            home.store.step_approval(row.id, &["approved", "started"], Stage::Cancelled, entry("x")).await.unwrap()
        );
        assert!(!home.store.approval(row.id).await.unwrap().unwrap().row.is_sealed_by(&key), "{column}");
    }
}

fn change_json() -> String {
    let owned = situations::named("running guest", situations::PLAIN).unwrap();
    let call = parse("guest_shutdown", r#"{"vmid":104}"#).unwrap();
    match call.effect(&owned.situation()).unwrap() {
        jarvis_core::tools::Effect::Change(change) => serde_json::to_string(&change).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_pending_question_that_is_made_to_look_approved_does_not_run() {
    let home = Home::new();
    let row = home.ask("guest_shutdown", 1).await;
    home.edit(&format!(
        "update approvals set stage = 'approved', approved_by = 'voice in study', clears_ms = 1 where id = {}",
        row.id
    ));
    let forged = home.store.approval(row.id).await.unwrap().unwrap().row;
    let owned = situations::named("running guest", situations::PLAIN).unwrap();
    let redeemed = Gate::new().redeem(&forged, &SealKey([7; 32]), &owned.situation(), Power::On, NOW);
    assert_eq!(redeemed.unwrap_err(), jarvis_core::gate::NotRedeemed::Altered);
}

#[tokio::test]
async fn a_yes_means_what_was_heard_last_and_nothing_before_it() {
    let home = Home::new();
    let first = home.ask("guest_shutdown", 1).await;
    assert_eq!(home.voice(&first).await, Err(NotApproved::NotSpoken), "nobody heard it yet");
    assert_eq!(home.store.close_questions(TurnId(1), Some(first.id), entry("x")).await.unwrap(), [first.id]);
    let (second, void) = home.asks("guest_reboot", 2, ROOM).await;
    assert_eq!((void, home.stage(first.id).await), (vec![first.id], Stage::Cancelled));
    assert_eq!(home.voice(&first).await, Err(NotApproved::NotPending));
    home.store.close_questions(TurnId(2), Some(second.id), entry("x")).await.unwrap();
    let (_, elsewhere) = home.asks("guest_reboot", 3, "kitchen").await;
    assert!(elsewhere.is_empty(), "another room's question is its own");
    home.voice(&second).await.unwrap();

    // A turn that was stopped in the middle of its question, and one whose answer was replaced.
    let cut = home.ask("guest_shutdown", 4).await;
    home.store.close_questions(TurnId(4), None, entry("x")).await.unwrap();
    assert_eq!(home.stage(cut.id).await, Stage::Cancelled);
    let red = home.ask("guest_stop", 5).await;
    let asked = home.ask("guest_shutdown", 5).await;
    home.store.close_questions(TurnId(5), Some(asked.id), entry("x")).await.unwrap();
    assert_eq!((home.stage(red.id).await, home.stage(asked.id).await), (Stage::Cancelled, Stage::Pending));
}

#[tokio::test]
async fn a_grave_question_outlives_another_one() {
    let home = Home::new();
    let red = home.ask("guest_stop", 1).await;
    home.ask("guest_shutdown", 2).await;
    assert_eq!(home.stage(red.id).await, Stage::Pending, "no \"yes\" could take it");
}

#[tokio::test]
async fn three_wrong_tries_end_a_question_however_many_try_at_once() {
    let home = Home::new();
    let row = home.ask("guest_stop", 1).await;
    let tries = (0..8).map(|_| home.yes(&row, Some("wrong words")));
    let answers = futures_util::future::join_all(tries).await;
    let counted = answers.iter().filter(|a| matches!(a, Err(NotApproved::WrongWords { .. }))).count();
    assert_eq!((counted, home.stage(row.id).await), (3, Stage::Denied), "{answers:?}");
    assert_eq!(home.yes(&row, Some("amber falcon")).await, Err(NotApproved::NotPending));
}

#[tokio::test]
async fn leave_is_counted_where_it_is_used() {
    let home = Home::new();
    let since = NOW.plus(-3_600_000);
    let used = home.store.on_leave_since(since).await.unwrap();
    assert_eq!(used, LeaveUsed { since, count: 0 });
    // Judged at once, begun one after the other.
    let begun = (0..6).map(|_| {
        let (bound, begun) = leave_row();
        home.store.begin_on_leave(bound, begun, entry("started"), used)
    });
    let begun: Vec<_> = futures_util::future::join_all(begun).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(begun.iter().flatten().count(), 1, "{begun:?}");
    // A clock that was set back finds it in the future, and counts it.
    let earlier = NOW.plus(-10 * 3_600_000);
    assert_eq!(home.store.on_leave_since(earlier).await.unwrap().count, 1);
    home.edit("update approvals set approved_by = 'page'");
    assert_eq!(home.store.on_leave_since(since).await.unwrap().count, 1, "a row that was altered counts");
}

#[tokio::test]
async fn what_can_be_looked_for_nowhere_keeps_nothing_else_from_being_looked_for() {
    let home = Home::new();
    home.lost(None, NOW).await;
    let guest = home.lost(None, NOW.plus(1)).await;
    for _ in 0..3 {
        let foreign = Identity::Foreign { server: "notes".into(), tool: "add".into(), pin: None };
        home.lost(Some(foreign), NOW.plus(1)).await;
    }
    let found = home.store.lost_approvals(NOW, 2).await.unwrap();
    assert_eq!(found.iter().map(|found| found.row.id).collect::<Vec<_>>(), [guest], "nor what was begun too long ago");
}

#[tokio::test]
async fn what_was_altered_is_not_offered_to_be_taken_back() {
    let home = Home::new();
    let (bound, begun) = leave_row();
    let used = home.store.on_leave_since(NOW).await.unwrap();
    let id = home.store.begin_on_leave(bound, begun, entry("started"), used).await.unwrap().unwrap();
    home.store.settle_approval(id, Stage::Done, "", entry("verified")).await.unwrap();
    let done = home.store.undoable(Some(ROOM), NOW).await.unwrap().unwrap();
    assert_eq!(done.row.id, id);
    home.edit("update approvals set inverse = '{}'");
    assert_eq!(home.store.undoable(Some(ROOM), NOW).await.unwrap(), None);
}

#[tokio::test]
async fn what_its_owner_has_forgotten_is_not_taken_for_altered() {
    let home = Home::new();
    let (row, altered) = (home.ask("guest_shutdown", 1).await, home.ask("guest_stop", 2).await);
    home.edit(&format!("update approvals set outcome = 'well' where id = {}", altered.id.0));
    for id in [row.id, altered.id] {
        home.store.forget_words(id).await.unwrap();
        let left = home.store.approval(id).await.unwrap().unwrap();
        assert_eq!((left.row.bound.args.as_str(), left.row.bound.question.as_str()), ("{}", "(forgotten)"));
        assert_eq!((&left.row.stage, left.ended.is_some()), (&Stage::Cancelled, true));
        assert_eq!(left.row.is_sealed_by(&SealKey([7; 32])), id == row.id, "what was altered before stays so");
    }
    assert_eq!(home.store.on_leave_since(NOW).await.unwrap().count, 1, "only what was altered counts against leave");
}

#[tokio::test]
async fn a_start_of_the_daemon_voids_whatever_was_open() {
    let home = Home::new();
    let pending = home.ask("guest_stop", 1).await;
    let approved = home.ask("guest_shutdown", 2).await;
    home.yes(&approved, None).await.unwrap();
    assert_eq!(home.store.close_approvals(NOW, false, entry("expired")).await.unwrap(), 0);
    assert_eq!(home.store.close_approvals(NOW, true, entry("expired")).await.unwrap(), 2);
    assert_eq!((home.stage(pending.id).await, home.stage(approved.id).await), (Stage::Cancelled, Stage::Cancelled));
}

#[tokio::test]
async fn without_a_key_nothing_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(&folder.path().join("jarvis.db")).unwrap();
    assert!(matches!(store.on_leave_since(NOW).await, Err(StoreError::NoSealKey)));
}
