use super::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// A line of one of the frozen files: its sort, and the text as it is.
fn frozen(file: &'static str) -> impl Iterator<Item = (&'static str, String)> {
    file.lines().map(|line| {
        let (sort, text) = line.split_once('\t').expect("a sort and a text");
        (sort, text.replace('⏎', "\n").replace('⇥', "\t").replace(['⟦', '⟧', '·'], ""))
    })
}

const SECRETS: &str = include_str!("../../../../tests/frozen/secrets.tsv");
const NOT_SECRETS: &str = include_str!("../../../../tests/frozen/not_secrets.tsv");

/// What becomes of texts that are in neither file.
const CASES: &[(&str, &str)] = &[
    // The name stays, and so does what stands around.
    ("db: {user: app, password: Hedgehog-31, port: 5432}", "db: {user: app, password: [secret: password], port: 5432}"),
    ("PASSWORD=it's-g00d TZ=UTC", "PASSWORD=[secret: password] TZ=UTC"),
    ("(password: hunter2)", "(password: [secret: password])"),
    ("the password is hunter2, sir.", "the password is [secret: password], sir."),
    ("?apikey=0123456789abcdef&page=1#top", "?apikey=[secret: API token]&page=1#top"),
    (r#"{"password":"p\"w\\d9","x":1}"#, r#"{"password":"[secret: password]","x":1}"#),
    (r#"{\"password\":\"äöü geheim\"}"#, r#"{\"password\":\"[secret: password]\"}"#),
    ("https://kim:a@b:c@nas/x", "https://kim:[secret: password]@nas/x"),
    // Several, one within the reach of another.
    ("password and token are hunter2", "password and token are [secret: password]"),
    (
        "curl -u kim:hunter2 -H 'Authorization: Bearer ghp_0123456789abcdefghijABCDEFGHIJ012345' https://nas/",
        "curl -u kim:[secret: password] -H 'Authorization: Bearer [secret: API token]' https://nas/",
    ),
    // A key that ends nowhere, and what follows one that does.
    ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nAbC1", "[secret: private key]"),
    (
        "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIOaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n-----END EC PRIVATE KEY-----\n\
         -----BEGIN CERTIFICATE-----\nMIIB8jCCAZigAwIBAgIQAAAAAAAAAAAAAAAAAAAA\n-----END CERTIFICATE-----",
        "[secret: private key]\n-----BEGIN CERTIFICATE-----\nMIIB8jCCAZigAwIBAgIQAAAAAAAAAAAAAAAAAAAA\n-----END CERTIFICATE-----",
    ),
    // Speech, as a recogniser writes it.
    ("my pin is four seven one one", "my pin is [secret: code]"),
    ("remember the alarm code 4 7 1 1 please", "remember the alarm code [secret: code] please"),
    ("the guest wifi password is banana bread forty two", "the guest wifi password is [secret: password]"),
    ("the password is somehow leaked", "the password is somehow leaked"),
    ("the password is stored in the vault", "the password is stored in the vault"),
    ("is the password still the same", "is the password still the same"),
    ("error code four seven one one", "error code four seven one one"),
    // Encoded once.
    ("data=cGFzc3dvcmQ6IEw0dmVuZGVyLUZpZWxkcwo=", "data=[secret: password]"),
    ("data=aG9zdG5hbWU6IHdlYgpwYWNrYWdlczogW10K", "data=aG9zdG5hbWU6IHdlYgpwYWNrYWdlczogW10K"),
    // Marks.
    ("[secret: password]", "[secret: password]"),
    ("password=[secret: password]", "password=[secret: password]"),
    ("[secret: hunter2] password: hunter2", "[secret: [secret: API token]] password: [secret: password]"),
    // Nothing.
    ("", ""),
    ("All is well, sir.", "All is well, sir."),
    ("$6$ {SSHA} AKIA ghp_ sk-ant- eyJ -----BEGIN PRIVATE", "$6$ {SSHA} AKIA ghp_ sk-ant- eyJ -----BEGIN PRIVATE"),
];

#[test]
fn texts_lose_their_secrets_and_nothing_else() {
    let wrong: Vec<_> = CASES
        .iter()
        .filter(|(text, wanted)| redact(text).text != *wanted)
        .map(|(text, wanted)| format!("{text:?}\n  came out {:?}\n  not      {wanted:?}", redact(text).text))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether the whole of a secret goes, and no more, is judged by `tests/src/secrets.rs`.
#[test]
fn every_frozen_secret_is_noticed() {
    let missed: Vec<_> = frozen(SECRETS).filter(|(_, text)| redact(text).findings.is_empty()).collect();
    assert!(missed.is_empty(), "{} missed: {missed:#?}", missed.len());
}

#[test]
fn frozen_texts_without_secrets_stay_as_they_are() {
    let taken: Vec<_> = frozen(NOT_SECRETS)
        .filter(|(_, text)| redact(text).text != *text)
        .map(|(sort, text)| (sort, redact(&text).text))
        .collect();
    assert!(taken.is_empty(), "{} redacted: {taken:#?}", taken.len());
}

#[test]
fn findings_lie_where_the_secrets_stood() {
    let text = "one: password=hunter2\ntwo: -----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n";
    let found: Vec<_> = redact(text).findings.iter().map(|f| (f.kind, text[f.span.clone()].to_owned())).collect();
    let key = text[text.find("-----").unwrap()..].trim_end().to_owned();
    assert_eq!(found, [(Kind::Password, "hunter2".to_owned()), (Kind::PrivateKey, key)]);
}

#[test]
fn marks_name_their_kind_once_and_are_spoken() {
    let marks: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|k| k.mark()).collect();
    assert_eq!(marks.len(), Kind::ALL.len());
    for kind in Kind::ALL {
        let mark = kind.mark();
        assert_eq!(spoken(&format!("It is {mark}{mark}.")), "It is a secreta secret.");
        assert_eq!(redact(&mark).text, mark);
    }
    assert_eq!(spoken("[secret: hunter2] [secret: "), "[secret: hunter2] [secret: ", "no marks");
}

#[test]
fn what_is_too_long_is_left_out() {
    let text = format!("{}é password: hunter2", "a".repeat(MAX_TEXT_BYTES - 1));
    let redacted = redact(&text);
    assert_eq!(redacted.text.len(), MAX_TEXT_BYTES - 1, "no half character");
    assert_eq!(redacted.left_out, text.len() - redacted.text.len());
}

/// Takes the text in pieces; every piece must continue what the whole text gives.
fn in_pieces(text: &str, mut size: impl FnMut() -> usize) -> Redacted {
    let whole = redact(text);
    let (mut stream, mut out) = (Stream::new(), Redacted::default());
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.ceil_char_boundary(size().clamp(1, rest.len())));
        rest = after;
        let more = stream.push(piece);
        out.text.push_str(&more.text);
        out.findings.extend(more.findings);
        assert!(whole.text.starts_with(&out.text), "{text:?}\n let out {:?}", out.text);
    }
    let more = stream.finish();
    out.text.push_str(&more.text);
    out.findings.extend(more.findings);
    assert_eq!(out, whole, "{text:?}");
    out
}

#[test]
fn frozen_texts_come_out_alike_in_pieces_of_any_size() {
    for (_, text) in frozen(SECRETS).chain(frozen(NOT_SECRETS)) {
        for size in [1, 2, 3, 7, 64, 1000] {
            in_pieces(&text, || size);
        }
    }
    let all: String = frozen(SECRETS).map(|(_, text)| text + "\n").collect();
    for size in [5, 4096] {
        in_pieces(&all, || size);
    }
}

#[test]
fn plain_words_are_not_held_back() {
    let mut stream = Stream::new();
    assert_eq!(stream.push("All is well. The no").text, "All is well. The ");
    assert_eq!(stream.push("des are up, ").text, "nodes are up, ");
    assert_eq!(stream.push("and").text, "");
    assert_eq!(stream.finish().text, "and");
}

/// Texts that are all beginnings: the worst for whoever looks ahead.
const HOSTILE: &[&str] = &[
    "a://a:",
    "password ",
    "password is ",
    "the password of a b c d e f g h i j ",
    "eyJaaaaaaaaaaaa.",
    "key:",
    "value=",
    "\"value\":\"",
    "PVE:a:",
    "echo a:b ",
    "[secret: ",
    "[",
    "otpauth://",
    "x=${",
    "a,a=",
    "password=\"",
    "-----BEGIN PRIVATE KEY-----\n",
    "corosync/authkey\nab ",
    "chpasswd:\na:",
    "pin is one ",
    "{",
    "$6$",
    "🎉",
    "\\",
    "%3D",
    "a-b.c_",
    "Ab1+",
];

#[test]
fn hostile_texts_end() {
    for beginning in HOSTILE {
        let text = beginning.repeat(60_000 / beginning.len());
        let once = redact(&text);
        assert_eq!(redact(&once.text).text, once.text, "{beginning:?}");
        in_pieces(&text, || 1009);
    }
    let long = "q7Rz+XfD2mLw9KcV5tHs".repeat(MAX_TEXT_BYTES / 20);
    let redacted = redact(&format!("token: {long} and more"));
    assert_eq!(redacted.text, "token: [secret: API token]", "what is beyond the limit is left out");
    assert!(redacted.left_out > 0);
}

/// Parts of which texts are made that are hard to judge.
const PARTS: &[&str] = &[
    "password",
    "token",
    "secret",
    "key",
    "pass",
    "pin",
    "credentials",
    "=",
    ":",
    " ",
    "\n",
    "\t",
    "\"",
    "'",
    " is ",
    " / ",
    "://",
    "[secret: password]",
    "[secret: API token]",
    "[secret: ",
    "]",
    "hunter2",
    "4711",
    " four five six",
    "AKIA",
    "ghp_",
    "eyJ",
    ".",
    "-----BEGIN PRIVATE KEY-----\n",
    "-----END PRIVATE KEY-----",
    "abcDEF123456789012345678",
    "kdf\"",
    "data",
    "user:pw@host",
    " as the password",
    "%3A",
    "\\n",
    "\\\"",
    "|",
    "chpasswd:\n",
    "corosync/authkey\n",
    "curl -u ",
    "a:b",
    "é",
    "🎉",
    "日本",
    "$6$",
    "{",
    "}",
    "<",
    ">",
    "/",
    "@",
    "!",
    "jarvis@pve!read",
    "0f2bf5ce-debf-4366-9e23-4190ea568d9d",
    "PVE:root@pam:65F0A1B2::",
    "cat /etc/pve/priv/realm/ad.pw\n",
    "AQCvCbtToC6MDhAATtuT70Sl+DymPCfDSsyV4w==",
    "cGFzc3dvcmQ6IEw0dmVuZGVyLUZpZWxkcwo=",
];

fn hard_text() -> impl Strategy<Value = String> {
    let lines: Vec<String> = frozen(SECRETS).chain(frozen(NOT_SECRETS)).map(|(_, text)| text).collect();
    let line = prop::sample::select(lines);
    let cut = (line.clone(), 0usize..200, 1usize..60)
        .prop_map(|(line, from, length)| line.chars().skip(from).take(length).collect::<String>());
    let part = prop::sample::select(PARTS).prop_map(str::to_owned);
    prop::collection::vec(prop_oneof![4 => part, 1 => cut, 1 => line], 1..14).prop_map(|parts| parts.concat())
}

/// The same texts in every run: whether a text is found that breaks this must not depend on the day.
fn fixed(cases: u32) -> TestRunner {
    let rng = proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(Config { cases, failure_persistence: None, ..Config::default() }, rng)
}

#[test]
fn redacting_twice_changes_nothing() {
    fixed(4000)
        .run(&hard_text(), |text| {
            let once = redact(&text).text;
            prop_assert_eq!(&redact(&once).text, &once, "{:?}", text);
            Ok(())
        })
        .unwrap();
}

proptest! {
    #[test]
    fn hard_texts_come_out_alike_in_pieces(text in hard_text(), sizes in prop::collection::vec(1usize..300, 1..20)) {
        let mut sizes = sizes.iter().cycle();
        in_pieces(&text, || *sizes.next().unwrap_or(&1));
    }

    #[test]
    fn any_text_is_taken(text in any::<String>(), size in 1usize..9) {
        in_pieces(&text, || size);
    }
}
