//! A WAV file as the microphone and one as the loudspeaker, in real time: for machines without sound and for tests.
//!
//! After the file's end the microphone stays in a quiet room. Its rate is the file's own, so that resampling is part of what is tried.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::mpsc::SyncSender;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use super::mouth::LentThroat;
use super::paced::{Hiss, PERIOD, Paced};
use super::resample::{BadRate, RATES_HZ};
use super::tape::TapeWriter;
use super::{AudioError, Backend, Devices, Fault, Loudspeaker, Microphone, Stream, Which};
use crate::clock::Clock;
use crate::config::AudioConfig;

/// The backend.
pub struct Wav;

/// Longest microphone file, in seconds: it is held in memory.
const MICROPHONE_S_MAX: u32 = 1800;
/// Longest loudspeaker file, in seconds; what comes later is not written.
const LOUDSPEAKER_S_MAX: u32 = 4 * 3600;
/// Rate of the loudspeaker's file where none is configured.
const LOUDSPEAKER_HZ: u32 = 16_000;
/// The header is made right this often, so that a killed satellite leaves a file that can be read.
const FLUSH_PERIODS: u32 = 50;

struct Said {
    samples: Vec<i16>,
    rate_hz: u32,
}

struct Heard {
    path: String,
    rate_hz: u32,
}

impl Backend for Wav {
    fn name(&self) -> &'static str {
        "wav"
    }

    fn devices(&self) -> Result<Devices, AudioError> {
        let any = || vec!["the path of a .wav file".to_owned()];
        Ok(Devices { microphones: any(), loudspeakers: any() })
    }

    fn microphone(&self, config: &AudioConfig) -> Result<Box<dyn Microphone>, AudioError> {
        let (samples, rate_hz) = read_mono(Path::new(&config.microphone)).map_err(|reason| AudioError::Unusable {
            what: "microphone",
            name: config.microphone.clone(),
            reason,
        })?;
        Ok(Box::new(Said { samples, rate_hz }))
    }

    fn loudspeaker(&self, config: &AudioConfig) -> Result<Box<dyn Loudspeaker>, AudioError> {
        let rate_hz = match config.loudspeaker_rate_hz {
            0 => LOUDSPEAKER_HZ,
            rate_hz => rate_hz,
        };
        if !RATES_HZ.contains(&rate_hz) {
            return Err(AudioError::Unusable {
                what: "loudspeaker",
                name: config.loudspeaker.clone(),
                reason: BadRate(rate_hz).to_string(),
            });
        }
        Ok(Box::new(Heard { path: config.loudspeaker.clone(), rate_hz }))
    }
}

/// Reads a WAV file of 8 to 32 bits or floats, channels averaged; gives samples and rate.
pub fn read_mono(path: &Path) -> Result<(Vec<i16>, u32), String> {
    let mut reader = WavReader::open(path).map_err(|e| format!("{e}; it must be the path of a PCM .wav file"))?;
    let spec = reader.spec();
    if !RATES_HZ.contains(&spec.sample_rate) {
        return Err(BadRate(spec.sample_rate).to_string());
    }
    if spec.channels == 0 || reader.duration() / spec.sample_rate > MICROPHONE_S_MAX {
        return Err(format!("it is longer than {MICROPHONE_S_MAX} s, or has no channel"));
    }
    let flat: Vec<i16> = match (spec.sample_format, spec.bits_per_sample) {
        (SampleFormat::Float, _) => reader
            .samples::<f32>()
            .map(|s| s.map(|s| (s * 32768.0).clamp(-32768.0, 32767.0) as i16))
            .collect::<Result<_, _>>(),
        (SampleFormat::Int, bits) => reader
            .samples::<i32>()
            .map(|s| s.map(|s| if bits > 16 { s >> (bits - 16) } else { s << (16 - bits) } as i16))
            .collect::<Result<_, _>>(),
    }
    .map_err(|e| format!("{e}; the file is damaged"))?;
    let channels = usize::from(spec.channels);
    let mono = flat
        .chunks_exact(channels)
        .map(|frame| (frame.iter().map(|&s| i32::from(s)).sum::<i32>() / i32::from(spec.channels)) as i16)
        .collect();
    Ok((mono, spec.sample_rate))
}

impl Microphone for Said {
    fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    fn open(
        self: Box<Self>,
        mut tape: TapeWriter,
        clock: Clock,
        _faults: SyncSender<Fault>,
    ) -> Result<Box<dyn Stream>, AudioError> {
        let mut count = periods(self.rate_hz);
        let mut file = self.samples.into_iter();
        let mut hiss = Hiss::default();
        let paced = Paced::start("wav-microphone", move |due| {
            let period: Vec<i16> = (&mut file).chain(&mut hiss).take(count.next()).collect();
            tape.write(period.into_iter(), clock.at(due));
            true
        });
        opened("microphone", "wav", paced)
    }
}

impl Loudspeaker for Heard {
    fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    fn open(
        &self,
        mut throat: LentThroat,
        clock: Clock,
        faults: SyncSender<Fault>,
    ) -> Result<Box<dyn Stream>, AudioError> {
        let spec =
            WavSpec { channels: 1, sample_rate: self.rate_hz, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let mut writer = WavWriter::create(&self.path, spec).map_err(|reason| AudioError::Unusable {
            what: "loudspeaker",
            name: self.path.clone(),
            reason: format!("{reason}; it must be the path of a .wav file that can be written"),
        })?;
        let mut count = periods(self.rate_hz);
        let mut buffer = vec![0; count.most];
        let mut room = u64::from(self.rate_hz) * u64::from(LOUDSPEAKER_S_MAX);
        let mut nth = 0_u32;
        let paced = Paced::start("wav-loudspeaker", move |due| {
            let period = &mut buffer[..count.next()];
            throat.fill(period, clock.at(due));
            if room < period.len() as u64 {
                return true;
            }
            room -= period.len() as u64;
            nth = nth.wrapping_add(1);
            let written = write(&mut writer, period, nth.is_multiple_of(FLUSH_PERIODS));
            if let Err(reason) = &written {
                let fault = Fault { which: Which::Loudspeaker, reason: reason.to_string(), over: true };
                if faults.try_send(fault).is_err() {
                    tracing::debug!(%reason, "the loudspeaker's file fails, as was told");
                }
            }
            written.is_ok()
        });
        opened("loudspeaker", "wav", paced)
    }
}

fn write(writer: &mut WavWriter<BufWriter<File>>, period: &[i16], flush: bool) -> Result<(), hound::Error> {
    for &sample in period {
        writer.write_sample(sample)?;
    }
    if flush { writer.flush() } else { Ok(()) }
}

/// Samples of each period where the rate is no multiple of the periods (22,050 Hz).
struct Periods {
    rate_hz: u64,
    nth: u64,
    given: u64,
    most: usize,
}

fn periods(rate_hz: u32) -> Periods {
    Periods {
        rate_hz: u64::from(rate_hz),
        nth: 0,
        given: 0,
        most: (u64::from(rate_hz) * PERIOD.as_millis() as u64 / 1000 + 1) as usize,
    }
}

impl Periods {
    fn next(&mut self) -> usize {
        self.nth += 1;
        let until = self.nth * self.rate_hz * PERIOD.as_millis() as u64 / 1000;
        let count = until - self.given;
        self.given = until;
        count as usize
    }
}

fn opened(what: &'static str, name: &str, paced: std::io::Result<Paced>) -> Result<Box<dyn Stream>, AudioError> {
    paced.map(|paced| Box::new(paced) as Box<dyn Stream>).map_err(|reason| AudioError::Unusable {
        what,
        name: name.to_owned(),
        reason: reason.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_add_up_to_the_rate() {
        for rate in [8_000, 16_000, 22_050, 44_100, 48_000] {
            let mut count = periods(rate);
            let most = count.most;
            let second: Vec<usize> = (0..50).map(|_| count.next()).collect();
            assert_eq!(second.iter().sum::<usize>(), rate as usize);
            assert!(second.iter().all(|&n| n <= most));
        }
    }

    #[test]
    fn what_is_no_usable_wav_is_refused_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let missing = read_mono(&dir.path().join("none.wav")).unwrap_err();
        assert!(missing.contains(".wav"), "{missing}");
        let text = dir.path().join("text.wav");
        std::fs::write(&text, "not sound").unwrap();
        assert!(read_mono(&text).is_err());
        let slow = dir.path().join("slow.wav");
        let spec = WavSpec { channels: 1, sample_rate: 1000, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let mut writer = WavWriter::create(&slow, spec).unwrap();
        writer.write_sample(1_i16).unwrap();
        writer.finalize().unwrap();
        assert!(read_mono(&slow).unwrap_err().contains("1000 Hz"));
    }

    #[test]
    fn channels_are_averaged_and_widths_brought_to_16_bits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stereo.wav");
        let spec = WavSpec { channels: 2, sample_rate: 44_100, bits_per_sample: 24, sample_format: SampleFormat::Int };
        let mut writer = WavWriter::create(&path, spec).unwrap();
        for _ in 0..10 {
            writer.write_sample(1000_i32 << 8).unwrap();
            writer.write_sample(3000_i32 << 8).unwrap();
        }
        writer.finalize().unwrap();
        assert_eq!(read_mono(&path), Ok((vec![2000; 10], 44_100)));
    }
}
