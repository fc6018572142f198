//! Whatever people type: a code or a reason, and a code's text reads as the same code.
#![no_main]

use jarvis_link::enrol::code::EnrolCode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(code) = EnrolCode::from_text(text) {
        assert_eq!(EnrolCode::from_text(&code.to_text()), Ok(code));
    }
});
