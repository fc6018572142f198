//! The enrolment code as people carry it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::net::SocketAddr;

use jarvis_link::enrol::Token;
use jarvis_link::enrol::code::{CodeError, EnrolCode};
use jarvis_link::key::Fingerprint;
use proptest::prelude::*;

const SIGNS: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

fn code(address: &str) -> EnrolCode {
    EnrolCode {
        address: address.parse().unwrap(),
        fingerprint: Fingerprint([1, 2, 3, 4, 5, 6, 7, 8, 9, 250]),
        token: Token([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
    }
}

/// The text's signs without its hyphens.
fn signs(code: &EnrolCode) -> Vec<char> {
    code.to_text().chars().filter(|sign| *sign != '-').collect()
}

#[test]
fn it_is_forty_eight_signs_in_groups_of_six() {
    let text = code("192.168.1.10:7420").to_text();
    assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), vec![6; 8], "{text}");
}

#[test]
fn it_is_read_as_people_type_it() {
    for address in ["192.168.1.10:7420", "[fd00::1]:65535", "0.0.0.0:0"] {
        let code = code(address);
        let text = code.to_text();
        assert_eq!(EnrolCode::from_text(&text).as_ref(), Ok(&code));
        let typed = text.to_lowercase().replace('-', "  ").replace('0', "o").replace('1', "l");
        assert_eq!(EnrolCode::from_text(&typed).as_ref(), Ok(&code));
    }
}

/// The checksum is linear: an error that is found in one code is found in every code of that length.
#[test]
fn every_single_wrong_sign_and_every_swap_of_neighbours_is_found() {
    let right = signs(&code("192.168.1.10:7420"));
    for at in 0..right.len() {
        for sign in SIGNS.chars().filter(|sign| *sign != right[at]) {
            let mut wrong = right.clone();
            wrong[at] = sign;
            assert_eq!(EnrolCode::from_text(&String::from_iter(wrong)), Err(CodeError::Checksum));
        }
        for (one, other) in SIGNS.chars().flat_map(|one| SIGNS.chars().map(move |other| (one, other))) {
            let (Some(_), true) = (right.get(at + 1), one != other) else { continue };
            let mut mine = right.clone();
            (mine[at], mine[at + 1]) = (one, other);
            if mine != right {
                assert!(EnrolCode::from_text(&String::from_iter(mine)).is_err());
            }
        }
    }
}

#[test]
fn what_is_no_code_says_why() {
    let text = code("192.168.1.10:7420").to_text();
    assert_eq!(EnrolCode::from_text(""), Err(CodeError::Checksum));
    assert_eq!(EnrolCode::from_text(&text[1..]), Err(CodeError::Checksum));
    assert_eq!(EnrolCode::from_text(&format!("{text}0")), Err(CodeError::Checksum));
    assert_eq!(EnrolCode::from_text("hello, u"), Err(CodeError::Sign(',')));
    assert_eq!(EnrolCode::from_text(&"0".repeat(300)), Err(CodeError::Version));
}

proptest! {
    #[test]
    fn any_code_survives_its_text(ip in any::<[u8; 16]>(), four in any::<bool>(), port in any::<u16>(), fingerprint in any::<[u8; 10]>(), token in any::<[u8; 10]>()) {
        let address = if four { SocketAddr::from(([ip[0], ip[1], ip[2], ip[3]], port)) } else { SocketAddr::from((ip, port)) };
        let code = EnrolCode { address, fingerprint: Fingerprint(fingerprint), token: Token(token) };
        prop_assert_eq!(EnrolCode::from_text(&code.to_text()), Ok(code));
    }

    #[test]
    fn no_text_panics(text in ".{0,80}") {
        let _ = EnrolCode::from_text(&text);
    }
}
