//! How a device is run, by what it offers.

use super::*;

fn range(channels: u16, rates: (u32, u32), format: SampleFormat) -> SupportedStreamConfigRange {
    SupportedStreamConfigRange::new(channels, rates.0, rates.1, SupportedBufferSize::Unknown, format)
}

#[test]
fn the_buffer_is_one_that_the_device_has() {
    let frames = |buffers: SupportedBufferSize| {
        let offered = SupportedStreamConfigRange::new(1, 8_000, 48_000, buffers, SampleFormat::I16);
        choose(&[offered], 16_000).unwrap().0.buffer_size
    };
    let range = |min, max| SupportedBufferSize::Range { min, max };
    assert_eq!(frames(SupportedBufferSize::Unknown), BufferSize::Fixed(320), "20 ms");
    assert_eq!(frames(range(16, 65_536)), BufferSize::Fixed(320));
    assert_eq!(frames(range(512, 4096)), BufferSize::Fixed(512), "the smallest that it has");
    assert_eq!(frames(range(32, 256)), BufferSize::Fixed(256), "the largest that it has");
    assert_eq!(frames(range(4096, 64)), BufferSize::Fixed(4096), "a range upside down is no panic");
    assert_eq!(frames(range(0, 0)), BufferSize::Fixed(1), "nor is an empty one");
}

#[test]
fn the_best_offer_is_chosen() {
    let usb = [
        range(2, (44_100, 48_000), SampleFormat::I16),
        range(1, (48_000, 48_000), SampleFormat::I32),
        range(1, (44_100, 44_100), SampleFormat::I16),
    ];
    let (config, format) = choose(&usb, 0).unwrap();
    assert_eq!((config.sample_rate, config.channels, format), (48_000, 1, SampleFormat::I32));
    let (config, format) = choose(&usb, 44_100).unwrap();
    assert_eq!((config.sample_rate, config.channels, format), (44_100, 1, SampleFormat::I16));
    assert!(choose(&usb, 16_000).is_none(), "a configured rate is taken at its word");
    assert!(offers(&usb).contains("44100-48000 Hz"));
}
