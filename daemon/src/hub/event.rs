//! What the hub tells the turn driver, and what it knows of each satellite.

use jarvis_core::ids::SatelliteId;
use jarvis_link::message::{DaemonMicros, Generation, MicEnd, Settings, Utterance};

/// Something that came from a satellite, its times mapped to the daemon's clock.
#[derive(Debug, Clone, PartialEq)]
pub enum HubEvent {
    /// A satellite is there, greeted and authenticated.
    Connected {
        /// Which.
        satellite: SatelliteId,
        /// What is known of it.
        status: SatelliteStatus,
    },
    /// It is gone. Its open utterance is not ended yet: it may be resumed for [`jarvis_link::inbox::RESUME_GRACE_US`], then
    /// [`HubEvent::Ended`] with [`EndReason::Cut`] follows.
    Disconnected {
        /// Which.
        satellite: SatelliteId,
        /// In words.
        reason: String,
    },
    /// An utterance began. Those of a satellite come one after the other: each has [`HubEvent::Ended`] before the next is opened.
    Opened {
        /// Whose.
        satellite: SatelliteId,
        /// Which; unique per satellite until that is restarted.
        utterance: Utterance,
        /// Why.
        opened: Opening,
        /// Number of frames, from 0 on, that were heard before the opening.
        preroll_frames: u16,
    },
    /// 20 ms of sound. Frames come in order, without gaps or doubles.
    Frame {
        /// Whose.
        satellite: SatelliteId,
        /// Which.
        utterance: Utterance,
        /// Counts up from 0.
        seq: u32,
        /// Capture time of its first sample.
        captured: DaemonMicros,
        /// The satellite's voice activity judgement, 0 to 255.
        voice: u8,
        /// 320 samples at 16 kHz.
        samples: Vec<i16>,
    },
    /// The utterance is at its end; no frame of it follows.
    Ended {
        /// Whose.
        satellite: SatelliteId,
        /// Which.
        utterance: Utterance,
        /// Why.
        reason: EndReason,
    },
    /// News of the loudspeaker.
    Playback {
        /// Whose.
        satellite: SatelliteId,
        /// Which answer.
        generation: Generation,
        /// What happened.
        news: PlaybackNews,
    },
    /// Somebody changed volume or mute at the satellite.
    Settings {
        /// Whose.
        satellite: SatelliteId,
        /// As they are now.
        settings: Settings,
    },
    /// The button was pressed while it spoke.
    StopPressed {
        /// Whose.
        satellite: SatelliteId,
    },
    /// Something the owner should know of.
    Trouble {
        /// Whose.
        satellite: SatelliteId,
        /// In words; from the satellite, so untrusted.
        text: String,
    },
}

/// Why an utterance was opened ([`jarvis_link::message::Opened`] on the daemon's clock).
#[derive(Debug, Clone, PartialEq)]
pub enum Opening {
    /// By the wake word.
    Wake {
        /// Which phrase.
        phrase: String,
        /// The detector's score, 0.0 to 1.0.
        score: f32,
        /// At or above the detector's sure band.
        sure: bool,
        /// Learnt from recordings of the people here.
        enrolled: bool,
        /// When the detector fired.
        at: DaemonMicros,
    },
    /// By the button.
    Button,
    /// Without wake word, after a question.
    FollowUp,
}

/// Why an utterance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The satellite said so.
    Mic(MicEnd),
    /// It broke off: the turn ends with a spoken word, never in silence.
    Cut(Cut),
}

/// Why an utterance broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The satellite did not come back in time.
    LinkLost,
    /// The satellite's program was restarted in the middle of it.
    SatelliteRestarted,
    /// Frames were missing or malformed.
    Broken,
    /// It was longer than is allowed.
    TooLong,
    /// The satellite was revoked.
    Revoked,
}

/// News of the loudspeaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaybackNews {
    /// Its first sample left for the loudspeaker.
    Started {
        /// When.
        at: DaemonMicros,
    },
    /// A sentence was played to its end.
    Sentence(u16),
    /// The loudspeaker drained or was silenced.
    Done {
        /// When.
        at: DaemonMicros,
        /// Times that the buffer ran dry.
        underruns: u16,
        /// Whether it was cut short.
        cut: bool,
    },
}

/// What is known of an enrolled satellite.
#[derive(Debug, Clone, PartialEq)]
pub struct SatelliteStatus {
    /// Which.
    pub id: SatelliteId,
    /// Its room, as its owner named it.
    pub room: String,
    /// Whether it is there now.
    pub connected: bool,
    /// Program version it last said; empty before it ever connected.
    pub software: String,
    /// Whether an echo canceller is at work there.
    pub echo_cancelled: bool,
    /// There and back, in milliseconds.
    pub rtt_ms: Option<f32>,
    /// Daemon's clock minus satellite's, in microseconds.
    pub clock_offset_us: Option<i64>,
    /// First 80 bits of the SHA-256 of its public key, in hexadecimal.
    pub key_fingerprint: String,
    /// When it was last heard; `None`: not since the daemon's start.
    pub last_seen: Option<DaemonMicros>,
    /// Volume and mute.
    pub settings: Settings,
}
