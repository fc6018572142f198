//! Fetching a recognition model from a server that is right, wrong, slow to stop, or hostile. The real address was never asked here.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::io::{Cursor, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use jarvisd::model_fetch::{FetchError, Published, UnpackError, VOSK_SMALL_EN_US, fetch};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use zip::ZipWriter;
use zip::write::FileOptions;

const NAME: &str = "small-model";

/// A server of one archive, and of what goes wrong with it.
struct Server {
    address: SocketAddr,
    archive: Bytes,
    sha256: String,
    _serving: JoinSet<()>,
}

impl Server {
    async fn start(archive: Vec<u8>) -> Self {
        let archive = Bytes::from(archive);
        let (whole, other, short, long, chunked) =
            (archive.clone(), archive.clone(), archive.clone(), archive.clone(), archive.clone());
        let mut changed = other.to_vec();
        *changed.last_mut().unwrap() ^= 1;
        let mut longer = long.to_vec();
        longer.push(0);
        let half = chunked.slice(..chunked.len() / 2);
        let stream = |pieces: Vec<Bytes>| {
            Body::from_stream(futures_util::stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)))
        };
        let app = Router::new()
            .route("/whole.zip", get(move || async move { whole }))
            .route("/other.zip", get(move || async move { changed }))
            .route("/longer.zip", get(move || async move { longer }))
            .route("/shorter.zip", get(move || async move { short.slice(..short.len() - 1) }))
            .route("/unannounced.zip", get(move || async move { stream(vec![chunked.clone(), chunked]) }))
            .route("/half.zip", get(move || async move { stream(vec![half]) }))
            .route(
                "/broken.zip",
                get(|| async {
                    let pieces = [Ok(Bytes::from_static(b"PK")), Err(std::io::Error::other("the line is cut"))];
                    ([(header::CONTENT_LENGTH, "1")], Body::from_stream(futures_util::stream::iter(pieces)))
                        .into_response()
                        .into_body()
                }),
            )
            .route("/moved.zip", get(|| async { Redirect::temporary("/whole.zip") }))
            .route("/circle.zip", get(|| async { Redirect::temporary("/circle.zip") }))
            .route("/refused.zip", get(|| async { StatusCode::FORBIDDEN }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
        let sha256 = Sha256::digest(&archive).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { address, archive, sha256, _serving: serving }
    }

    async fn fetch(&self, path: &str, into: &Path) -> Result<std::path::PathBuf, FetchError> {
        let url = format!("http://{}/{path}.zip", self.address);
        let model = Published { url: &url, bytes: self.archive.len() as u64, sha256: &self.sha256, ..small() };
        fetch(&model, into, |_| ()).await
    }
}

fn small() -> Published<'static> {
    Published { name: NAME, unpacked_bytes_max: 100_000, ..VOSK_SMALL_EN_US }
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, FileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn good() -> Vec<u8> {
    archive(&[("small-model/am/final.mdl", b"\0Bmodel"), ("small-model/README", &b"read me. ".repeat(2000))])
}

/// What lies in a folder, hidden files too.
fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

#[tokio::test]
async fn the_pinned_archive_is_unpacked_once_also_from_where_it_moved_to() {
    let server = Server::start(good()).await;
    for path in ["whole", "moved"] {
        let dir = tempfile::tempdir().unwrap();
        let into = dir.path().join("models");
        let mut came = 0;
        let url = format!("http://{}/{path}.zip", server.address);
        let bytes = server.archive.len() as u64;
        let model = Published { url: &url, bytes, sha256: &server.sha256, ..small() };
        let folder = fetch(&model, &into, |now| came = now).await.unwrap();
        assert_eq!((folder.as_path(), came), (into.join(NAME).as_path(), bytes));
        assert_eq!(std::fs::read(folder.join("am/final.mdl")).unwrap(), b"\0Bmodel");
        assert_eq!(std::fs::read(folder.join("README")).unwrap().len(), 18_000);
        assert_eq!(entries(&into), [NAME], "nothing else is left there");
        let again = server.fetch("refused", &into).await.unwrap();
        assert_eq!(again, folder, "what is there is taken, whatever the server says by now");
    }
}

#[tokio::test]
async fn other_bytes_than_the_pinned_ones_are_refused_and_leave_nothing() {
    let server = Server::start(good()).await;
    let dir = tempfile::tempdir().unwrap();
    let bytes = server.archive.len() as u64;
    let mut told = Vec::new();
    for path in ["other", "longer", "shorter", "unannounced", "half", "broken", "circle", "refused", "nowhere"] {
        let error = server.fetch(path, dir.path()).await.unwrap_err();
        assert_eq!(entries(dir.path()), Vec::<String>::new(), "{path}: {error}");
        let right = match path {
            "other" => matches!(&error, FetchError::Digest { wanted, .. } if *wanted == server.sha256),
            "longer" | "unannounced" => matches!(error, FetchError::Length { came, .. } if came > bytes),
            "shorter" | "half" => matches!(error, FetchError::Length { came, .. } if came < bytes),
            "broken" | "circle" => matches!(error, FetchError::Unreachable { .. }),
            _ => matches!(error, FetchError::Refused { .. }),
        };
        assert!(right, "{path}: {error:?}");
        told.push(error.to_string());
    }
    assert!(told.iter().all(|text| text.contains(&server.address.to_string())), "each names the address: {told:?}");
    let silent = Server { address: "127.0.0.1:9".parse().unwrap(), ..Server::start(good()).await };
    assert!(matches!(silent.fetch("whole", dir.path()).await, Err(FetchError::Unreachable { .. })));
}

#[tokio::test]
async fn names_that_lead_elsewhere_links_and_floods_are_refused_even_with_the_right_digest() {
    let link = {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.add_symlink("small-model/passwd", "/etc/passwd", FileOptions::default()).unwrap();
        zip.finish().unwrap().into_inner()
    };
    let outside = |name: &str| archive(&[("small-model/README", b"x"), (name, b"evil")]);
    let many: Vec<String> = (0..1001).map(|n| format!("small-model/{n}")).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
    type Case = (&'static str, Vec<u8>, fn(&UnpackError) -> bool);
    let cases: [Case; 8] = [
        ("parent", outside("../evil"), |e| matches!(e, UnpackError::Outside(_))),
        ("within", outside("small-model/../../evil"), |e| matches!(e, UnpackError::Outside(_))),
        ("absolute", outside("/tmp/jarvis-evil"), |e| matches!(e, UnpackError::Outside(_))),
        ("beside", outside("evil"), |e| matches!(e, UnpackError::Outside(_))),
        ("link", link, |e| matches!(e, UnpackError::Odd(_))),
        ("bomb", archive(&[("small-model/zeros", &vec![0; 200_000])]), |e| matches!(e, UnpackError::Large(100_000))),
        ("many", archive(&many), |e| matches!(e, UnpackError::Large(_))),
        ("no archive", b"this is no archive at all".to_vec(), |e| matches!(e, UnpackError::Archive(_))),
    ];
    for (what, archive, right) in cases {
        let server = Server::start(archive).await;
        let dir = tempfile::tempdir().unwrap();
        let into = dir.path().join("models");
        match server.fetch("whole", &into).await {
            Err(FetchError::Unpack(error)) => assert!(right(&error), "{what}: {error:?}"),
            other => panic!("{what}: {other:?}"),
        }
        assert_eq!((entries(dir.path()), entries(&into)), (vec!["models".to_owned()], Vec::new()), "{what}");
    }
    assert!(!Path::new("/tmp/jarvis-evil").exists());
}

#[tokio::test]
async fn a_server_with_a_certificate_of_its_own_making_is_not_asked() {
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let private = rustls::pki_types::PrivateKeyDer::Pkcs8(key.signing_key.serialize_der().into());
    let tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/whole.zip", listener.local_addr().unwrap().port());
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            assert!(acceptor.accept(stream).await.is_err(), "nobody trusts it");
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let error = fetch(&Published { url: &url, ..small() }, dir.path(), |_| ()).await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().to_lowercase().contains("cert"), "{error}");
}
