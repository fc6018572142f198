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

/// The word, and whatever may stand for it.
pub(super) fn of(word: &str) -> Vec<String> {
    let plain = |w: &str| w.strip_suffix('s').unwrap_or(w).to_owned();
    let group = GROUPS.iter().find(|group| group.iter().any(|w| *w == word || plain(w) == plain(word)));
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
}
