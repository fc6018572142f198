//! The code the owner carries from the daemon to a new satellite: where the daemon is, how to know it, and a one-time token.
//!
//! Layout: one byte of version (1) and address family, the address, the port (big-endian), ten bytes of fingerprint, ten of
//! token, three of checksum. Written in base32 (Crockford's alphabet, so that O is 0 and I and L are 1), in groups of six.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{TOKEN_BYTES, Token};
use crate::key::{FINGERPRINT_BYTES, Fingerprint};

/// Longest text taken for a code, in bytes.
pub const TEXT_BYTES_MAX: usize = 256;

const IPV4: u8 = 0x14;
const IPV6: u8 = 0x16;
const CHECKSUM_BYTES: usize = 3;
const GROUP: usize = 6;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A code taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolCode {
    /// Where the daemon is.
    pub address: SocketAddr,
    /// Of the daemon's key.
    pub fingerprint: Fingerprint,
    /// To be sent to it, once.
    pub token: Token,
}

/// Why a text is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// A sign that is not in the alphabet.
    #[error("\"{0}\" is not in any code: letters (but U) and digits, spaces and hyphens are")]
    Sign(char),
    /// A sign was mistyped, swapped or left out.
    #[error("the code was mistyped: its checksum does not match, compare it sign by sign")]
    Checksum,
    /// Made by another version, or no code at all.
    #[error("the code is not one of this version: update the satellite, or make a new code with `jarvisctl enrol`")]
    Version,
}

impl EnrolCode {
    /// As text.
    pub fn to_text(&self) -> String {
        let mut bytes = Vec::new();
        match self.address.ip() {
            IpAddr::V4(ip) => {
                bytes.push(IPV4);
                bytes.extend(ip.octets());
            }
            IpAddr::V6(ip) => {
                bytes.push(IPV6);
                bytes.extend(ip.octets());
            }
        }
        bytes.extend(self.address.port().to_be_bytes());
        bytes.extend(self.fingerprint.0);
        bytes.extend(self.token.0);
        bytes.extend(checksum(&bytes));
        in_groups(&base32(&bytes))
    }

    /// Out of text, as people type it: any case, with or without hyphens and spaces.
    pub fn from_text(text: &str) -> Result<Self, CodeError> {
        let bytes = from_base32(clipped(text)?)?;
        let (body, sum) =
            bytes.len().checked_sub(CHECKSUM_BYTES).map(|at| bytes.split_at(at)).ok_or(CodeError::Checksum)?;
        if checksum(body) != sum {
            return Err(CodeError::Checksum);
        }
        let (&kind, rest) = body.split_first().ok_or(CodeError::Version)?;
        let (ip, rest) = match kind {
            IPV4 => part::<4>(rest).map(|(ip, rest)| (IpAddr::V4(Ipv4Addr::from(ip)), rest)),
            IPV6 => part::<16>(rest).map(|(ip, rest)| (IpAddr::V6(Ipv6Addr::from(ip)), rest)),
            _ => None,
        }
        .ok_or(CodeError::Version)?;
        let (port, rest) = part::<2>(rest).ok_or(CodeError::Version)?;
        let (fingerprint, rest) = part::<FINGERPRINT_BYTES>(rest).ok_or(CodeError::Version)?;
        let (token, rest) = part::<TOKEN_BYTES>(rest).ok_or(CodeError::Version)?;
        if !rest.is_empty() {
            return Err(CodeError::Version);
        }
        Ok(Self {
            address: SocketAddr::new(ip, u16::from_be_bytes(port)),
            fingerprint: Fingerprint(fingerprint),
            token: Token(token),
        })
    }
}

fn clipped(text: &str) -> Result<&str, CodeError> {
    if text.len() <= TEXT_BYTES_MAX { Ok(text) } else { Err(CodeError::Version) }
}

fn part<const N: usize>(bytes: &[u8]) -> Option<([u8; N], &[u8])> {
    bytes.split_first_chunk().map(|(part, rest)| (*part, rest))
}

/// The low 24 bits of the CRC-32 of IEEE 802.3: it finds every single wrong sign and every swap of neighbours.
fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let crc = !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    });
    let [_, high, middle, low] = crc.to_be_bytes();
    [high, middle, low]
}

fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    let (mut bits, mut held) = (0_u32, 0);
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(sign(bits >> held));
        }
    }
    if held > 0 {
        text.push(sign(bits << (5 - held)));
    }
    text
}

fn sign(bits: u32) -> char {
    char::from(ALPHABET[(bits & 31) as usize])
}

fn from_base32(text: &str) -> Result<Vec<u8>, CodeError> {
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for typed in text.chars().filter(|typed| !typed.is_whitespace() && *typed != '-') {
        bits = (bits << 5) | value(typed)?;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    // What is left over is padding, less than a sign of it, and zero.
    if held >= 5 || bits != 0 { Err(CodeError::Checksum) } else { Ok(bytes) }
}

fn value(typed: char) -> Result<u32, CodeError> {
    let meant = match typed.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let at = ALPHABET.iter().position(|sign| char::from(*sign) == meant);
    at.and_then(|at| u32::try_from(at).ok()).ok_or(CodeError::Sign(typed))
}

fn in_groups(text: &str) -> String {
    let mut grouped = String::new();
    for (at, sign) in text.chars().enumerate() {
        if at > 0 && at % GROUP == 0 {
            grouped.push('-');
        }
        grouped.push(sign);
    }
    grouped
}
