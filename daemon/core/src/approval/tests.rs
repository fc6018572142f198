//! What can and cannot become of an approval.

use super::*;
use crate::gate::{Ask, Decision, Gate, Identity, NotRedeemed, Origin, Power, situations};
use crate::ids::{ApprovalId, NodeName, TurnId, Vmid, WallMillis};
use crate::tool::Tier;
use crate::tools::parse;

const KEY: SealKey = SealKey([7; 32]);
const NOW: WallMillis = WallMillis(1_760_000_000_000);
const ROOM: &str = "study";
const NOBODY_COULD_TELL: &str = "the configuration of media-server, VM 104 cannot be read, so nobody could tell later whether it is \
                                 still the same guest";

fn ask(tool: &str, args: &str, situation: &str) -> Ask {
    let owned = situations::named(situation, situations::PLAIN).unwrap();
    let call = parse(tool, args).unwrap();
    match Gate::new().decide(call, &owned.origin, &owned.asker, &owned.situation(), owned.power) {
        Decision::Ask(ask) => ask,
        other => panic!("{other:?}"),
    }
}

fn row(tool: &str) -> Row {
    let args = if tool.starts_with("snapshot") { r#"{"vmid":104,"name":"before-update"}"# } else { r#"{"vmid":104}"# };
    let ask = ask(tool, args, "running guest");
    let words = Some("amber falcon".to_owned());
    let bound = Bound::new(&ask, Origin::Owner, Some(ROOM.into()), Some(TurnId(7)), "Shall I?".into(), words, NOW);
    let asked = Row::asked(ApprovalId(1), bound, [3; 32], &KEY);
    Row { spoken: Some(NOW), ..asked }.sealed_anew(&KEY)
}

/// What the store makes of a row that moves on.
fn moved(row: Row, stage: Stage) -> Row {
    Row { stage, ..row }.sealed_anew(&KEY)
}

fn voice(room: &str) -> Approver {
    Approver::Voice { room: room.into() }
}

fn second(row: &Row, words: Option<&str>) -> Approver {
    Approver::Second { channel: Channel::Ctl, seal: row.seal, words: words.map(str::to_owned) }
}

fn redeem(row: &Row, situation: &str, now: WallMillis) -> Result<crate::gate::Redemption, NotRedeemed> {
    let owned = situations::named(situation, situations::PLAIN).unwrap();
    Gate::new().redeem(row, &KEY, &owned.situation(), owned.power, now)
}

fn approved(tool: &str) -> Row {
    let row = row(tool);
    let by = second(&row, Some("amber falcon"));
    let stage = row.approve(&by, &KEY, NOW).unwrap();
    moved(row, stage)
}

#[test]
fn a_spoken_yes_opens_yellow_in_its_own_room_after_a_second() {
    let yellow = row("guest_shutdown");
    assert_eq!(yellow.approve(&voice("kitchen"), &KEY, NOW), Err(NotApproved::OtherRoom));
    let stage = yellow.approve(&voice(ROOM), &KEY, NOW).unwrap();
    let yellow = moved(yellow, stage);
    assert_eq!(redeem(&yellow, "running guest", NOW.plus(999)).unwrap_err(), NotRedeemed::TooEarly);
    let good = redeem(&yellow, "running guest", NOW.plus(1000)).unwrap();
    let cleared = good.commit(|_| Ok::<_, ()>(())).unwrap();
    assert_eq!(cleared.into_args().call.json(), r#"{"vmid":104}"#);
}

#[test]
fn a_voice_never_opens_red() {
    let red = row("guest_stop");
    assert_eq!(red.approve(&voice(ROOM), &KEY, NOW), Err(NotApproved::VoiceNotEnough));
    assert_eq!(red.approve(&second(&red, None), &KEY, NOW), Err(NotApproved::WrongWords { left: 2 }));
    assert_eq!(red.approve(&second(&red, Some("amber tiger")), &KEY, NOW), Err(NotApproved::WrongWords { left: 2 }));
    assert!(red.approve(&second(&red, Some(" Amber  FALCON ")), &KEY, NOW).is_ok());
}

#[test]
fn wrong_words_say_how_many_tries_are_left() {
    let told = [2, 1, 0].map(|left| NotApproved::WrongWords { left }.to_string());
    let wanted = ["2 tries are left", "1 try is left", "no try is left"];
    assert_eq!(told, wanted.map(|left| format!("those are not the words; {left}")));
}

#[test]
fn it_is_good_once() {
    let good = approved("guest_shutdown");
    let redemption = redeem(&good, "running guest", NOW).unwrap();
    assert_eq!(redemption.commit(|_| Err("consumed by somebody else")).unwrap_err(), "consumed by somebody else");
    for stage in [
        Stage::Started,
        Stage::Done,
        Stage::Failed,
        Stage::Unknown,
        Stage::Denied,
        Stage::Cancelled,
        Stage::Expired,
        Stage::Pending,
    ] {
        let used = moved(good.clone(), stage.clone());
        assert_eq!(redeem(&used, "running guest", NOW).unwrap_err(), NotRedeemed::NotApproved(stage.name()));
        let answered = used.approve(&voice(ROOM), &KEY, NOW);
        assert!(stage == Stage::Pending || answered == Err(NotApproved::NotPending));
    }
}

#[test]
fn it_expires_to_the_millisecond() {
    let pending = row("guest_shutdown");
    assert!(pending.approve(&voice(ROOM), &KEY, NOW.plus(YELLOW_MS - 1)).is_ok());
    assert_eq!(pending.approve(&voice(ROOM), &KEY, NOW.plus(YELLOW_MS)), Err(NotApproved::Expired));
    let good = approved("guest_stop");
    assert!(redeem(&good, "running guest", NOW.plus(RED_MS - 1)).is_ok());
    assert_eq!(redeem(&good, "running guest", NOW.plus(RED_MS)).unwrap_err(), NotRedeemed::Expired);
}

#[test]
fn a_clock_that_was_set_back_revives_nothing() {
    let pending = row("guest_shutdown");
    assert_eq!(pending.approve(&voice(ROOM), &KEY, NOW.plus(-1)), Err(NotApproved::ClockBack));
    assert_eq!(pending.approve(&second(&pending, None), &KEY, NOW.plus(-3_600_000)), Err(NotApproved::ClockBack));
    let good = approved("guest_stop");
    assert_eq!(redeem(&good, "running guest", NOW.plus(-1)).unwrap_err(), NotRedeemed::ClockBack);
    assert!(redeem(&good, "running guest", NOW).is_ok());
}

#[test]
fn a_yes_to_what_was_not_heard_to_its_end_does_not_count() {
    let silent = Row { spoken: None, ..row("guest_shutdown") }.sealed_anew(&KEY);
    assert_eq!(silent.approve(&voice(ROOM), &KEY, NOW), Err(NotApproved::NotSpoken));
    assert!(silent.approve(&second(&silent, None), &KEY, NOW).is_ok(), "a screen shows it all the same");
}

#[test]
fn words_are_not_confirmed_where_they_are_shown() {
    let ask = ask("guest_stop", r#"{"vmid":104}"#, "typed");
    let words = Some("amber falcon".to_owned());
    let bound = Bound::new(&ask, Origin::Owner, None, None, "Shall I?".into(), words, NOW);
    assert_eq!((bound.told, Told::of(Some(ROOM))), (Told::Page, Told::Room));
    let row = Row::asked(ApprovalId(1), bound, [0; 32], &KEY);
    let at = |channel| Approver::Second { channel, seal: row.seal, words: Some("amber falcon".into()) };
    assert_eq!(row.approve(&at(Channel::Page), &KEY, NOW), Err(NotApproved::SameChannel));
    assert!(row.approve(&at(Channel::Ctl), &KEY, NOW).is_ok());
    let spoken = self::row("guest_stop");
    let at = |channel| Approver::Second { channel, seal: spoken.seal, words: Some("amber falcon".into()) };
    assert!([Channel::Page, Channel::Ctl].iter().all(|channel| spoken.approve(&at(*channel), &KEY, NOW).is_ok()));
}

#[test]
fn every_changed_column_is_refused() {
    let good = approved("guest_shutdown");
    let later = NOW.plus(1);
    let base = || good.clone();
    let stage = |by: &str, clears| Stage::Approved { by: by.into(), clears };
    let changed = [
        Row { stage: Stage::Pending, ..base() },
        Row { stage: Stage::Started, ..base() },
        Row { stage: stage("page", NOW), ..base() },
        Row { stage: stage("jarvisctl", later), ..base() },
        Row { stage: stage("jarvisctl", NOW.plus(-1)), ..base() },
        Row { wrong_words: 1, ..base() },
        Row { spoken: None, ..base() },
        Row { spoken: Some(later), ..base() },
        Row { rest: [4; 32], ..base() },
        Row { standing: base().seal, ..base() },
        Row { seal: base().standing, ..base() },
    ];
    for row in changed {
        assert!(!row.is_sealed_by(&KEY), "{row:?}");
        let redeemed = redeem(&row, "running guest", NOW).unwrap_err();
        assert_eq!(redeemed, NotRedeemed::Altered, "{row:?}");
        let answered = row.approve(&second(&row, Some("amber falcon")), &KEY, NOW);
        let closed = row.stage != Stage::Pending;
        assert_eq!(answered, Err(if closed { NotApproved::NotPending } else { NotApproved::Altered }), "{row:?}");
    }
    // A row that was never answered, made to look approved.
    let forged = Row { stage: stage("voice in study", NOW), ..row("guest_shutdown") };
    assert_eq!(redeem(&forged, "running guest", NOW).unwrap_err(), NotRedeemed::Altered);
    // Tries that were taken back, and a "yes" to words that nobody heard.
    let tried = Row { wrong_words: 2, ..row("guest_stop") }.sealed_anew(&KEY);
    let untried = Row { wrong_words: 0, ..tried };
    assert_eq!(untried.approve(&second(&untried, Some("amber falcon")), &KEY, NOW), Err(NotApproved::Altered));
}

#[test]
fn every_changed_field_is_refused() {
    let good = approved("guest_shutdown");
    let changes = mutations(&good.bound);
    assert!(changes.len() >= 20, "{} changes", changes.len());
    for bound in changes {
        let changed = Row { bound: bound.clone(), ..good.clone() };
        assert_eq!(redeem(&changed, "running guest", NOW).unwrap_err(), NotRedeemed::Altered, "{bound:?}");
        let pending = Row { stage: Stage::Pending, ..changed };
        let by = second(&pending, Some("amber falcon"));
        assert_eq!(pending.approve(&by, &KEY, NOW), Err(NotApproved::Altered), "{bound:?}");
    }
    for n in 0..32 {
        let mut changed = good.clone();
        changed.seal.0[n] ^= 1;
        assert_eq!(redeem(&changed, "running guest", NOW).unwrap_err(), NotRedeemed::Altered);
    }
    let renumbered = Row { id: ApprovalId(2), ..good.clone() };
    assert_eq!(redeem(&renumbered, "running guest", NOW).unwrap_err(), NotRedeemed::Altered);
    let owned = situations::named("running guest", situations::PLAIN).unwrap();
    let other = SealKey([8; 32]);
    let redeemed = Gate::new().redeem(&good, &other, &owned.situation(), Power::On, NOW);
    assert_eq!(redeemed.unwrap_err(), NotRedeemed::Altered, "sealed anew by somebody without the key");
}

/// Every way to change one field.
fn mutations(bound: &Bound) -> Vec<Bound> {
    let base = || bound.clone();
    let Identity::Guest { vmid, kind, node, created, digest } = base().identity else { panic!("{bound:?}") };
    let guest = |vmid, node: &NodeName, created, digest: Option<String>| Identity::Guest {
        vmid,
        kind,
        node: node.clone(),
        created,
        digest,
    };
    vec![
        Bound { tool: "guest_stop".into(), ..base() },
        Bound { tool: "guest_reboot".into(), ..base() },
        Bound { tool: "guest_start".into(), ..base() },
        Bound { version: 2, ..base() },
        Bound { version: 0, ..base() },
        Bound { args: r#"{"vmid":103}"#.into(), ..base() },
        Bound { args: r#"{"vmid": 104}"#.into(), ..base() },
        Bound { args: r#"{"vmid":104,"force":true}"#.into(), ..base() },
        Bound { identity: guest(Vmid(103), &node, created, digest.clone()), ..base() },
        Bound { identity: guest(vmid, &NodeName::from("pve2"), created, digest.clone()), ..base() },
        Bound { identity: guest(vmid, &node, None, digest.clone()), ..base() },
        Bound { identity: guest(vmid, &node, created, Some("ffff".into())), ..base() },
        Bound { identity: guest(vmid, &node, created, None), ..base() },
        Bound { identity: Identity::Unknown { vmid }, ..base() },
        Bound { identity: Identity::Nothing, ..base() },
        Bound { tier: Tier::Green, ..base() },
        Bound { tier: Tier::Red, ..base() },
        Bound { tier: Tier::Black, ..base() },
        Bound { origin: Origin::Model { tainted: false }, ..base() },
        Bound { room: None, ..base() },
        Bound { room: Some("kitchen".into()), ..base() },
        Bound { turn: None, ..base() },
        Bound { turn: Some(TurnId(8)), ..base() },
        Bound { by_voice: !bound.by_voice, ..base() },
        Bound { challenge: Some("amber falcon".into()), ..base() },
        Bound { told: Told::Page, ..base() },
        Bound { question: "Shall I not?".into(), ..base() },
        Bound { asked: bound.asked.plus(1), ..base() },
        Bound { expires: bound.expires.plus(1), ..base() },
        Bound { expires: bound.expires.plus(60_000), ..base() },
    ]
}

#[test]
fn the_world_is_looked_at_again() {
    let good = approved("guest_shutdown");
    for (situation, wanted) in [
        ("protected guest", NotRedeemed::TierRose(Tier::Red)),
        ("ha guest", NotRedeemed::TierRose(Tier::Red)),
        ("own storage", NotRedeemed::TierRose(Tier::Black)),
        ("config unknown", NotRedeemed::Cannot(NOBODY_COULD_TELL.into())),
        ("digest unknown", NotRedeemed::Cannot(NOBODY_COULD_TELL.into())),
        ("created unknown", NotRedeemed::OtherTarget),
        ("own place unknown", NotRedeemed::TierRose(Tier::Black)),
        ("missing guest", NotRedeemed::Cannot("there is no guest 104".into())),
        ("stopped guest", NotRedeemed::Cannot("media-server, VM 104 is stopped already".into())),
        ("no quorum", NotRedeemed::Cannot("the cluster has no quorum".into())),
        ("locked guest", NotRedeemed::Cannot("media-server, VM 104 is locked by a backup".into())),
        ("kill switch set", NotRedeemed::Stopped),
    ] {
        assert_eq!(redeem(&good, situation, NOW).unwrap_err(), wanted, "{situation}");
    }
    let mut owned = situations::named("running guest", situations::PLAIN).unwrap();
    owned.facts.guest_config.as_mut().unwrap().digest = Some("changed".into());
    let redeemed = Gate::new().redeem(&good, &KEY, &owned.situation(), Power::On, NOW);
    assert_eq!(redeemed.unwrap_err(), NotRedeemed::OtherTarget);
}

#[test]
fn an_identity_that_nobody_knows_is_neither_asked_about_nor_redeemed() {
    for situation in ["config unknown", "digest unknown"] {
        let owned = situations::named(situation, situations::PLAIN).unwrap();
        let call = parse("guest_shutdown", r#"{"vmid":104}"#).unwrap();
        let decision = Gate::new().decide(call, &owned.origin, &owned.asker, &owned.situation(), owned.power);
        assert!(matches!(&decision, Decision::Refuse(crate::gate::Refusal::Cannot(why)) if why == NOBODY_COULD_TELL));
    }
    // Whoever could write such a row, and seal it: two unknown identities are not the same guest.
    let mut good = approved("guest_shutdown");
    if let Identity::Guest { digest, created, .. } = &mut good.bound.identity {
        (*digest, *created) = (None, None);
    }
    good.seal = good.bound.seal(good.id, &KEY);
    let sealed = good.sealed_anew(&KEY);
    let redeemed = redeem(&sealed, "digest unknown", NOW).unwrap_err();
    assert_eq!(redeemed, NotRedeemed::Cannot(NOBODY_COULD_TELL.into()));
    // A container has a digest and no time of its making.
    let old = ask("guest_shutdown", r#"{"vmid":104}"#, "created unknown");
    let bound = Bound::new(&old, Origin::Owner, Some(ROOM.into()), None, "Shall I?".into(), None, NOW);
    let row = Row::asked(ApprovalId(1), bound, [0; 32], &KEY);
    let stage = row.approve(&second(&row, None), &KEY, NOW).unwrap();
    assert!(redeem(&moved(row, stage), "created unknown", NOW).is_ok());
}

#[test]
fn a_page_approves_only_what_it_showed() {
    let (shown, stored) = (row("guest_stop"), row("guest_shutdown"));
    assert_eq!(stored.approve(&second(&shown, Some("amber falcon")), &KEY, NOW), Err(NotApproved::OtherQuestion));
    assert_eq!(Seal::from_hex(&shown.seal.hex()), Some(shown.seal));
    for bad in ["", "00", &"g".repeat(64), &"é".repeat(32)] {
        assert_eq!(Seal::from_hex(bad), None);
    }
}
