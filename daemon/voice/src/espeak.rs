// SPDX-License-Identifier: GPL-3.0-or-later

//! The library behind a safe face: one instance in the process, used by one thread.
#![allow(unsafe_code, reason = "libespeak-ng is a C library")]

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_int, c_short, c_void};
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ffi;

/// Sound that the library gives at once, in milliseconds.
const PIECE_MS: c_int = 40;

/// Speeds the library knows, in words a minute.
const RATES: std::ops::RangeInclusive<u16> = 80..=450;

/// Pitches it knows.
const PITCH_MAX: u8 = 99;

/// Whether the library was initialised: it has one state for the whole process.
static STARTED: AtomicBool = AtomicBool::new(false);

/// What is done with the sound: called with each piece; breaking stops the sentence.
type Listener<'a> = dyn FnMut(&[i16]) -> ControlFlow<()> + 'a;

thread_local! {
    /// The listener of the sentence at hand. The library calls back on the thread that speaks.
    static LISTENER: Cell<Option<*mut Listener<'static>>> = const { Cell::new(None) };
}

/// The initialised library. It stays on its thread.
#[derive(Debug)]
pub struct Espeak {
    rate_hz: u32,
    voice: RefCell<Option<String>>,
    _on_this_thread: PhantomData<*const ()>,
}

/// How to speak.
#[derive(Debug, Clone)]
pub struct Manner<'a> {
    pub voice: &'a str,
    pub rate: u16,
    pub pitch: u8,
}

/// How a sentence ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    Whole,
    Stopped,
}

impl Espeak {
    /// Loads the library's data.
    pub fn start() -> Result<Self, String> {
        if STARTED.swap(true, Ordering::SeqCst) {
            return Err("espeak-ng was started twice".to_owned());
        }
        // SAFETY: the first call into the library, and the only one of this function (see `STARTED`). A null path means the
        // library's own data directory.
        let rate = unsafe { ffi::espeak_Initialize(ffi::OUTPUT_SYNCHRONOUS, PIECE_MS, ptr::null(), ffi::DONT_EXIT) };
        let Ok(rate_hz @ 1..) = u32::try_from(rate) else {
            return Err("espeak-ng finds no data: is the package espeak-ng-data installed?".to_owned());
        };
        // SAFETY: the library is initialised, and `on_sound` lives as long as the process.
        unsafe { ffi::espeak_SetSynthCallback(on_sound) };
        Ok(Self { rate_hz, voice: RefCell::new(None), _on_this_thread: PhantomData })
    }

    /// Sample rate of all that is spoken, in hertz.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// The library's version.
    pub fn version(&self) -> String {
        // SAFETY: a null pointer says that the data's path is not wanted.
        let version = unsafe { ffi::espeak_Info(ptr::null_mut()) };
        if version.is_null() {
            return "unknown".to_owned();
        }
        // SAFETY: not null, and a constant string of the library.
        unsafe { CStr::from_ptr(version) }.to_string_lossy().into_owned()
    }

    /// Speaks `text`; `listener` has each piece of sound as it is made, and stops the sentence by breaking.
    pub fn speak(
        &self,
        text: &str,
        manner: &Manner<'_>,
        listener: &mut dyn FnMut(&[i16]) -> ControlFlow<()>,
    ) -> Result<Ended, String> {
        self.take_manner(manner)?;
        let text = CString::new(text.replace('\0', " ")).map_err(|error| error.to_string())?;
        let mut stopped = false;
        let mut noting = |samples: &[i16]| {
            let flow = listener(samples);
            stopped |= flow.is_break();
            flow
        };
        let noting: *mut Listener<'_> = &mut noting;
        // SAFETY: only the lifetime is changed. The pointer is used by `on_sound` alone, which runs within `espeak_Synth` below, on this
        // thread, while `noting` is alive; it is taken back before this function returns.
        let noting: *mut Listener<'static> = unsafe { std::mem::transmute(noting) };
        LISTENER.set(Some(noting));
        let bytes = text.as_bytes_with_nul();
        // SAFETY: `bytes` is UTF-8 that ends with a zero and lives through the call, which is synchronous. The library takes null for
        // the identifier and for the user data.
        let status = unsafe {
            ffi::espeak_Synth(
                bytes.as_ptr().cast(),
                bytes.len(),
                0,
                ffi::POSITION_CHARACTER,
                0,
                ffi::CHARS_UTF8 | ffi::END_PAUSE,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        LISTENER.set(None);
        match status {
            _ if stopped => Ok(Ended::Stopped),
            ffi::OK => Ok(Ended::Whole),
            status => Err(format!("espeak-ng could not speak (error {status})")),
        }
    }

    fn take_manner(&self, manner: &Manner<'_>) -> Result<(), String> {
        if self.voice.borrow().as_deref() != Some(manner.voice) {
            let voice = manner.voice;
            let name = CString::new(voice).map_err(|_| "a voice's name holds no zero".to_owned())?;
            // SAFETY: `name` ends with a zero and lives through the call.
            match unsafe { ffi::espeak_SetVoiceByName(name.as_ptr()) } {
                ffi::OK => self.voice.replace(Some(voice.to_owned())),
                ffi::NOT_FOUND => {
                    self.voice.replace(None);
                    return Err(format!("espeak-ng has no voice {voice:?}; espeak-ng --voices lists them"));
                }
                status => {
                    self.voice.replace(None);
                    return Err(format!("espeak-ng could not load the voice {voice:?} (error {status})"));
                }
            };
        }
        let rate = manner.rate.clamp(*RATES.start(), *RATES.end());
        let pitch = manner.pitch.min(PITCH_MAX);
        for (parameter, value) in [(ffi::RATE, c_int::from(rate)), (ffi::PITCH, c_int::from(pitch))] {
            // SAFETY: the library is initialised; parameter and value are within its bounds.
            if unsafe { ffi::espeak_SetParameter(parameter, value, 0) } != ffi::OK {
                return Err(format!("espeak-ng refused {value} for its parameter {parameter}"));
            }
        }
        Ok(())
    }
}

/// Called by the library with each piece of sound.
extern "C" fn on_sound(samples: *mut c_short, count: c_int, _events: *mut c_void) -> c_int {
    let Ok(count @ 1..) = usize::try_from(count) else {
        return 0;
    };
    let Some(listener) = LISTENER.get() else {
        return 1;
    };
    if samples.is_null() {
        return 0;
    }
    // SAFETY: the library gives `count` samples at `samples`, which it leaves alone during this call.
    let samples = unsafe { std::slice::from_raw_parts(samples, count) };
    // SAFETY: set by `speak`, which is on this thread's stack below us and holds the listener alive; nobody else uses it meanwhile.
    let listener = unsafe { &mut *listener };
    match listener(samples) {
        ControlFlow::Continue(()) => 0,
        ControlFlow::Break(()) => 1,
    }
}
