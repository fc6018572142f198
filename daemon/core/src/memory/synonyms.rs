//! Words of a house and its machines that mean the same when something is looked for. Stems are the index's business (porter): each word
//! stands here in one of its forms.

/// Groups of words of which any may stand for any other. A word is in one group only; a test holds it.
const GROUPS: &[&[&str]] = &[
    &["address", "ip"],
    &["attic", "loft"],
    &["bad", "broken", "faulty", "wrong", "defective", "damaged", "reallocated"],
    &["basement", "cellar"],
    &["begin", "start", "boot"],
    &["buy", "bought", "purchase", "order"],
    &["certificate", "cert", "tls", "ssl"],
    &["child", "children", "kid"],
    &["clean", "dust", "wash"],
    &["computer", "pc"],
    &["connection", "line", "link"],
    &["copy", "copied", "sync"],
    &["delete", "remove", "wipe", "erase", "lose"],
    &["disk", "drive", "hdd", "ssd"],
    &["electricity", "power"],
    &["expire", "renew", "expiry"],
    &["fast", "speed", "bandwidth", "megabit", "baud"],
    &["film", "movie"],
    &["graphics", "gpu"],
    &["hold", "last"],
    &["internet", "wan"],
    &["label", "marking"],
    &["laptop", "notebook"],
    &["memory", "ram"],
    &["money", "budget", "spend"],
    &["name", "called", "call"],
    &["network", "vlan", "subnet"],
    &["outage", "cut"],
    &["own", "belong", "owner"],
    &["password", "passphrase", "passcode"],
    &["phone", "telephone", "mobile"],
    &["photo", "picture", "image"],
    &["prefer", "like", "want", "favourite"],
    &["price", "cost"],
    &["processor", "cpu", "core"],
    &["provider", "isp"],
    &["replace", "swap", "exchange"],
    &["restart", "reboot"],
    &["update", "upgrade"],
    &["wifi", "wireless", "wlan"],
];

/// Shortest beginning of a word that is left of it.
const STEM_CHARS_MIN: usize = 3;

/// The word without its ending: "restarted", "restarts" and "restarting" are one. Only to find a group; the index has its own way.
fn stem(word: &str) -> &str {
    let long = |stem: &&str| stem.chars().count() >= STEM_CHARS_MIN;
    let ending = ["ing", "ed", "es", "s"].into_iter().find_map(|end| word.strip_suffix(end).filter(long));
    let bare = ending.unwrap_or(word);
    let bare = bare.strip_suffix('e').filter(long).unwrap_or(bare);
    // "swapped" doubles its last letter.
    let mut last = bare.chars().rev();
    match (last.next(), last.next()) {
        (Some(a), Some(b)) if a == b && bare.chars().count() > STEM_CHARS_MIN => &bare[..bare.len() - a.len_utf8()],
        _ => bare,
    }
}

/// The word, and whatever may stand for it.
pub(super) fn of(word: &str) -> Vec<String> {
    let group = GROUPS.iter().find(|group| group.iter().any(|w| *w == word || stem(w) == stem(word)));
    let mut all = vec![word.to_owned()];
    all.extend(group.into_iter().flat_map(|group| group.iter()).filter(|w| **w != word).map(|w| (*w).to_owned()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_in_one_group() {
        let mut all: Vec<&str> = GROUPS.iter().flat_map(|group| group.iter().copied()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(GROUPS.iter().all(|group| group.len() > 1));
    }

    #[test]
    fn a_plural_finds_its_group_and_the_word_comes_first() {
        assert_eq!(of("drives"), ["drives", "disk", "drive", "hdd", "ssd"]);
        assert_eq!(of("zebra"), ["zebra"]);
    }

    #[test]
    fn a_word_finds_its_group_in_any_of_its_forms() {
        for (word, other) in [
            ("wiped", "erase"),
            ("erasing", "wipe"),
            ("swapped", "exchange"),
            ("addresses", "ip"),
            ("rebooted", "restart"),
            ("lasting", "hold"),
        ] {
            assert!(of(word).iter().any(|w| w == other), "{word}: {:?}", of(word));
        }
        for alone in ["hole", "string", "ring", "bed", "ss", "é", "ééé", "s", ""] {
            assert_eq!(of(alone), [alone], "it is none of ours");
        }
    }

    #[test]
    fn endings_lead_no_word_into_two_groups() {
        for (at, group) in GROUPS.iter().enumerate() {
            for word in *group {
                let others = GROUPS.iter().enumerate().filter(|(other, _)| *other != at);
                let twins: Vec<&&str> = others.flat_map(|(_, g)| g.iter()).filter(|w| stem(w) == stem(word)).collect();
                assert!(twins.is_empty(), "{word}: {twins:?}");
            }
        }
    }
}
