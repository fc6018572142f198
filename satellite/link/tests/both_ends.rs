//! Both ends against each other on a virtual clock, over a network that breaks off and a daemon that is restarted, by a seed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod simulation;

use jarvis_link::liveness::DEAD_AFTER_US;
use jarvis_link::message::MicEnd;
use jarvis_link::satellite_end::DIAL_US;
use proptest::prelude::*;
use simulation::{Step, World};

const MS: u64 = 1_000;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_u64..400).prop_map(|ms| Step::Pass(ms * MS)),
        1 => (400_u64..6_000).prop_map(|ms| Step::Pass(ms * MS)),
        4 => Just(Step::Begin),
        8 => (1_u16..60).prop_map(Step::Frames),
        4 => Just(Step::End),
        2 => Just(Step::Cut),
        3 => Just(Step::Mend),
        1 => Just(Step::RestartDaemon),
        1 => Just(Step::Settle),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever happens: frames come in order without gaps or doubles, every utterance that a run of the daemon opened comes to one end,
    /// and once the network is there for good, the link is up and the newest utterance was heard whole.
    #[test]
    fn no_utterance_is_lost_in_silence(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.settle_down();
        world.check();
    }
}

#[test]
fn a_link_is_up_at_once_and_stays() {
    let mut world = World::new();
    world.step(Step::Pass(200 * MS));
    assert!(world.is_up());
    world.step(Step::Pass(60_000 * MS));
    assert_eq!(world.ups(), 1);
}

#[test]
fn silence_is_noticed_in_time_and_the_link_comes_back_with_the_network() {
    let mut world = World::new();
    world.step(Step::Pass(1_000 * MS));
    world.step(Step::Cut);
    world.step(Step::Pass(DEAD_AFTER_US + 100 * MS));
    assert!(!world.is_up());
    world.step(Step::Pass(30_000 * MS));
    world.step(Step::Mend);
    world.step(Step::Pass(DIAL_US + 300 * MS));
    assert!(world.is_up(), "back well within two seconds");
}

#[test]
fn a_restarted_daemon_hears_the_whole_utterance_again() {
    let mut world = World::new();
    world.step(Step::Pass(500 * MS));
    world.step(Step::Begin);
    world.step(Step::Frames(50));
    world.step(Step::Pass(300 * MS));
    world.step(Step::RestartDaemon);
    world.step(Step::Frames(25));
    world.step(Step::End);
    world.settle_down();
    world.check();
    assert_eq!(world.last_heard(), Some((75, MicEnd::Closed)));
}
