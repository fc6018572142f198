//! The simulator as a stranger sees it: what a real API does with requests that Jarvis never makes.

use reqwest::{Client, Method, StatusCode};

use crate::house::*;

#[tokio::test(flavor = "multi_thread")]
async fn odd_requests_are_answered_as_a_real_api_answers_them() {
    let simulator = simulator(91).await;
    let there = vm(&simulator, true);
    // Another test of this process may have named it before.
    rustls::crypto::ring::default_provider().install_default().ok();
    let http = Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
    let access = simulator.access().into_iter().find(|access| access.name == there.node).unwrap();
    let ask = async |method: Method, path: &str, body: &str| {
        let request =
            http.request(method, format!("https://{}/api2/json/nodes/{}/qemu/112/{path}", access.api, there.node));
        let request = request.header("Authorization", format!("PVEAPIToken={}", simulator.token()));
        let response = request.body(body.to_owned()).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    };
    let (status, _) = ask(Method::DELETE, "snapshot/clean", "force=1").await;
    assert_eq!(status, StatusCode::NOT_IMPLEMENTED, "a DELETE takes no body");
    let (status, text) = ask(Method::POST, "status/start", "now=1").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
    let (status, _) = ask(Method::POST, "snapshot", "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a snapshot has a name");
    let (status, _) = ask(Method::PUT, "status/start", "").await;
    assert_eq!(status, StatusCode::NOT_IMPLEMENTED);
    assert_eq!(begun(&simulator.state(), 112), 0);
    let (status, text) = ask(Method::DELETE, "snapshot/none?force=1", "").await;
    assert!(status.is_success() && text.contains("qmdelsnapshot"), "{text}");
}
