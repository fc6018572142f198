//! Ways that are closed, keys that are missing or wrong: each its own error, which names the remedy.

use std::sync::Arc;

use jarvis_core::mind::error::{Fault, Waited, Way};
use jarvis_tests::model_server::{ModelServer, Script};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{KINDS, Kind, Minded, ask, configured, question};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_no_such_name_and_no_handshake() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    // It accepts, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // Long enough for what is refused, short for what never comes.
    let (long, short) = ("wait = { connect_ms = 60000 }", "wait = { connect_ms = 300 }");
    let cases = [
        (format!("http://{closed}/v1"), Fault::Unreachable(Way::Connect), "url", long),
        ("http://no-such-host.invalid/v1".to_owned(), Fault::Unreachable(Way::Dns), "resolver", long),
        (format!("https://{}/v1", silent.local_addr().unwrap()), Fault::Timeout(Waited::Connect), "firewall", short),
    ];
    for kind in KINDS {
        for (url, fault, remedy, wait) in &cases {
            let minded = Minded::new(kind, url, wait);
            let outcome = ask(&minded.provider, question("x")).await;
            let error = outcome.error();
            assert_eq!(&error.fault, fault, "{kind:?} {url}: {error}");
            assert!(error.to_string().contains(remedy), "{error}");
            assert_eq!(outcome.again(), 3, "{kind:?} {url}: such a thing may pass");
        }
    }
}

/// A server whose certificate holds between these years, and the authority's file.
async fn secure(years: (i32, i32), tasks: &mut JoinSet<()>, dir: &std::path::Path) -> (String, std::path::PathBuf) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(vec![]).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = rcgen::CertifiedIssuer::self_signed(authority, rcgen::KeyPair::generate().unwrap()).unwrap();
    let mut leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    leaf.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    leaf.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let leaf = leaf.signed_by(&key, &*authority).unwrap();
    let file = dir.join(format!("ca-{}.pem", years.0));
    std::fs::write(&file, authority.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tasks.spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            // What the client thinks of the certificate is what the test looks at.
            let handshake = acceptor.accept(tcp).await;
            drop(handshake);
        }
    });
    (format!("https://localhost:{port}/v1"), file)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_told_as_such_and_apart_from_a_stranger() {
    let dir = tempfile::tempdir().unwrap();
    let mut tasks = JoinSet::new();
    let (future, future_ca) = secure((2200, 2201), &mut tasks, dir.path()).await;
    let (past, past_ca) = secure((2001, 2002), &mut tasks, dir.path()).await;
    let (now, _) = secure((2001, 2201), &mut tasks, dir.path()).await;
    for kind in KINDS {
        for (url, ca) in [(&future, &future_ca), (&past, &past_ca)] {
            let minded = Minded::new(kind, url, &format!("ca_file = '{}'", ca.display()));
            let outcome = ask(&minded.provider, question("x")).await;
            assert_eq!(outcome.error().fault, Fault::Unreachable(Way::Clock), "{kind:?}: {}", outcome.error());
            assert!(outcome.error().to_string().contains("check the clock"), "{}", outcome.error());
            assert_eq!(outcome.again(), 0);
        }
        let minded = Minded::new(kind, &now, "");
        let outcome = ask(&minded.provider, question("x")).await;
        assert_eq!(outcome.error().fault, Fault::Unreachable(Way::Tls), "{kind:?}: {}", outcome.error());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_an_empty_key_and_a_wrong_key() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    std::fs::write(&empty, " \n").unwrap();
    let two = dir.path().join("two");
    std::fs::write(&two, "one\ntwo\n").unwrap();
    let missing = dir.path().join("missing");
    let server = ModelServer::start([Script::refusal(
        401,
        &json!({"error": {"type": "authentication_error", "message": "invalid key"}}),
    )]);
    let server = server.await.unwrap();
    for kind in KINDS {
        for file in [&empty, &two, &missing] {
            let provider = configured(kind, &server.url(), &format!("key_file = '{}'", file.display()));
            let outcome = ask(&provider, question("x")).await;
            assert_eq!(outcome.error().fault, Fault::NoKey, "{kind:?} {}", file.display());
            let text = outcome.error().to_string();
            assert!(text.contains(&file.display().to_string()) && text.contains("key_file"), "{text}");
        }
        let outcome = ask(&configured(kind, &server.url(), ""), question("x")).await;
        assert_eq!(outcome.error().fault, Fault::NoKey, "{kind:?}: none is configured, and one is wanted");
        let minded = Minded::new(kind, &server.url(), "");
        let outcome = ask(&minded.provider, question("x")).await;
        assert_eq!((&outcome.error().fault, outcome.again()), (&Fault::WrongKey, 0), "{kind:?}");
        assert!(!outcome.error().to_string().contains("sk-test"), "the key is not told");
    }
    let asked = server.asked();
    let last = &asked.last().unwrap().headers;
    assert_eq!(last["authorization"], "Bearer sk-test-key");
    let claude = asked
        .iter()
        .find(|asked| asked.path == "/v1/messages")
        .expect("Claude was asked with a key, and never without");
    assert_eq!(claude.headers["x-api-key"], "sk-test-key");
    assert_eq!(claude.headers["anthropic-version"], "2023-06-01");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_on_money_is_never_tried_again() {
    let spent = json!({"error": {"type": "rate_limit_error", "code": "insufficient_quota", "message": "x", "details": {"error_code": "enforced_spend_limit_reached"}}});
    for kind in KINDS {
        let server = ModelServer::start([Script::refusal(429, &spent).header("retry-after", "1")]).await.unwrap();
        let minded = Minded::new(kind, &server.url(), "");
        let outcome = ask(&minded.provider, question("x")).await;
        assert_eq!(
            (&outcome.error().fault, outcome.again(), server.asked().len()),
            (&Fault::SpendLimit, 0, 1),
            "{kind:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_offered_can_be_listed() {
    let claude = json!({"data": [{"type": "model", "id": "claude-next", "display_name": "Claude Next", "max_input_tokens": 2_000_000, "max_tokens": 64_000,
        "capabilities": {"thinking": {"supported": true, "types": {"adaptive": {"supported": true}}}, "effort": {"supported": true, "low": {"supported": true}, "max": {"supported": false}}}}], "has_more": false});
    let server = ModelServer::start([]).await.unwrap();
    server.offers(Script::refusal(200, &claude));
    let minded = Minded::new(Kind::Claude, &server.url(), "");
    let found = minded.provider.models().await.unwrap();
    assert_eq!(
        (found[0].id.as_str(), found[0].name.as_str(), found[0].context_tokens),
        ("claude-next", "Claude Next", Some(2_000_000))
    );
    assert!(found[0].thinks && found[0].efforts.len() == 1, "{found:?}");
    let vllm = json!({"object": "list", "data": [{"id": "qwen3", "object": "model", "max_model_len": 4096}]});
    let server = ModelServer::start([]).await.unwrap();
    server.offers(Script::refusal(200, &vllm));
    let minded = Minded::new(Kind::OpenAi, &server.url(), "");
    assert_eq!(minded.provider.models().await.unwrap()[0].context_tokens, Some(4096));
}
