//! Server-sent events out of a stream of bytes, as the WHATWG standard cuts them.
//!
//! The bytes may come in any pieces; the events are the same. Lines and events are bounded, so a server that never ends a line costs no
//! more than [`MAX_EVENT_BYTES`]. An event that the stream's end cut off is dropped, as the standard says.

use std::borrow::Cow;

/// Longest line, and most data of one event, in bytes. The longest in practice is a whole tool call at once.
pub const MAX_EVENT_BYTES: usize = 1 << 20;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// Its name; `message` where the server gave none.
    pub name: String,
    /// Its data, lines joined by `\n`.
    pub data: String,
}

/// Not a stream of events that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// A line, or an event's data, over the limit.
    #[error("an event of more than {MAX_EVENT_BYTES} bytes")]
    TooLong,
}

/// Cuts bytes into events.
#[derive(Debug, Clone, Default)]
pub struct SseParser {
    line: Vec<u8>,
    name: String,
    data: String,
    has_data: bool,
    /// The last byte was a carriage return, whose line feed may still come.
    after_cr: bool,
    /// Whether a byte order mark may still come.
    started: bool,
    failed: bool,
}

impl SseParser {
    /// Takes from `bytes` up to the end of the next event, and gives it; `None` when `bytes` are used up. After an error, always it.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<SseEvent>, SseError> {
        while !self.failed {
            if self.after_cr && !bytes.is_empty() {
                self.after_cr = false;
                *bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
            let end = bytes.iter().position(|b| matches!(b, b'\n' | b'\r'));
            let part = &bytes[..end.unwrap_or(bytes.len())];
            if self.line.len() + part.len() > MAX_EVENT_BYTES {
                self.failed = true;
                self.line = Vec::new();
                break;
            }
            self.line.extend_from_slice(part);
            let Some(end) = end else {
                *bytes = &[];
                return Ok(None);
            };
            self.after_cr = bytes[end] == b'\r';
            *bytes = &bytes[end + 1..];
            let line = std::mem::take(&mut self.line);
            let event = self.line(&line)?;
            // The buffer is used again.
            self.line = line;
            self.line.clear();
            if event.is_some() {
                return Ok(event);
            }
        }
        Err(SseError::TooLong)
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<SseEvent>, SseError> {
        let first = !std::mem::replace(&mut self.started, true);
        let line = if first { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) } else { line };
        if line.is_empty() {
            let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
            let event = SseEvent { name: if name.is_empty() { "message".to_owned() } else { name }, data };
            return Ok(std::mem::take(&mut self.has_data).then_some(event));
        }
        let text: Cow<'_, str> = String::from_utf8_lossy(line);
        // A line without a colon is a field without a value; one that begins with it is a comment.
        let (field, value) = text.split_once(':').unwrap_or((&text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if self.data.len() + value.len() + 1 > MAX_EVENT_BYTES {
                    self.failed = true;
                    self.data = String::new();
                    return Err(SseError::TooLong);
                }
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Name and data of each event, and the error that ended it.
    fn parse(bytes: &[u8], sizes: &[usize]) -> (Vec<(String, String)>, Option<SseError>) {
        let (mut parser, mut events) = (SseParser::default(), Vec::new());
        let (mut rest, mut sizes) = (bytes, sizes.iter().cycle());
        while !rest.is_empty() {
            let size = sizes.next().copied().unwrap_or(usize::MAX).clamp(1, rest.len());
            let mut part = &rest[..size];
            rest = &rest[size..];
            loop {
                match parser.next(&mut part) {
                    Ok(Some(event)) => events.push((event.name, event.data)),
                    Ok(None) => break,
                    Err(error) => return (events, Some(error)),
                }
            }
        }
        (events, None)
    }

    fn message(data: &str) -> (String, String) {
        ("message".to_owned(), data.to_owned())
    }

    #[test]
    fn events_as_the_standard_has_them() {
        let cases: [(&str, Vec<(String, String)>); 11] = [
            ("data: a\n\n", vec![message("a")]),
            ("event: ping\ndata: {}\n\n", vec![("ping".to_owned(), "{}".to_owned())]),
            ("data: a\r\n\r\ndata: b\r\rdata: c\n\n", vec![message("a"), message("b"), message("c")]),
            ("data: a\ndata:b\ndata:  c\n\n", vec![message("a\nb\n c")]),
            (": keep-alive\n\n:\n\ndata: a\n\n", vec![message("a")]),
            ("event: x\n\ndata: a\n\n", vec![message("a")]),
            ("data\n\n", vec![message("")]),
            ("id: 7\nretry: 9\nunknown: x\ndata: a\n\n", vec![message("a")]),
            ("\u{FEFF}data: a\n\n\u{FEFF}data: b\n\n", vec![message("a")]),
            ("data: cut off", vec![]),
            ("data: cut off\n", vec![]),
        ];
        for (text, events) in cases {
            assert_eq!(parse(text.as_bytes(), &[]), (events, None), "{text:?}");
        }
        assert_eq!(parse(b"data: \xFF\n\n", &[]).0, [message("\u{FFFD}")]);
    }

    #[test]
    fn lines_and_events_are_bounded() {
        let line = vec![b'x'; MAX_EVENT_BYTES + 1];
        assert_eq!(parse(&line, &[4096]).1, Some(SseError::TooLong));
        let lines = format!("data: {}\n", "x".repeat(1000)).repeat(MAX_EVENT_BYTES / 1000 + 1);
        assert_eq!(parse(lines.as_bytes(), &[4096]), (vec![], Some(SseError::TooLong)));
        let mut parser = SseParser::default();
        assert!(parser.next(&mut line.as_slice()).is_err());
        assert!(parser.next(&mut b"data: a\n\n".as_slice()).is_err(), "after an error nothing is trusted");
        let full = format!("data:{}\n\n", "x".repeat(MAX_EVENT_BYTES - 5));
        assert_eq!(parse(full.as_bytes(), &[977]).0.len(), 1);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(
            bytes in prop::collection::vec(prop_oneof![
                Just(b"data: ".to_vec()), Just(b"event: x".to_vec()), Just(b"\r".to_vec()), Just(b"\n".to_vec()), Just(b"\r\n".to_vec()),
                Just(b"\n\n".to_vec()), Just(b": c".to_vec()), Just("é\u{FEFF}".as_bytes().to_vec()), prop::collection::vec(any::<u8>(), 0..4),
            ], 0..60),
            sizes in prop::collection::vec(1usize..7, 1..20),
        ) {
            let bytes = bytes.concat();
            prop_assert_eq!(parse(&bytes, &sizes), parse(&bytes, &[]));
        }

        #[test]
        fn what_a_server_writes_is_read(data in prop::collection::vec("[^\r\n]{0,20}", 1..5), sizes in prop::collection::vec(1usize..9, 1..9)) {
            let text: String = data.iter().map(|line| format!("data: {line}\n")).chain(["\n".to_owned()]).collect();
            prop_assert_eq!(parse(text.as_bytes(), &sizes).0, vec![message(&data.join("\n"))]);
        }
    }
}
