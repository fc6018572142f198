use super::*;

#[test]
fn words_of_a_failure_are_one_bounded_line_without_secrets() {
    let text = format!("no\n\u{1b}[2J token=\"ghp_abcdefghijklmnopqrstuvwxyz0123456789\" {}", "ä".repeat(10_000));
    let told = bounded(&text);
    assert!(told.chars().count() <= WHY_CHARS_MAX && !told.contains(char::is_control), "{told}");
    assert!(!told.contains("ghp_abcdefghijklmnopqrstuvwxyz"), "{told}");
    assert_eq!(bounded("  two\n words "), "two words");
}

/// A server with one tool; counts how often that was called.
async fn server(called: std::sync::Arc<std::sync::atomic::AtomicU32>) -> ServerConfig {
    use axum::response::IntoResponse;
    use serde_json::json;

    let answer = move |axum::Json(request): axum::Json<serde_json::Value>| async move {
        let result = match request["method"].as_str().unwrap_or_default() {
            "initialize" => json!({
                "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                "serverInfo": {"name": "notes", "version": "1"},
            }),
            "tools/list" => json!({"tools": [{"name": "add", "inputSchema": {"type": "object"}}]}),
            "tools/call" => {
                called.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                json!({"content": [{"type": "text", "text": "noted"}]})
            }
            method if method.starts_with("notifications/") => {
                return axum::http::StatusCode::ACCEPTED.into_response();
            }
            _ => {
                let error = json!({"code": -32601, "message": "Method not found"});
                return axum::Json(json!({"jsonrpc": "2.0", "id": request["id"], "error": error})).into_response();
            }
        };
        axum::Json(json!({"jsonrpc": "2.0", "id": request["id"], "result": result})).into_response()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/mcp", axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    toml::from_str(&format!("name = 'notes'\nurl = '{url}'")).unwrap()
}

#[tokio::test]
async fn a_stop_while_the_server_is_looked_at_keeps_the_call_back() {
    let called = std::sync::Arc::default();
    let way = Way::new(server(std::sync::Arc::clone(&called)).await);
    let listed = way.list(|_| true).await.unwrap();
    for (may, times) in [(false, 0), (true, 1)] {
        let call = ForeignCall {
            server: "notes".to_owned(),
            tool: "add".to_owned(),
            pin: listed.tools[0].pin(),
            arguments: serde_json::Map::new(),
        };
        let (came, taken) = way.call(call, |_| true, &|| may).await.unwrap();
        assert_eq!((&taken, called.load(std::sync::atomic::Ordering::SeqCst)), (&listed, times), "{came:?}");
        assert_eq!(matches!(came, Called::Answered { .. }), may, "{came:?}");
    }
}

#[tokio::test]
async fn what_a_program_complained_of_last_is_told_whether_it_is_looked_at_or_called() {
    const PROGRAM: &str = r#"
        name = 'notes'
        command = ['/bin/sh', '-c', '''
            while read -r line; do
                id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
                case "$line" in
                    *'"initialize"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"notes","version":"1"}}}\n' "$id" ;;
                    *'"notifications/'*) ;;
                    *'"tools/list"'*) echo 'the list is gone' >&2; exit 1 ;;
                    *) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}\n' "$id" ;;
                esac
            done
        ''']
    "#;
    let way = Way::new(toml::from_str(PROGRAM).unwrap());
    let told = way.list(|_| true).await.unwrap_err();
    assert!(told.contains("the list is gone"), "{told}");
    let call = ForeignCall {
        server: "notes".to_owned(),
        tool: "add".to_owned(),
        pin: jarvis_core::foreign::Pin([0; 32]),
        arguments: serde_json::Map::new(),
    };
    let told = way.call(call, |_| true, &|| true).await.unwrap_err();
    assert!(told.contains("the list is gone"), "{told}");
}

/// The first time it is started, the program answers what it is asked first later than rmcp waits for that.
#[tokio::test]
async fn a_program_that_starts_slowly_is_begun_with_anew() {
    let dir = tempfile::tempdir().unwrap();
    let program = format!(
        r#"
        name = 'notes'
        seconds = 60
        command = ['/bin/sh', '-c', '''
            if mkdir {:?} 2>/dev/null; then sleep 12; fi
            while read -r line; do
                id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
                case "$line" in
                    *'"initialize"'*) printf '{{"jsonrpc":"2.0","id":%s,"result":{{"protocolVersion":"2025-11-25","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"notes","version":"1"}}}}}}\n' "$id" ;;
                    *'"notifications/'*) ;;
                    *'"tools/list"'*) printf '{{"jsonrpc":"2.0","id":%s,"result":{{"tools":[{{"name":"add","inputSchema":{{"type":"object"}}}}]}}}}\n' "$id" ;;
                    *) printf '{{"jsonrpc":"2.0","id":%s,"error":{{"code":-32601,"message":"Method not found"}}}}\n' "$id" ;;
                esac
            done
        ''']
        "#,
        dir.path().join("started")
    );
    let way = Way::new(toml::from_str(&program).unwrap());
    let taken = way.list(|_| true).await.unwrap();
    assert_eq!(taken.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["add"]);
    assert!(dir.path().join("started").is_dir(), "it did start slowly");
}

/// It would be started over and over.
#[tokio::test]
async fn a_program_that_answers_amiss_at_once_is_started_once_and_told_with_its_words() {
    let dir = tempfile::tempdir().unwrap();
    let starts = dir.path().join("starts");
    let program = format!(
        r#"
        name = 'notes'
        seconds = 60
        command = ['/bin/sh', '-c', '''
            echo started >> {starts:?}
            while read -r line; do
                id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
                case "$line" in
                    *'"initialize"'*) echo 'I lost count' >&2; printf '{{"jsonrpc":"2.0","id":%s99,"result":{{"protocolVersion":"2025-11-25","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"notes","version":"1"}}}}}}\n' "$id" ;;
                    *) printf '{{"jsonrpc":"2.0","id":%s,"error":{{"code":-32601,"message":"Method not found"}}}}\n' "$id" ;;
                esac
            done
        ''']
        "#
    );
    let way = Way::new(toml::from_str(&program).unwrap());
    let told = way.list(|_| true).await.unwrap_err();
    assert!(told.contains("I lost count"), "{told}");
    assert_eq!(std::fs::read_to_string(starts).unwrap(), "started\n");
}

#[test]
fn an_answer_is_its_texts_within_bounds() {
    let config = "name = 'notes'\nurl = 'http://127.0.0.1:1/mcp'\nanswer_kib = 1";
    let way = Way::new(toml::from_str(config).unwrap());
    let answered = |blocks: Vec<ContentBlock>| way.answered(CallToolResult::success(blocks));
    let both = vec![ContentBlock::text("milk"), ContentBlock::image("AAAA", "image/png")];
    assert_eq!(answered(both), Called::Answered { text: "milk\n(a picture, left out)".into(), is_error: false });
    let Called::Answered { text, .. } = answered(vec![ContentBlock::text("password=Wint3r!Garden-77x")]) else {
        panic!()
    };
    assert!(!text.contains("Wint3r"), "{text}");
    assert!(
        matches!(answered(vec![ContentBlock::text("x".repeat(1025))]), Called::Unknown(why) if why.contains("1 KiB"))
    );
    let structured = CallToolResult::structured(serde_json::json!({"count": 3}));
    let Called::Answered { text, .. } = way.answered(structured) else { panic!() };
    assert!(text.contains("\"count\":3"), "{text}");
}
