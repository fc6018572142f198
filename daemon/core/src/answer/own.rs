//! Answers about Jarvis himself, the time, courtesies, and what steers the conversation.

use crate::answer::ask::both;
use crate::answer::measure::{count, duration, first_word};
use crate::answer::view::View;
use crate::answer::{Act, Reply};
use crate::speakable::speakable;

pub(super) fn answer(view: &View<'_>, kind: &str) -> Option<Reply> {
    let asker = view.asker;
    let plain = |key: &str, fact: Option<&str>| Some(view.reply(key, &[], fact));
    match kind {
        "self.who" => plain("own.who", Some("jarvis")),
        "self.help" => {
            let mut reply = view.reply("own.help", &[], None);
            reply.page = Some(view.say("own.help_page", &[]));
            Some(reply)
        }
        "self.status" => plain(if asker.demo_ear { "own.status_demo" } else { "own.status" }, None),
        "self.uptime" => {
            let seconds = asker.now.0.saturating_sub(asker.started.0);
            let time = duration(u64::try_from(seconds).unwrap_or(0));
            Some(view.reply("own.uptime", &[("time", &time)], Some(first_word(&time))))
        }
        "self.rooms" => Some(rooms(view)),
        "self.heard" => Some(told("own.heard", "own.heard_none", asker.last_heard, view)),
        "self.why" => {
            // A model's route is kept in words already.
            if let Some(route) = asker.last_route.filter(|route| route.starts_with("asked ")) {
                return Some(told("own.why_model", "own.why_none", Some(route), view));
            }
            let route = asker.last_route.map(spoken_route);
            Some(told("own.why", "own.why_none", route.as_deref(), view))
        }
        // The shell answers these from the books; without them nothing is known.
        "costs.today" | "costs.month" => plain("costs.unknown", None),
        "time.now" => {
            let clock = view.now().clock();
            Some(view.reply("own.time", &[("time", &clock)], Some(&clock)))
        }
        "time.date" => {
            let now = view.now();
            let (day, date, year) = (now.weekday(), now.day_and_month(), now.year().to_string());
            let values = [("weekday", day), ("date", date.as_str()), ("year", &year)];
            Some(view.reply("own.date", &values, Some(day)))
        }
        "talk.hello" => plain(
            match view.now().hour() {
                0..5 => "talk.hello_night",
                5..12 => "talk.hello_morning",
                12..18 => "talk.hello_afternoon",
                _ => "talk.hello_evening",
            },
            None,
        ),
        "talk.thanks" => plain("talk.thanks", None),
        "talk.bye" => plain("talk.bye", None),
        _ => control(view, kind),
    }
}

fn control(view: &View<'_>, kind: &str) -> Option<Reply> {
    let (key, act) = match kind {
        // Silence is the whole answer.
        "control.stop" => ("", Act::Stop),
        "control.cancel" => ("control.cancel", Act::Cancel),
        "control.repeat" => return Some(repeat(view)),
        "control.page" => return Some(onto_page(view)),
        "control.louder" => ("control.louder", Act::Louder),
        "control.quieter" => ("control.quieter", Act::Quieter),
        "control.volume" => {
            let Some(percent) = view.slots.percent else {
                return Some(view.reply("unknown.which", &[("noun", "volume")], None));
            };
            let shown = percent.to_string();
            return Some(Reply {
                act: Some(Act::Volume(percent)),
                ..view.reply("control.volume", &[("percent", &shown)], Some(&shown))
            });
        }
        _ => return None,
    };
    let speech = if key.is_empty() { String::new() } else { view.say(key, &[]) };
    Some(Reply { speech, act: Some(act), ..Reply::default() })
}

fn repeat(view: &View<'_>) -> Reply {
    match view.asker.last_reply.filter(|r| !r.trim().is_empty()) {
        // What no voice of ours could say the first time, it cannot say again.
        Some(last) if speakable(last).is_empty() => view.reply("control.repeat_on_page", &[], None),
        Some(last) => Reply { speech: last.to_owned(), act: Some(Act::Repeat), ..Reply::default() },
        None => view.reply("control.nothing_to_repeat", &[], None),
    }
}

/// What was answered last, in writing.
fn onto_page(view: &View<'_>) -> Reply {
    match view.asker.last_reply.map(str::trim).filter(|last| !last.is_empty()) {
        Some(last) => Reply { page: Some(last.to_owned()), ..view.reply("control.on_page", &[], None) },
        None => view.reply("control.nothing_to_note", &[], None),
    }
}

/// Something of the turn before, or that there was none.
fn told(key: &str, none: &str, what: Option<&str>, view: &View<'_>) -> Reply {
    match what.map(str::trim).filter(|w| !w.is_empty()) {
        Some(what) => view.reply(key, &[("what", what)], Some(what)),
        None => view.reply(none, &[], None),
    }
}

/// A route as the ear takes it: "node.load, score 1.00: how busy is {node}" is a "node load" request.
fn spoken_route(route: &str) -> String {
    let head = route.split([',', ':']).next().unwrap_or("").trim();
    head.replace(['.', '_'], " ")
}

fn rooms(view: &View<'_>) -> Reply {
    let rooms = view.asker.rooms;
    let names = both(rooms);
    let counted = count(rooms.len(), "room", "rooms");
    let n = rooms.len().to_string();
    match rooms {
        [] => view.reply("own.no_rooms", &[], Some("no")),
        [one] => view.reply("own.one_room", &[("room", one)], Some(one)),
        _ => {
            let values = [("rooms", counted.as_str()), ("names", names.as_str())];
            view.reply("own.rooms", &values, Some(&n))
        }
    }
}
