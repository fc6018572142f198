//! From the link's messages to the hub's events: times mapped, sound as samples.

use jarvis_core::ids::SatelliteId;
use jarvis_link::inbox::{Cut as InboxCut, Heard};
use jarvis_link::message::{DaemonMicros, Opened, SatMicros, ToDaemon, Utterance, to_samples};

use super::event::{Cut, EndReason, HubEvent, Opening, PlaybackNews};

/// What became of an utterance.
pub(super) fn heard(satellite: &SatelliteId, heard: Heard, map: impl Fn(SatMicros) -> DaemonMicros) -> HubEvent {
    let satellite = satellite.clone();
    match heard {
        Heard::Opened { utterance, opened, preroll_frames } => {
            HubEvent::Opened { satellite, utterance, opened: opening(opened, map), preroll_frames }
        }
        Heard::Frame { utterance, seq, captured, voice, pcm } => {
            HubEvent::Frame { satellite, utterance, seq, captured: map(captured), voice, samples: to_samples(&pcm) }
        }
        Heard::Ended { utterance, reason } => HubEvent::Ended { satellite, utterance, reason: EndReason::Mic(reason) },
        Heard::Cut { utterance, cut } => cut_event(satellite, utterance, cut),
    }
}

fn opening(opened: Opened, map: impl Fn(SatMicros) -> DaemonMicros) -> Opening {
    match opened {
        Opened::Wake { phrase, score, sure, enrolled, at } => {
            Opening::Wake { phrase, score, sure, enrolled, at: map(at) }
        }
        Opened::Button => Opening::Button,
        Opened::FollowUp => Opening::FollowUp,
    }
}

/// A control message; `None` for those that are the link's own.
pub(super) fn news(
    satellite: &SatelliteId,
    message: ToDaemon,
    map: impl Fn(SatMicros) -> DaemonMicros,
) -> Option<HubEvent> {
    let satellite = satellite.clone();
    Some(match message {
        ToDaemon::PlaybackStarted { generation, at } => {
            HubEvent::Playback { satellite, generation, news: PlaybackNews::Started { at: map(at) } }
        }
        ToDaemon::SentencePlayed { generation, index } => {
            HubEvent::Playback { satellite, generation, news: PlaybackNews::Sentence(index) }
        }
        ToDaemon::PlaybackDone { generation, at, underruns, cut } => {
            HubEvent::Playback { satellite, generation, news: PlaybackNews::Done { at: map(at), underruns, cut } }
        }
        ToDaemon::Settings(settings) => HubEvent::Settings { satellite, settings },
        ToDaemon::StopPressed => HubEvent::StopPressed { satellite },
        ToDaemon::Trouble { text } => HubEvent::Trouble { satellite, text },
        ToDaemon::Hello { .. } | ToDaemon::Ping { .. } | ToDaemon::Bye => return None,
    })
}

/// An utterance that broke off, for the turn driver.
fn cut_event(satellite: SatelliteId, utterance: Utterance, cut: InboxCut) -> HubEvent {
    HubEvent::Ended {
        satellite,
        utterance,
        reason: EndReason::Cut(match cut {
            InboxCut::LinkLost => Cut::LinkLost,
            InboxCut::SatelliteRestarted => Cut::SatelliteRestarted,
            InboxCut::Broken => Cut::Broken,
            InboxCut::TooLong => Cut::TooLong,
            InboxCut::Revoked => Cut::Revoked,
        }),
    }
}
