//! What the doctor finds of the owner's other servers.

use jarvis_core::foreign::Standing;

use super::Finding;
use crate::mcp::{ServerLine, Servers};

/// Of a running daemon: each is asked now.
pub(super) async fn live(servers: &Servers) -> Vec<Finding> {
    servers.look().await;
    match servers.list().await {
        Ok(all) => all.iter().flat_map(findings).collect(),
        Err(error) => vec![Finding::problem("mcp", error.to_string(), "see what is said of the store")],
    }
}

fn findings(server: &ServerLine) -> Vec<Finding> {
    let name = &server.name;
    if let Some(why) = &server.trouble {
        let remedy = "is it running, and are url and token_file of its [[mcp.servers]] right?";
        return vec![Finding::problem("mcp", format!("{name} cannot be asked: {why}"), remedy)];
    }
    let mut found = Vec::new();
    let waiting = server.waiting().count();
    if waiting > 0 {
        let remedy = format!(
            "read them with `jarvisctl mcp servers`, then `jarvisctl mcp approve {name} [TOOL]`; `only` in its \
             [[mcp.servers]] leaves the others out"
        );
        found.push(Finding::note("mcp", format!("{waiting} tools of {name} wait for you"), remedy));
    }
    let gone = server.tools.iter().filter(|tool| tool.standing == Standing::Gone).count();
    if gone > 0 {
        let remedy = format!("`jarvisctl mcp forget {name}`, and approve anew what you want");
        found.push(Finding::note("mcp", format!("{name} has {gone} tools no more that you approved"), remedy));
    }
    if !server.left_out.is_empty() {
        let remedy = "name the tools you want in `only` of its [[mcp.servers]]";
        found.push(Finding::note(
            "mcp",
            format!("of {name}'s list is left out: {}", server.left_out.join("; ")),
            remedy,
        ));
    }
    if found.is_empty() {
        found.push(Finding::good("mcp", format!("{name} offers {} approved tools", server.tools.len())));
    }
    found
}

#[cfg(test)]
mod tests {
    use jarvis_core::foreign::Pin;
    use jarvis_core::tool::Tier;

    use super::super::Level;
    use super::*;
    use crate::mcp::ToolLine;

    #[test]
    fn each_trouble_has_its_remedy() {
        let tool = |name: &str, standing| ToolLine {
            name: name.into(),
            standing,
            tier: Tier::Yellow,
            pin: Pin([1; 32]),
            about: String::new(),
            schema: serde_json::Map::new(),
            about_then: None,
            schema_then: None,
        };
        let mut line = ServerLine {
            name: "notes".into(),
            url: "http://127.0.0.1:1/mcp".into(),
            looked: None,
            trouble: None,
            tools: vec![tool("add", Standing::Approved)],
            left_out: Vec::new(),
        };
        assert_eq!(findings(&line)[0].level, Level::Good);
        line.tools.extend([tool("new", Standing::New), tool("old", Standing::Gone)]);
        line.left_out.push("9936 more".into());
        let told = findings(&line);
        assert!(told.iter().all(|found| found.level == Level::Note && !found.remedy.is_empty()), "{told:?}");
        assert!(
            told[0].what.contains("1 tools") && told[1].what.contains("no more") && told[2].what.contains("9936"),
            "{told:?}"
        );
        line.trouble = Some("nobody answers".into());
        let told = findings(&line);
        assert_eq!((told.len(), told[0].level), (1, Level::Problem));
    }
}
