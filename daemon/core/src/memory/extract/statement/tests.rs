use super::*;
use crate::memory::extract::cut;

/// `subject | attribute | value`, with `!` where it replaces, and `?` where it is no statement beyond doubt.
fn shown(text: &str) -> String {
    let named = |words: &[Word<'_>]| ["vm 104", "media server", "the media server"].contains(&join(words).as_str());
    match read(&cut(text), &named) {
        None => "nothing".to_owned(),
        Some(s) => {
            let marks = format!("{}{}", if s.replaces { "!" } else { "" }, if s.clear { "" } else { "?" });
            format!("{} | {} | {} {marks}", s.subject, s.attribute, s.value).trim_end().to_owned()
        }
    }
}

#[test]
fn the_forms_of_statements() {
    for (text, wanted) in [
        ("the router is at 192.168.1.1", "the router | address | 192.168.1.1 !"),
        ("The router is at 192.168.1.1.", "The router | address | 192.168.1.1 !"),
        ("the address of the router is 10.0.0.1", "the router | address | 10.0.0.1 !"),
        ("the router's ip is fe80::1", "the router | address | fe80::1 !"),
        ("the printer has moved to 10.0.0.4", "the printer | address | 10.0.0.4 !"),
        ("the ups moved to the attic", "the ups | place | the attic !"),
        ("the ups is in the garage now", "the ups | place | in the garage !"),
        ("the ups now sits under the stairs", "the ups | place | under the stairs !"),
        ("my disk is at my sister's flat", "my disk | place | at my sister's flat !"),
        ("the meeting is at nine", "the meeting | time | nine !"),
        ("grafana listens on port 3000", "grafana | port | 3000 !"),
        ("the port of grafana is 3000", "grafana | port | 3000 !"),
        ("my laptop is called otter", "my laptop | name | otter !"),
        ("call vm 104 the media box", "vm 104 | name | the media box !"),
        ("we call the media server cinema", "the media server | name | cinema !"),
        ("call the plumber", "nothing"),
        ("my provider is alder telecom", "my provider | is | alder telecom !"),
        ("my tariff is cheaper between one and five", "my tariff | is cheaper | between one and five !"),
        ("my domain is registered at hollow", "my domain | is registered at | hollow !"),
        ("nextcloud keeps its files on the tank", "nextcloud | keep its files on | the tank !?"),
        ("the mail server relays through mailpond", "the mail server | relay through | mailpond !?"),
        ("the mail server relays through mailpond now", "the mail server | relay through | mailpond !"),
        ("home assistant needs the stick", "home assistant | need | the stick ?"),
        ("the nas is noisy", "the nas | is | noisy ?"),
        ("the router is a grey box", "the router | is the | a grey box ?"),
        ("the database is postgres sixteen", "the database | is postgres | postgres sixteen !?"),
        ("the budget is 600 euro", "the budget | is so many euro | 600 euro !?"),
        ("vlan 20 is for the cameras", "vlan 20 | is for | the cameras !?"),
        ("pve2 must never be restarted", "pve2 |  |  ?"),
        ("the zigbee stick that sits in pve1 is old", "the zigbee stick that sits in pve1 | is | old ?"),
        ("I prefer short answers", "preferences | prefers answers | short answers !"),
        ("i prefer updates on saturdays", "preferences | prefers updates | updates on saturdays !"),
        ("i prefer celsius over fahrenheit", "preferences | prefers celsius or fahrenheit | celsius over fahrenheit !"),
        ("i prefer fahrenheit over celsius", "preferences | prefers celsius or fahrenheit | fahrenheit over celsius !"),
        ("i prefer to be called captain", "form of address | name | captain !"),
        ("i want no music before nine", "preferences | prefers music | no music before nine !?"),
    ] {
        assert_eq!(shown(text), wanted, "{text}");
    }
}

#[test]
fn what_is_no_statement_is_none() {
    for text in [
        "",
        "router",
        "the milk",
        "is the router up",
        "what is the time",
        "where is the router",
        "it is cold",
        "there is a draught",
        "stop that",
        "the router is",
        "one two three four five six seven eight nine is ten",
        "i prefer",
        "i prefer to be called",
        "call",
        "my",
    ] {
        assert_eq!(shown(text), "nothing", "{text}");
    }
}

#[test]
fn addresses_and_times_are_told_from_words() {
    for (text, address) in [
        ("192.168.1.1", true),
        ("nas.lan", true),
        ("10.0.0.1:8006", true),
        ("fe80::1", true),
        ("the cellar", false),
        ("home", false),
        ("a. b", false),
        ("", false),
        ("...", false),
    ] {
        assert_eq!(is_address(text), address, "{text}");
    }
    assert!(["nine", "14", "14:05", "noon"].iter().all(|t| is_time(t)));
    assert!(["", "nineteen-ish", "9600", "a:b"].iter().all(|t| !is_time(t)));
}
