// SPDX-License-Identifier: GPL-3.0-or-later

//! The few functions of libespeak-ng that are used, as `espeak-ng/speak_lib.h` (API revision 12) declares them.
#![allow(unsafe_code, reason = "libespeak-ng is a C library")]

use std::ffi::{c_char, c_int, c_short, c_uint, c_void};

/// `AUDIO_OUTPUT_SYNCHRONOUS`: `espeak_Synth` returns when all sound has been given to the callback, on the calling thread.
pub const OUTPUT_SYNCHRONOUS: c_int = 2;
/// `espeakINITIALIZE_DONT_EXIT`: say so instead of ending the process when the data is missing.
pub const DONT_EXIT: c_int = 0x8000;
/// `espeakCHARS_UTF8`.
pub const CHARS_UTF8: c_uint = 1;
/// `espeakENDPAUSE`: the pause after a sentence belongs to it.
pub const END_PAUSE: c_uint = 0x1000;
/// `POS_CHARACTER`.
pub const POSITION_CHARACTER: c_int = 1;
/// `espeakRATE`, in words a minute.
pub const RATE: c_int = 1;
/// `espeakPITCH`, 0 to 100.
pub const PITCH: c_int = 3;
/// `EE_OK`.
pub const OK: c_int = 0;
/// `EE_NOT_FOUND`.
pub const NOT_FOUND: c_int = 2;

/// `t_espeak_callback`: samples (null at the end), how many, events; returns 0 to go on and 1 to stop.
pub type Callback = extern "C" fn(*mut c_short, c_int, *mut c_void) -> c_int;

#[link(name = "espeak-ng")]
unsafe extern "C" {
    pub fn espeak_Initialize(output: c_int, buffer_ms: c_int, path: *const c_char, options: c_int) -> c_int;
    pub fn espeak_SetSynthCallback(callback: Callback);
    pub fn espeak_Synth(
        text: *const c_void,
        size: usize,
        position: c_uint,
        position_type: c_int,
        end_position: c_uint,
        flags: c_uint,
        identifier: *mut c_uint,
        user_data: *mut c_void,
    ) -> c_int;
    pub fn espeak_SetParameter(parameter: c_int, value: c_int, relative: c_int) -> c_int;
    pub fn espeak_SetVoiceByName(name: *const c_char) -> c_int;
    pub fn espeak_Info(data_path: *mut *const c_char) -> *const c_char;
}
