//! What the cpal hosts have in common: finding a device by name, choosing how to run it, and the two callbacks.

use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, Data, ErrorKind, FromSample, HostId, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize,
    SupportedStreamConfigRange,
};
use jarvis_link::message::SatMicros;

use super::mouth::LentThroat;
use super::tape::TapeWriter;
use super::{AudioError, Devices, Fault, Loudspeaker, Microphone, Stream, Which, existing};
use crate::clock::Clock;

/// Callbacks a second: the default of the hosts is seconds of delay.
const PERIODS_PER_S: u32 = 50;
/// Likewise where a sound server plays, which has the hardware's buffer behind its own: what is said waits 30 ms less.
const SERVED_PERIODS_PER_S: u32 = 200;
/// A sound server that hangs must not hang the satellite.
const OPEN_TIMEOUT: Duration = Duration::from_secs(3);
/// Rates in the order in which they are liked, where none is configured.
const RATES_HZ: [u32; 6] = [16_000, 48_000, 32_000, 44_100, 24_000, 96_000];
/// Sample formats in the order in which they are liked.
const FORMATS: [SampleFormat; 5] =
    [SampleFormat::I16, SampleFormat::I32, SampleFormat::F32, SampleFormat::I24, SampleFormat::U8];
/// Most samples that one output callback asks for at once.
const CALLBACK_SAMPLES: usize = 8192;

/// A cpal host as one of our backends.
pub struct Host {
    /// In messages.
    pub name: &'static str,
    /// In cpal.
    pub id: HostId,
    /// What to do when it does not answer.
    pub remedy: &'static str,
    /// Takes any rate and any number of channels and converts (a sound server does, hardware does not).
    pub converts: bool,
}

/// A device, and how it will be run.
pub struct Found {
    device: cpal::Device,
    name: String,
    config: StreamConfig,
    format: SampleFormat,
    /// Closed while there is nothing to play: a sound server's, not hardware, some of which clicks.
    rests: bool,
}

struct Open {
    _stream: cpal::Stream,
}

impl Stream for Open {}

impl Host {
    fn reach(&self) -> Result<cpal::Host, AudioError> {
        cpal::host_from_id(self.id).map_err(|reason| AudioError::NoHost {
            host: self.name,
            reason: reason.to_string(),
            remedy: self.remedy,
        })
    }

    /// The names of what there is.
    pub fn devices(&self) -> Result<Devices, AudioError> {
        let mut found = Devices::default();
        for device in self.all(&self.reach()?)? {
            let name = name_of(&device);
            let (input, output) = directions(&device);
            if input {
                found.microphones.push(name.clone());
            }
            if output {
                found.loudspeakers.push(name);
            }
        }
        Ok(found)
    }

    fn all(&self, host: &cpal::Host) -> Result<Vec<cpal::Device>, AudioError> {
        let devices = host.devices().map_err(|reason| AudioError::NoHost {
            host: self.name,
            reason: reason.to_string(),
            remedy: self.remedy,
        })?;
        Ok(devices.collect())
    }

    /// Finds a device and decides how to run it; an empty name is the system's default, `rate_hz` 0 is ours to choose.
    pub fn find(&self, which: Which, name: &str, rate_hz: u32) -> Result<Found, AudioError> {
        let host = self.reach()?;
        let what = what(which);
        let device = if name.is_empty() || name == "default" {
            match which {
                Which::Microphone => host.default_input_device(),
                Which::Loudspeaker => host.default_output_device(),
            }
        } else {
            self.all(&host)?.into_iter().find(|device| {
                let (input, output) = directions(device);
                let fits = match which {
                    Which::Microphone => input,
                    Which::Loudspeaker => output,
                };
                fits && (name_of(device) == name || described(device).as_deref() == Some(name))
            })
        };
        let Some(device) = device else {
            let devices = self.devices()?;
            return Err(AudioError::NoDevice {
                what,
                name: if name.is_empty() { "default" } else { name }.to_owned(),
                exist: existing(match which {
                    Which::Microphone => &devices.microphones,
                    Which::Loudspeaker => &devices.loudspeakers,
                }),
            });
        };
        let unusable = |reason: String| AudioError::Unusable { what, name: name_of(&device), reason };
        let (config, format) = if self.converts {
            let native = match which {
                Which::Microphone => Ok(RATES_HZ[0]),
                Which::Loudspeaker => device.default_output_config().map(|config| config.sample_rate()),
            };
            let rate = if rate_hz == 0 { native.map_err(|e| unusable(e.to_string()))? } else { rate_hz };
            let periods = match which {
                Which::Microphone => PERIODS_PER_S,
                Which::Loudspeaker => SERVED_PERIODS_PER_S,
            };
            (config(rate, 1, periods, &SupportedBufferSize::Unknown), SampleFormat::I16)
        } else {
            let offered = match which {
                Which::Microphone => device.supported_input_configs().map(Vec::from_iter),
                Which::Loudspeaker => device.supported_output_configs().map(Vec::from_iter),
            }
            .map_err(|e| unusable(e.to_string()))?;
            choose(&offered, rate_hz).ok_or_else(|| {
                unusable(format!(
                    "it can't be run at {}; it offers {}",
                    if rate_hz == 0 { "a rate that we can convert".to_owned() } else { format!("{rate_hz} Hz") },
                    offers(&offered)
                ))
            })?
        };
        if !super::resample::RATES_HZ.contains(&config.sample_rate) {
            let bad = super::resample::BadRate(config.sample_rate);
            return Err(unusable(bad.to_string()));
        }
        Ok(Found { name: name_of(&device), device, config, format, rests: self.converts })
    }
}

/// A stream of so many callbacks a second, or as near to it as the device's buffers allow.
fn config(sample_rate: u32, channels: u16, periods_per_s: u32, buffers: &SupportedBufferSize) -> StreamConfig {
    let frames = (sample_rate / periods_per_s).max(1);
    let frames = match *buffers {
        // Drivers are known that tell a smallest size above their largest.
        SupportedBufferSize::Range { min, max } => frames.clamp(min, max.max(min)).max(1),
        SupportedBufferSize::Unknown => frames,
    };
    StreamConfig { channels, sample_rate, buffer_size: BufferSize::Fixed(frames) }
}

fn what(which: Which) -> &'static str {
    match which {
        Which::Microphone => "microphone",
        Which::Loudspeaker => "loudspeaker",
    }
}

/// The sound system's own name for it (`alsa_input.usb-...`, `plughw:CARD=0,DEV=0`).
fn name_of(device: &cpal::Device) -> String {
    device.id().map(|id| id.id().to_owned()).unwrap_or_else(|_| device.to_string())
}

fn described(device: &cpal::Device) -> Option<String> {
    Some(device.description().ok()?.name().to_owned())
}

/// Whether it claims to take and to give sound; asking for its configurations would open ALSA devices.
fn directions(device: &cpal::Device) -> (bool, bool) {
    device
        .description()
        .map_or((true, true), |description| (description.supports_input(), description.supports_output()))
}

fn choose(offered: &[SupportedStreamConfigRange], rate_hz: u32) -> Option<(StreamConfig, SampleFormat)> {
    let wanted: &[u32] = if rate_hz == 0 { &RATES_HZ } else { &[rate_hz] };
    let formats = FORMATS.iter().enumerate();
    let mut best: Option<((usize, u16, usize), StreamConfig, SampleFormat)> = None;
    for (liked, &format) in formats {
        for range in offered.iter().filter(|range| range.sample_format() == format) {
            for (nth, &rate) in wanted.iter().enumerate() {
                if !(range.min_sample_rate()..=range.max_sample_rate()).contains(&rate) {
                    continue;
                }
                let rank = (nth, range.channels(), liked);
                if best.as_ref().is_none_or(|(now, ..)| rank < *now) {
                    let config = config(rate, range.channels(), PERIODS_PER_S, range.buffer_size());
                    best = Some((rank, config, format));
                }
            }
        }
    }
    best.map(|(_, config, format)| (config, format))
}

fn offers(offered: &[SupportedStreamConfigRange]) -> String {
    let mut texts: Vec<String> = offered
        .iter()
        .map(|range| {
            let (low, high) = (range.min_sample_rate(), range.max_sample_rate());
            let format = range.sample_format();
            let channels = range.channels();
            if low == high {
                format!("{low} Hz {format} x{channels}")
            } else {
                format!("{low}-{high} Hz {format} x{channels}")
            }
        })
        .collect();
    texts.dedup();
    texts.truncate(8);
    texts.join(", ")
}

impl Microphone for Found {
    fn rate_hz(&self) -> u32 {
        self.config.sample_rate
    }

    fn open(
        self: Box<Self>,
        tape: TapeWriter,
        clock: Clock,
        faults: SyncSender<Fault>,
    ) -> Result<Box<dyn Stream>, AudioError> {
        let opened = match self.format {
            SampleFormat::I16 => self.hear::<i16>(tape, clock, faults),
            SampleFormat::I32 => self.hear::<i32>(tape, clock, faults),
            SampleFormat::F32 => self.hear::<f32>(tape, clock, faults),
            SampleFormat::I24 => self.hear::<cpal::I24>(tape, clock, faults),
            _ => self.hear::<u8>(tape, clock, faults),
        };
        self.opened(Which::Microphone, opened)
    }
}

impl Loudspeaker for Found {
    fn rate_hz(&self) -> u32 {
        self.config.sample_rate
    }

    fn rests(&self) -> bool {
        self.rests
    }

    fn open(&self, throat: LentThroat, clock: Clock, faults: SyncSender<Fault>) -> Result<Box<dyn Stream>, AudioError> {
        let opened = match self.format {
            SampleFormat::I16 => self.speak::<i16>(throat, clock, faults),
            SampleFormat::I32 => self.speak::<i32>(throat, clock, faults),
            SampleFormat::F32 => self.speak::<f32>(throat, clock, faults),
            SampleFormat::I24 => self.speak::<cpal::I24>(throat, clock, faults),
            _ => self.speak::<u8>(throat, clock, faults),
        };
        self.opened(Which::Loudspeaker, opened)
    }
}

impl Found {
    fn opened(&self, which: Which, opened: Result<cpal::Stream, cpal::Error>) -> Result<Box<dyn Stream>, AudioError> {
        opened
            .and_then(|stream| stream.play().map(|()| stream))
            .map(|stream| Box::new(Open { _stream: stream }) as Box<dyn Stream>)
            .map_err(|reason| AudioError::Unusable {
                what: what(which),
                name: self.name.clone(),
                reason: reason.to_string(),
            })
    }

    fn hear<T>(
        &self,
        mut tape: TapeWriter,
        clock: Clock,
        faults: SyncSender<Fault>,
    ) -> Result<cpal::Stream, cpal::Error>
    where
        T: SizedSample,
        i16: FromSample<T>,
    {
        let channels = usize::from(self.config.channels).max(1);
        self.device.build_input_stream_raw(
            self.config,
            self.format,
            move |data: &Data, info: &cpal::InputCallbackInfo| {
                let Some(samples) = data.as_slice::<T>() else {
                    return;
                };
                let times = info.timestamp();
                let age = times.callback.duration_since(times.capture);
                let at = clock.at(Instant::now().checked_sub(age).unwrap_or_else(Instant::now));
                let frames = samples.chunks_exact(channels).map(|frame| {
                    let sum: i32 = frame.iter().map(|&s| i32::from(i16::from_sample_(s))).sum();
                    (sum / channels as i32) as i16
                });
                tape.write(frames, at);
            },
            tell(Which::Microphone, faults),
            Some(OPEN_TIMEOUT),
        )
    }

    fn speak<T>(
        &self,
        mut throat: LentThroat,
        clock: Clock,
        faults: SyncSender<Fault>,
    ) -> Result<cpal::Stream, cpal::Error>
    where
        T: SizedSample + FromSample<i16>,
    {
        let channels = usize::from(self.config.channels).max(1);
        let rate = u64::from(self.config.sample_rate);
        let mut mono = vec![0_i16; CALLBACK_SAMPLES];
        self.device.build_output_stream_raw(
            self.config,
            self.format,
            move |data: &mut Data, info: &cpal::OutputCallbackInfo| {
                let Some(samples) = data.as_slice_mut::<T>() else {
                    return;
                };
                let times = info.timestamp();
                let ahead = times.playback.duration_since(times.callback);
                let mut at = clock.at(Instant::now() + ahead);
                for part in samples.chunks_mut(CALLBACK_SAMPLES * channels) {
                    let frames = part.len() / channels;
                    throat.fill(&mut mono[..frames], at);
                    for (frame, &sample) in part.chunks_exact_mut(channels).zip(&mono[..frames]) {
                        frame.fill(T::from_sample_(sample));
                    }
                    at = SatMicros(at.0 + frames as u64 * 1_000_000 / rate);
                }
            },
            tell(Which::Loudspeaker, faults),
            Some(OPEN_TIMEOUT),
        )
    }
}

/// Reports what ends a stream; what the host repairs by itself is only logged.
fn tell(which: Which, faults: SyncSender<Fault>) -> impl FnMut(cpal::Error) + Send + 'static {
    move |error| {
        let harmless = matches!(error.kind(), ErrorKind::Xrun | ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied);
        if harmless {
            tracing::debug!(?which, %error, "the sound device hiccuped");
            return;
        }
        // cpal's ALSA streams go on after what cpal has no name for; whether sound does is seen by who owns them.
        let over = !matches!(error.kind(), ErrorKind::BackendError | ErrorKind::DeviceBusy);
        let fault = Fault { which, reason: error.to_string(), over };
        if faults.try_send(fault).is_err() {
            tracing::debug!(?which, %error, "a fault of this device was told already");
        }
    }
}

#[cfg(test)]
mod tests;
