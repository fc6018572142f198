use super::*;
use crate::cluster::Cluster;
use crate::sample;

fn facts<'a>(cluster: Option<&'a str>, memories: &'a [Memory]) -> Facts<'a> {
    Facts {
        personality: Personality::Dry,
        cluster,
        memories,
        room: "study",
        now: UnixSeconds(1_764_158_400),
        local_offset_s: 3600,
    }
}

#[test]
fn the_lasting_part_does_not_change_with_the_hour_or_the_cluster() {
    let (one, other) = (system(&facts(Some("node pve1: online"), &[])), system(&facts(None, &[])));
    assert_eq!(one[0], other[0]);
    assert_eq!(one[0].cache, CacheHint::OneHour);
    assert!(one[1].text.contains("<data source=\"cluster\">\nnode pve1: online\n</data>"), "{}", one[1].text);
    assert!(one[1].text.contains("Wednesday, 26 November 2025, "), "{}", one[1].text);
    assert!(other[1].text.contains("unknown"));
    let plain = system(&Facts { personality: Personality::Plain, ..facts(None, &[]) });
    assert!(!plain[0].text.contains("butler") && one[0].text.contains("dry wit"));
    let typed = system(&Facts { room: "", ..facts(None, &[]) });
    assert!(typed[1].text.contains("typed"));
}

#[test]
fn every_level_of_the_butler_has_words_of_its_own_and_the_same_rules() {
    use Personality::{Arch, Dry, Formal, Plain};
    let levels =
        [Plain, Formal, Dry, Arch].map(|personality| system(&Facts { personality, ..facts(None, &[]) }).remove(0).text);
    for (n, level) in levels.iter().enumerate() {
        assert!(level.starts_with(RULES) && !levels[..n].contains(level), "{level}");
    }
}

#[test]
fn the_rules_are_short_enough_for_a_small_window() {
    let tokens = crate::mind::estimate::preamble(&system(&facts(None, &[])), &[]);
    assert!(tokens < 900, "{tokens} of 4096");
}

#[test]
fn a_summary_names_what_fits_and_counts_the_rest() {
    let cluster = sample::cluster();
    let whole = summary(&cluster, Naming::Numbers, 1 << 20);
    for guest in &cluster.guests {
        assert!(whole.contains(&guest.vmid.to_string()), "{whole}");
    }
    let lines = whole.lines().count();
    assert!(lines > cluster.guests.len() + cluster.nodes.len(), "{whole}");
    let name = cluster.guests[0].name.clone().unwrap();
    assert!(!whole.contains(&name), "a name is a stranger's: {whole}");
    assert!(summary(&cluster, Naming::Names, 1 << 20).contains(&name));
    let short = summary(&cluster, Naming::Numbers, 300);
    assert!(short.contains("guests more; a tool tells them") && short.len() < 420, "{} bytes: {short}", short.len());
    assert_eq!(summary(&Cluster::default(), Naming::Names, 100), "0 nodes, 0 guests, quorum unknown");
}
