//! Samples with their times, from a device's callback to the thread that works on them, without a lock.
//!
//! The samples and, every so often, the time of one of them travel in two rings. A full ring loses the newest samples; the loss is
//! seen in the times, not in a shift of all that follows.

use jarvis_link::message::SatMicros;
use rtrb::{Consumer, Producer, RingBuffer};

/// Times a second that the writer stamps a sample.
const STAMPS_PER_S: u32 = 100;
/// A step of the device's clock beyond this is a gap; below it, jitter that is smoothed.
const GAP_US: i64 = 40_000;
/// Part of the jitter that is believed per stamp, as a power of two.
const SMOOTHING_SHIFT: u32 = 4;

#[derive(Debug, Clone, Copy)]
struct Stamp {
    index: u64,
    at: SatMicros,
}

/// Makes a tape that holds `seconds` of sound.
pub fn tape(rate_hz: u32, seconds: u32) -> (TapeWriter, TapeReader) {
    let (samples, samples_out) = RingBuffer::new((rate_hz * seconds) as usize);
    let (stamps, stamps_out) = RingBuffer::new((STAMPS_PER_S * seconds) as usize + 1);
    let writer = TapeWriter {
        samples,
        stamps,
        written: 0,
        next_stamp: 0,
        stamp_every: u64::from((rate_hz / STAMPS_PER_S).max(1)),
    };
    let reader = TapeReader { samples: samples_out, stamps: stamps_out, read: 0, anchor: None, rate_hz };
    (writer, reader)
}

/// The device's end.
pub struct TapeWriter {
    samples: Producer<i16>,
    stamps: Producer<Stamp>,
    written: u64,
    next_stamp: u64,
    stamp_every: u64,
}

impl TapeWriter {
    /// Adds samples, the first of which belongs to the moment `at`. What does not fit is lost.
    pub fn write(&mut self, samples: impl ExactSizeIterator<Item = i16>, at: SatMicros) {
        let room = samples.len().min(self.samples.slots());
        if room == 0 {
            return;
        }
        if self.written >= self.next_stamp {
            let stamp = Stamp { index: self.written, at };
            if self.stamps.push(stamp).is_ok() {
                self.next_stamp = self.written + self.stamp_every;
            }
        }
        if let Ok(chunk) = self.samples.write_chunk_uninit(room) {
            self.written += chunk.fill_from_iter(samples.take(room)) as u64;
        }
    }
}

/// The working thread's end.
pub struct TapeReader {
    samples: Consumer<i16>,
    stamps: Consumer<Stamp>,
    read: u64,
    anchor: Option<Stamp>,
    rate_hz: u32,
}

impl TapeReader {
    /// Samples that can be read now.
    pub fn available(&self) -> usize {
        self.samples.slots()
    }

    /// Samples a second.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Fills `out` whole and gives the time of its first sample; `None`, and nothing is read, when there is less.
    pub fn read(&mut self, out: &mut [i16]) -> Option<SatMicros> {
        self.samples.pop_entire_slice(out).ok()?;
        while let Ok(&stamp) = self.stamps.peek() {
            if stamp.index > self.read {
                break;
            }
            self.believe(stamp);
            if self.stamps.pop().is_err() {
                break;
            }
        }
        let at = self.anchor.map_or(SatMicros(0), |anchor| self.project(anchor, self.read));
        self.read += out.len() as u64;
        Some(at)
    }

    fn project(&self, anchor: Stamp, index: u64) -> SatMicros {
        let samples = index.saturating_sub(anchor.index);
        SatMicros(anchor.at.0 + samples * 1_000_000 / u64::from(self.rate_hz))
    }

    fn believe(&mut self, stamp: Stamp) {
        let at = match self.anchor {
            None => stamp.at,
            Some(anchor) => {
                let expected = self.project(anchor, stamp.index);
                let off = stamp.at.0 as i64 - expected.0 as i64;
                if off.abs() > GAP_US {
                    stamp.at
                } else {
                    SatMicros(expected.0.saturating_add_signed(off >> SMOOTHING_SHIFT))
                }
            }
        };
        self.anchor = Some(Stamp { index: stamp.index, at });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 16_000;

    fn write(writer: &mut TapeWriter, samples: &[i16], at: u64) {
        writer.write(samples.iter().copied(), SatMicros(at));
    }

    #[test]
    fn every_sample_arrives_once_and_with_its_time() {
        let (mut writer, mut reader) = tape(RATE, 1);
        let sound: Vec<i16> = (0..3200).map(|n| n as i16).collect();
        for (n, chunk) in sound.chunks(8).enumerate() {
            write(&mut writer, chunk, 5_000 + n as u64 * 500);
        }
        let mut heard = Vec::new();
        let mut block = [0; 160];
        while let Some(at) = reader.read(&mut block) {
            assert_eq!(at.0, 5_000 + heard.len() as u64 * 1_000_000 / u64::from(RATE));
            heard.extend_from_slice(&block);
        }
        assert_eq!(heard, sound);
    }

    #[test]
    fn a_full_tape_loses_the_newest_and_tells_it_by_the_time() {
        let (mut writer, mut reader) = tape(RATE, 1);
        for n in 0..150 {
            write(&mut writer, &[n; 160], n as u64 * 10_000);
        }
        let mut block = [0; 160];
        for n in 0..100 {
            assert_eq!(reader.read(&mut block).unwrap().0, n * 10_000);
            assert_eq!(block[0], n as i16);
        }
        assert!(reader.read(&mut block).is_none());
        write(&mut writer, &[7; 160], 1_500_000);
        assert_eq!(reader.read(&mut block).unwrap().0, 1_500_000);
    }

    #[test]
    fn jitter_of_the_clock_is_smoothed() {
        let (mut writer, mut reader) = tape(RATE, 1);
        let mut block = [0; 160];
        let mut last = None;
        for n in 0..200_u64 {
            let jitter = if n % 2 == 0 { 0 } else { 8_000 };
            write(&mut writer, &[0; 160], n * 10_000 + jitter);
            let at = reader.read(&mut block).unwrap().0;
            if let Some(last) = last {
                let step = at as i64 - last as i64;
                assert!((9_000..11_000).contains(&step), "step of {step} us");
            }
            last = Some(at);
        }
    }
}
