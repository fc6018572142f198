//! The official inspector's command line.

use jarvis_tests::mcp_clients::inspect;
use jarvis_tests::office::{GUEST, Office};

use super::{approve, question, text};

#[tokio::test(flavor = "multi_thread")]
async fn it_lists_reads_and_asks_for_a_change_that_only_its_owner_approves() {
    let office = Office::start("", "").await.unwrap();
    let (reader, writer) = (office.token("reader", false).unwrap(), office.token("writer", true).unwrap());
    let url = office.mcp();
    let ask = |token: &str, options: &[&str]| inspect(&[&url], Some(token), options, office.dir()).unwrap();
    let names = |token: &str| -> Vec<String> {
        let listed = ask(token, &["--method", "tools/list", "--strict"]).unwrap();
        listed["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    };
    assert!(names(&reader).contains(&"read_cluster".to_owned()) && !names(&reader).contains(&"guest_start".to_owned()));
    assert!(names(&writer).contains(&"guest_start".to_owned()));
    let call = |token: &str, tool: &str, args: &[&str]| {
        let mut options = vec!["--method", "tools/call", "--tool-name", tool];
        for pair in args {
            options.extend(["--tool-arg", pair]);
        }
        ask(token, &options)
    };
    let read = call(&reader, "read_cluster", &[]).unwrap();
    let name = office.cluster.state().guest(GUEST).unwrap().name.clone().unwrap();
    assert!(text(&read).contains(&name), "{read}");

    let vmid = format!("vmid={GUEST}");
    // The inspector ends with a status of its own where a result is an error; what it prints is the result.
    let asked = call(&writer, "guest_start", &[&vmid]).unwrap_or_else(serde_json::Value::String).to_string();
    let id = question(&asked);
    let pending = call(&writer, "change_result", &[&format!("id={id}")]).unwrap();
    assert!(text(&pending).contains("pending") && !office.running(), "{pending}");
    approve(&office, &asked).await;
    let done = call(&writer, "change_result", &[&format!("id={id}")]).unwrap();
    assert!(text(&done).contains("is done") && office.running(), "{done}");
    assert_eq!(office.deeds(), 1);

    let refused = call(&reader, "guest_start", &[&vmid]).unwrap_or_else(serde_json::Value::String).to_string();
    assert!(refused.contains("not found"), "a reader is not even shown it: {refused}");
    let kinds = office.audited().unwrap();
    for kind in ["ruled", "asked", "approved", "started", "verified"] {
        assert!(kinds.iter().any(|known| known == kind), "{kind} is not in {kinds:?}");
    }
    assert!(office.ctl(&["audit", "verify"]).unwrap().status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn over_standard_input_no_token_is_needed_and_no_change_is_to_be_had_unless_it_is_said() {
    let office = Office::start("", "").await.unwrap();
    let mut line = office.ctl_line().unwrap();
    line.extend(["mcp".to_owned(), "serve".to_owned()]);
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    let config = office.dir().join("servers.json");
    let servers =
        |args: &[&str]| serde_json::json!({"mcpServers": {"jarvis": {"command": args[0], "args": &args[1..]}}});
    let listed = |args: &[&str]| {
        std::fs::write(&config, servers(args).to_string()).unwrap();
        let options = ["--config", config.to_str().unwrap(), "--server", "jarvis", "--method", "tools/list"];
        inspect(&[], None, &options, office.dir()).unwrap().unwrap().to_string()
    };
    let plain = listed(&line);
    assert!(plain.contains("read_cluster") && !plain.contains("guest_start"), "{plain}");
    let changes = listed(&[line.as_slice(), &["--changes"]].concat());
    assert!(changes.contains("guest_start"), "{changes}");
}
