//! Reads the sound that servers stream: bare samples, or WAV whose header lies about its length.

use super::engine::SpeechError;

/// Longest header before the samples of a WAV stream, in bytes; pictures and notes in front of speech are not meant for us.
const HEADER_MAX: usize = 64 * 1024;

/// Chunks that may follow the samples; everything else behind the stated end is sound, since streamed headers lie.
const TRAILERS: [&[u8; 4]; 9] = [b"LIST", b"id3 ", b"ID3 ", b"JUNK", b"junk", b"fact", b"cue ", b"bext", b"PEAK"];

/// Beginnings of sound that was not asked for, and what it is called.
const FOREIGN: [(&[u8], &str); 4] = [(b"ID3", "MP3"), (b"OggS", "Ogg"), (b"fLaC", "FLAC"), (b"\x1aE\xdf\xa3", "WebM")];

/// What the server was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Bare samples: 16-bit little-endian mono of this rate, in hertz.
    Pcm(u32),
    /// WAV.
    Wav,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    rate_hz: u32,
    channels: usize,
    sample: Sample,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sample {
    U8,
    S16,
    S24,
    S32,
    F32,
}

#[derive(Debug)]
enum State {
    /// The header is not whole yet.
    Header,
    /// Samples; so many bytes until the stated end, where one is stated that may be true.
    Sound { layout: Layout, left: Option<u64> },
    /// Behind the samples.
    Over,
}

/// The decoder of one stream.
#[derive(Debug)]
pub(super) struct Decoder {
    asked: Asked,
    state: State,
    bytes: Vec<u8>,
}

impl Decoder {
    pub fn new(asked: Asked) -> Self {
        Self { asked, state: State::Header, bytes: Vec::new() }
    }

    /// The stream's rate in hertz, once it is known.
    pub fn rate_hz(&self) -> Option<u32> {
        match &self.state {
            State::Sound { layout, .. } => Some(layout.rate_hz),
            State::Header | State::Over => None,
        }
    }

    /// Takes bytes as they come, gives mono samples.
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<i16>, SpeechError> {
        if matches!(self.state, State::Over) {
            return Ok(Vec::new());
        }
        self.bytes.extend_from_slice(piece);
        if matches!(self.state, State::Header) {
            let Some((layout, left, taken)) = header(&self.bytes, self.asked)? else {
                return Ok(Vec::new());
            };
            self.bytes.drain(..taken);
            self.state = State::Sound { layout, left };
        }
        Ok(self.samples(false))
    }

    /// The end of the stream: what is left, or what was missing.
    pub fn finish(&mut self) -> Result<Vec<i16>, SpeechError> {
        match self.state {
            State::Header if self.bytes.is_empty() => Err(SpeechError::Silent),
            State::Header => Err(SpeechError::Format("the stream ended within the header of its sound".to_owned())),
            State::Sound { .. } | State::Over => Ok(self.samples(true)),
        }
    }

    fn samples(&mut self, last: bool) -> Vec<i16> {
        let mut out = Vec::new();
        while let State::Sound { layout, left } = &mut self.state {
            let frame = layout.sample.bytes() * layout.channels;
            let here = match left {
                None => self.bytes.len(),
                Some(left) => usize::try_from(*left).unwrap_or(usize::MAX).min(self.bytes.len()),
            };
            let whole = here - here % frame;
            out.extend(self.bytes[..whole].chunks_exact(frame).map(|f| mono(f, layout.sample)));
            self.bytes.drain(..whole);
            let Some(stated) = left else { break };
            *stated -= whole as u64;
            if *stated >= frame as u64 {
                break;
            }
            // At the stated end. Four bytes tell a trailer from sound.
            let behind = &self.bytes[(*stated as usize).min(self.bytes.len())..];
            let padded = behind.strip_prefix(&[0]).unwrap_or(behind);
            if TRAILERS.iter().any(|name| behind.starts_with(*name) || padded.starts_with(*name)) {
                self.state = State::Over;
                self.bytes.clear();
            } else if behind.len() >= 5 || last {
                *left = None;
            } else {
                break;
            }
        }
        out
    }
}

impl Sample {
    fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::S16 => 2,
            Self::S24 => 3,
            Self::S32 | Self::F32 => 4,
        }
    }

    fn read(self, bytes: &[u8]) -> i32 {
        match (self, bytes) {
            (Self::U8, &[a]) => (i32::from(a) - 128) << 8,
            (Self::S16, &[a, b]) => i32::from(i16::from_le_bytes([a, b])),
            (Self::S24, &[_, b, c]) => i32::from(i16::from_le_bytes([b, c])),
            (Self::S32, &[_, _, c, d]) => i32::from(i16::from_le_bytes([c, d])),
            (Self::F32, &[a, b, c, d]) => (f32::from_le_bytes([a, b, c, d]) * 32_767.0) as i32,
            _ => 0,
        }
    }
}

/// The mean of a frame's channels.
fn mono(frame: &[u8], sample: Sample) -> i16 {
    let size = sample.bytes();
    let channels = (frame.len() / size).max(1) as i32;
    let sum: i32 =
        frame.chunks_exact(size).map(|bytes| sample.read(bytes).clamp(i16::MIN.into(), i16::MAX.into())).sum();
    (sum / channels) as i16
}

/// Layout, stated length and the header's size; `None` while it is not whole.
type Header = Option<(Layout, Option<u64>, usize)>;

fn header(bytes: &[u8], asked: Asked) -> Result<Header, SpeechError> {
    let wrong = |what: &str| Err(SpeechError::Format(what.to_owned()));
    if bytes.len() < 4 {
        return Ok(None);
    }
    if bytes.starts_with(b"RIFF") {
        return wav(bytes);
    }
    if let Some((_, name)) = FOREIGN.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return wrong(&format!("it sends {name}, which was not asked for: does it know response_format?"));
    }
    let text = bytes.iter().take(16).all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace());
    // Raw samples may begin like a page; a WAV that was asked for can't.
    let page = bytes.starts_with(b"<") && (matches!(asked, Asked::Wav) || (text && bytes.len() >= 16));
    if page || bytes.starts_with(b"{\"") {
        return wrong("it sends text instead of sound: is the URL right?");
    }
    match asked {
        Asked::Wav => wrong("it sends no WAV, which was asked for: set format = \"pcm\" and pcm_rate_hz"),
        Asked::Pcm(rate_hz) => Ok(Some((Layout { rate_hz, channels: 1, sample: Sample::S16 }, None, 0))),
    }
}

fn wav(bytes: &[u8]) -> Result<Header, SpeechError> {
    let mut at = 12;
    let mut layout = None;
    if bytes.get(8..12).is_some_and(|kind| kind != b"WAVE") {
        return Err(SpeechError::Format("a RIFF stream that is no WAVE".to_owned()));
    }
    loop {
        if at > HEADER_MAX {
            return Err(SpeechError::Format(format!("no samples within {HEADER_MAX} bytes of WAV header")));
        }
        let Some((id, rest)) = bytes.get(at..).and_then(|rest| rest.split_first_chunk::<4>()) else {
            return Ok(None);
        };
        let Some(size) = rest.first_chunk::<4>().map(|size| u32::from_le_bytes(*size)) else {
            return Ok(None);
        };
        let body = at + 8;
        match id {
            b"data" => {
                let Some(layout) = layout else {
                    return Err(SpeechError::Format("a WAV header without a format".to_owned()));
                };
                // Streaming servers write 0, 0xffffffff or nearly that, for "don't know".
                let stated = (size > 0 && size < 0x7fff_0000).then_some(u64::from(size));
                return Ok(Some((layout, stated, body)));
            }
            b"fmt " => {
                let Some(format) = bytes.get(body..body + 16) else { return Ok(None) };
                if !(16..=40 + 24).contains(&size) {
                    return Err(SpeechError::Format(format!("a WAV format of {size} bytes")));
                }
                let Some(whole) = bytes.get(body..body + size as usize) else { return Ok(None) };
                layout = Some(wav_format(format, whole)?);
            }
            _ => {}
        }
        at = body.saturating_add(size as usize).saturating_add(size as usize % 2);
    }
}

fn wav_format(format: &[u8], whole: &[u8]) -> Result<Layout, SpeechError> {
    let u16_at = |bytes: &[u8], at: usize| match bytes.get(at..at + 2) {
        Some(&[a, b]) => u16::from_le_bytes([a, b]),
        _ => 0,
    };
    let rate_hz = u32::from(u16_at(format, 4)) | u32::from(u16_at(format, 6)) << 16;
    let channels = u16_at(format, 2);
    let bits = u16_at(format, 14);
    let coding = match u16_at(format, 0) {
        // Extensible: the true one stands further on.
        0xfffe => u16_at(whole, 24),
        coding => coding,
    };
    let sample = match (coding, bits) {
        (1, 8) => Sample::U8,
        (1, 16) => Sample::S16,
        (1, 24) => Sample::S24,
        (1, 32) => Sample::S32,
        (3, 32) => Sample::F32,
        _ => {
            return Err(SpeechError::Format(format!("WAV with coding {coding} and {bits} bits can't be played")));
        }
    };
    if channels == 0 || channels > 8 {
        return Err(SpeechError::Format(format!("WAV with {channels} channels")));
    }
    Ok(Layout { rate_hz, channels: channels.into(), sample })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wav_bytes(rate_hz: u32, channels: u16, stated: u32, samples: &[i16]) -> Vec<u8> {
        let mut bytes = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0".to_vec();
        bytes.extend(channels.to_le_bytes());
        bytes.extend(rate_hz.to_le_bytes());
        bytes.extend((rate_hz * u32::from(channels) * 2).to_le_bytes());
        bytes.extend((channels * 2).to_le_bytes());
        bytes.extend(16u16.to_le_bytes());
        bytes.extend(b"data");
        bytes.extend(stated.to_le_bytes());
        bytes.extend(samples.iter().flat_map(|s| s.to_le_bytes()));
        bytes
    }

    fn decode(asked: Asked, bytes: &[u8], piece: usize) -> Result<(Option<u32>, Vec<i16>), SpeechError> {
        let mut decoder = Decoder::new(asked);
        let mut rate_hz = None;
        let mut all = Vec::new();
        for piece in bytes.chunks(piece) {
            all.extend(decoder.push(piece)?);
            rate_hz = rate_hz.or(decoder.rate_hz());
        }
        all.extend(decoder.finish()?);
        Ok((rate_hz, all))
    }

    #[test]
    fn lengths_that_lie_are_not_believed() {
        let samples: Vec<i16> = (1..2000).collect();
        for stated in [0, u32::MAX, 0x7fff_ffff, 0x7fff_0000, 10, 100, 3998, 1_000_000] {
            let bytes = wav_bytes(24_000, 1, stated, &samples);
            for piece in [1, 7, 4096] {
                let got = decode(Asked::Wav, &bytes, piece).unwrap();
                assert_eq!(got, (Some(24_000), samples.clone()), "stated {stated}, pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_trailer_is_not_played() {
        let samples: Vec<i16> = (1..500).collect();
        let mut bytes = wav_bytes(24_000, 1, 998, &samples);
        bytes.extend(b"LIST\x1a\0\0\0INFOISFT\x0e\0\0\0Lavf60.16.100\0");
        for piece in [1, 5, 4096] {
            assert_eq!(decode(Asked::Wav, &bytes, piece).unwrap().1, samples);
        }
    }

    #[test]
    fn channels_are_mixed_and_other_samples_read() {
        let bytes = wav_bytes(44_100, 2, 0, &[100, 300, -5, -7]);
        assert_eq!(decode(Asked::Wav, &bytes, 3).unwrap(), (Some(44_100), vec![200, -6]));
        let mut float = wav_bytes(16_000, 1, 0, &[]);
        float[20] = 3;
        float[34] = 32;
        float.extend(0.5f32.to_le_bytes());
        float.extend(9.0f32.to_le_bytes());
        float.extend(f32::NAN.to_le_bytes());
        assert_eq!(decode(Asked::Wav, &float, 5).unwrap().1, [16_383, i16::MAX, 0]);
    }

    #[test]
    fn wav_is_taken_where_samples_were_asked_for() {
        let bytes = wav_bytes(16_000, 1, 0, &[1, 2]);
        assert_eq!(decode(Asked::Pcm(24_000), &bytes, 100).unwrap(), (Some(16_000), vec![1, 2]));
        assert_eq!(decode(Asked::Pcm(24_000), &[1, 0, 2, 0, 9], 1).unwrap(), (Some(24_000), vec![1, 2]));
    }

    #[test]
    fn what_is_no_sound_is_told() {
        let coded = |coding: u8, bits: u8| {
            let mut bytes = wav_bytes(16_000, 1, 0, &[1, 2]);
            bytes[20] = coding;
            bytes[34] = bits;
            bytes
        };
        let many = wav_bytes(16_000, 999, 0, &[]);
        let cases: [(&[u8], &str); 9] = [
            (b"ID3\x04\0\0\0\0\0\0", "MP3"),
            (b"OggS\0\x02\0\0", "Ogg"),
            (b"<!DOCTYPE html><html>", "text"),
            (b"{\"error\":\"no such voice\"}", "text"),
            (b"\0\0\0\0\0\0\0\0", "no WAV"),
            (b"RIFF\0\0\0\0AVI fmt ", "no WAV"),
            (b"RIFF\0\0\0\0WAVEdata\0\0\0\0\0\0", "without a format"),
            (&coded(85, 16), "coding 85"),
            (&many, "999 channels"),
        ];
        for (bytes, part) in cases {
            let error = decode(Asked::Wav, bytes, 4).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(decode(Asked::Wav, &coded(1, 12), 100).is_err());
        assert_eq!(decode(Asked::Wav, b"", 1), Err(SpeechError::Silent));
        assert!(decode(Asked::Wav, b"RIFF\0\0\0\0WAVEfmt ", 1).is_err());
        let mut long = b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\x0f".to_vec();
        long.resize(HEADER_MAX + 100, 0);
        assert!(decode(Asked::Wav, &long, 1000).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..400), head in 0usize..60, piece in 1usize..50) {
            let mut mixed = wav_bytes(24_000, 1, 50, &[3; 40]);
            mixed.truncate(head);
            mixed.extend(&bytes);
            let _any: Result<_, _> = decode(Asked::Wav, &mixed, piece);
            let _any: Result<_, _> = decode(Asked::Pcm(24_000), &bytes, piece);
        }
    }
}
