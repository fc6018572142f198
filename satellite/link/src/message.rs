//! What the two ends say to each other.
//!
//! Three kinds of QUIC stream carry them, each as length-prefixed postcard frames: one bidirectional control stream
//! ([`ToDaemon`], [`ToSatellite`]), one unidirectional stream per utterance ([`Mic`]) and one per answer ([`Answer`]).
//! The order of variants and fields is the wire format: append, never reorder (golden bytes hold it).

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::frame::Message;

/// Sample rate of the microphone stream in hertz.
pub const MIC_RATE_HZ: u32 = 16_000;
/// Samples in a 20 ms microphone frame.
pub const MIC_FRAME_SAMPLES: usize = 320;

/// One utterance of one satellite; grows by one per opening, over the satellite's whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Utterance(pub u64);

/// One answer of the daemon; grows by one per answer on a satellite. Samples of an older one are never played after a newer began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Generation(pub u64);

/// Microseconds on the satellite's monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct SatMicros(pub u64);

/// Microseconds on the daemon's monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct DaemonMicros(pub u64);

/// Control stream, satellite to daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToDaemon {
    /// First frame of a connection.
    Hello {
        /// Protocol versions spoken: oldest and newest.
        versions: (u16, u16),
        /// Program version, for the page.
        software: String,
        /// Wake phrases it listens for.
        phrases: Vec<String>,
        /// Whether an echo canceller is at work.
        echo_cancelled: bool,
        /// Drawn at the start of the satellite's program: utterances count from 1 anew where it differs from the last one's.
        run: u64,
    },
    /// Liveness and clock; answered by [`ToSatellite::Pong`].
    Ping {
        /// Counts up.
        seq: u32,
        /// When it was sent.
        sent: SatMicros,
        /// What the satellite makes of the daemon's clock so far; `None` until the first pong.
        clock: Option<ClockEstimate>,
    },
    /// Playback of an answer began at the loudspeaker.
    PlaybackStarted {
        /// Which answer.
        generation: Generation,
        /// When its first sample left for the loudspeaker.
        at: SatMicros,
    },
    /// A sentence was played to its end.
    SentencePlayed {
        /// Which answer.
        generation: Generation,
        /// Which sentence.
        index: u16,
    },
    /// The loudspeaker really drained, or was silenced.
    PlaybackDone {
        /// Which answer.
        generation: Generation,
        /// When the last sample left.
        at: SatMicros,
        /// Times that the buffer ran dry in it.
        underruns: u16,
        /// Whether it was cut short.
        cut: bool,
    },
    /// Somebody changed the volume or the mute at the satellite.
    Settings(Settings),
    /// The button was pressed while it spoke: stop.
    StopPressed,
    /// What the owner should know of (microphone lost, ...), all of it; an empty text says that all is well again.
    Trouble {
        /// In words.
        text: String,
    },
    /// Goodbye, orderly.
    Bye,
}

/// Control stream, daemon to satellite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToSatellite {
    /// Answer to [`ToDaemon::Hello`].
    Welcome {
        /// The version both will speak.
        version: u16,
        /// Name of the room.
        room: String,
        /// Settings to take.
        settings: Settings,
        /// Drawn at the daemon's start: generations count from 1 anew where it differs from the last one's.
        run: u64,
    },
    /// Answer to [`ToDaemon::Hello`] whose versions don't meet ours; then the connection closes.
    Refused {
        /// What to do about it.
        reason: String,
    },
    /// Answer to [`ToDaemon::Ping`].
    Pong {
        /// Of the ping.
        seq: u32,
        /// Of the ping.
        sent: SatMicros,
        /// When the daemon had it.
        daemon: DaemonMicros,
    },
    /// Frames of an utterance up to and without `next` were received by this run of the daemon. Comes at once after
    /// [`Mic::Start`], where a resend waits for it to know where to begin; and now and then as frames come in.
    Ack {
        /// Which.
        utterance: Utterance,
        /// Next frame expected; [`SETTLED`] once the utterance is done with and nothing of it need be kept.
        next: u32,
    },
    /// End of speech was decided, or the wake was a false one: close the microphone.
    CloseMic {
        /// Which.
        utterance: Utterance,
        /// Whether to be quiet about it (a wake that opened nothing).
        silent: bool,
    },
    /// What the LED shows.
    Show(Mood),
    /// Silence the loudspeaker now; nothing of this or an older generation is heard any more.
    StopPlayback {
        /// Newest generation that must fall silent.
        generation: Generation,
    },
    /// Open the microphone without a wake word (after a question), once the loudspeaker has drained.
    Listen {
        /// For how long to wait for speech.
        window_ms: u16,
    },
    /// Volume, mute.
    Settings(Settings),
    /// Goodbye: the daemon stops in order.
    Bye,
}

/// [`ToSatellite::Ack`]'s `next` for an utterance that was answered, or will never be: the satellite forgets it.
pub const SETTLED: u32 = u32::MAX;

/// The satellite's estimate of the daemon's clock, from the pong with the shortest way there and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockEstimate {
    /// Daemon's clock minus satellite's, in microseconds.
    pub offset_us: i64,
    /// There and back, in microseconds.
    pub rtt_us: u32,
}

/// What the satellite shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mood {
    /// Waiting for the wake word.
    Idle,
    /// The microphone is being streamed.
    Listening,
    /// An answer is being made.
    Thinking,
    /// An answer is being played.
    Speaking,
    /// Something is wrong.
    Trouble,
}

/// Settings of a satellite that may change while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Loudness of answers, 0 to 100.
    pub volume_percent: u8,
    /// Whether the microphone is closed for good.
    pub muted: bool,
}

/// Why an utterance was opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Opened {
    /// By the wake word.
    Wake {
        /// Which phrase.
        phrase: String,
        /// The detector's score, 0.0 to 1.0.
        score: f32,
        /// At or above the detector's sure band.
        sure: bool,
        /// Learnt from recordings of the people here: never vetoed.
        enrolled: bool,
        /// When the detector fired.
        at: SatMicros,
    },
    /// By the button (push-to-talk).
    Button,
    /// Without wake word, after [`ToSatellite::Listen`].
    FollowUp,
}

/// Utterance stream, satellite to daemon. One is finished or reset before the next is opened, and the daemon reads them in that order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Mic {
    /// First frame.
    Start {
        /// Which.
        utterance: Utterance,
        /// Why.
        opened: Opened,
        /// Number of frames, from 0 on, that were heard before the opening (pre-roll).
        preroll_frames: u16,
    },
    /// 20 ms of sound.
    Frame {
        /// Counts up from 0.
        seq: u32,
        /// Capture time of its first sample.
        captured: SatMicros,
        /// The voice activity detector's judgement, 0 to 255.
        voice: u8,
        /// [`MIC_FRAME_SAMPLES`] samples, 16-bit little-endian at [`MIC_RATE_HZ`].
        pcm: Vec<u8>,
    },
    /// Last frame; a stream that ends without it was cut.
    End {
        /// Frames sent in all.
        frames: u32,
        /// Why.
        reason: MicEnd,
    },
}

/// Why an utterance stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MicEnd {
    /// The daemon asked for it.
    Closed,
    /// The longest time allowed was reached.
    TooLong,
    /// The microphone went away.
    MicLost,
    /// The button was released.
    Released,
}

/// Answer stream, daemon to satellite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// First frame.
    Start {
        /// Which.
        generation: Generation,
        /// Sample rate of what follows, in hertz; the satellite resamples to its device.
        rate_hz: u32,
    },
    /// Everything up to the next mark belongs to this sentence.
    Sentence {
        /// Counts up from 0.
        index: u16,
    },
    /// Sound: 16-bit little-endian mono, at most [`MAX_PCM_BYTES`].
    Pcm(Vec<u8>),
    /// Last frame; a stream that ends without one was cut, and the answer is not complete.
    End,
    /// Last frame of an answer to what was asked, from version 2 on: the answer is complete, and in the same moment what it answers need not
    /// be kept. By an [`ToSatellite::Ack`] alone, a daemon that dies between the answer's end and that message would be asked
    /// again in its next run.
    Answered {
        /// It answers what was asked up to this utterance, which the daemon has heard whole.
        newest: Utterance,
    },
}

/// Longest sound in one frame, in bytes.
pub const MAX_PCM_BYTES: usize = 4096;

/// Longest program version, room name and wake phrase, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest text in a message, in bytes.
pub const TEXT_BYTES_MAX: usize = 512;
/// Most wake phrases of a satellite.
pub const PHRASES_MAX: usize = 8;
/// Sample rates an answer may have, in hertz.
pub const ANSWER_RATES_HZ: core::ops::RangeInclusive<u32> = 8_000..=48_000;
/// Longest wait for speech that [`ToSatellite::Listen`] may ask for.
pub const LISTEN_MS_MAX: u16 = 30_000;
/// Bytes of a microphone frame's sound.
pub const MIC_FRAME_BYTES: usize = MIC_FRAME_SAMPLES * 2;

/// Cuts a text to at most `bytes` bytes, between characters.
pub fn clip(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn name(text: &str) -> Result<(), &'static str> {
    bound(text.len() <= NAME_BYTES_MAX, "a name is too long")
}

fn bound(holds: bool, else_say: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(else_say) }
}

impl Settings {
    fn check(&self) -> Result<(), &'static str> {
        bound(self.volume_percent <= 100, "a volume above 100 %")
    }
}

impl Message for ToDaemon {
    const MAX_BYTES: usize = 1024;

    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Hello { software, phrases, .. } => {
                bound(phrases.len() <= PHRASES_MAX, "too many wake phrases")?;
                name(software)?;
                phrases.iter().try_for_each(|phrase| name(phrase))
            }
            Self::Settings(settings) => settings.check(),
            Self::Trouble { text } => bound(text.len() <= TEXT_BYTES_MAX, "a text is too long"),
            _ => Ok(()),
        }
    }
}

impl Message for ToSatellite {
    const MAX_BYTES: usize = 1024;

    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Welcome { room, settings, .. } => {
                name(room)?;
                settings.check()
            }
            Self::Refused { reason } => bound(reason.len() <= TEXT_BYTES_MAX, "a text is too long"),
            Self::Settings(settings) => settings.check(),
            Self::Listen { window_ms } => bound(*window_ms <= LISTEN_MS_MAX, "a listening window is too long"),
            _ => Ok(()),
        }
    }
}

impl Message for Mic {
    const MAX_BYTES: usize = 1024;

    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Start { opened: Opened::Wake { phrase, score, .. }, .. } => {
                name(phrase)?;
                bound((0.0..=1.0).contains(score), "a score outside 0 to 1")
            }
            Self::Frame { pcm, .. } => bound(pcm.len() == MIC_FRAME_BYTES, "a frame that is not 20 ms long"),
            _ => Ok(()),
        }
    }
}

impl Message for Answer {
    const MAX_BYTES: usize = MAX_PCM_BYTES + 16;

    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Start { rate_hz, .. } => bound(ANSWER_RATES_HZ.contains(rate_hz), "a sample rate out of bounds"),
            Self::Pcm(pcm) => {
                bound(pcm.len() <= MAX_PCM_BYTES && pcm.len() % 2 == 0, "sound that is too long or has half a sample")
            }
            _ => Ok(()),
        }
    }
}

/// Samples as bytes, 16-bit little-endian.
pub fn to_bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// Bytes as samples; half a sample at the end is left out.
pub fn to_samples(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}
