//! The drawn cluster is a possible one.

use super::*;

#[test]
fn the_same_seed_gives_the_same_cluster_and_another_another() {
    let at = 1_795_400_000;
    let one = format!("{:?}", State::at(1, at, 3600));
    assert_eq!(one, format!("{:?}", State::at(1, at, 3600)));
    assert_ne!(one, format!("{:?}", State::at(2, at, 3600)));
}

#[test]
fn every_seed_gives_a_possible_cluster() {
    for seed in 0..300 {
        // Around midnight too, where little happened today.
        let born = 1_795_400_000 + seed as i64 * 577;
        let state = State::at(seed, born, 3600);
        for node in &state.nodes {
            let of_guests: u64 = state.guests.iter().filter(|g| g.node == node.name).map(|g| g.memory.0).sum();
            assert!(of_guests < node.memory.0 && node.memory.0 < node.memory.1, "{seed} {node:?}");
            assert!(state.guests.iter().filter(|g| g.node == node.name).all(|g| g.started > node.booted), "{seed}");
        }
        assert!(state.tasks.iter().all(|task| task.started <= born), "{seed}");
        assert!(state.tasks.iter().all(|task| task.ended.as_ref().is_none_or(|(end, _)| *end <= born)), "{seed}");
        assert!(state.jobs.iter().all(|job| job.next_run > born - 3600), "{seed}");
        assert!(state.backups.iter().all(|backup| backup.taken < born), "{seed}");
        let mut celsius: Vec<_> = state.nodes.iter().map(|n| n.celsius).collect();
        celsius.sort_by(f64::total_cmp);
        assert!(celsius.windows(2).all(|pair| pair[1] - pair[0] > 1.5), "{seed}");
        assert!(!state.guests.iter().any(|g| g.vmid == 100 && !g.running));
    }
}
