//! What `jarvisd --check` prints when the file is right.

use super::Config;
use crate::speech::EngineConfig;

impl Config {
    /// Name and value of what matters most, for people.
    pub fn summary(&self) -> Vec<(&'static str, String)> {
        let nodes: Vec<String> =
            self.cluster.nodes.iter().map(|n| format!("{} ({})", n.name, n.api_authority())).collect();
        vec![
            ("state", self.daemon.state_dir.display().to_string()),
            ("satellites", format!("udp {}", self.link.listen)),
            ("page", format!("http://{}/", self.page.listen)),
            (
                "nodes",
                if nodes.is_empty() {
                    "none: every fact about a cluster stays unknown".to_owned()
                } else {
                    nodes.join(", ")
                },
            ),
            (
                "sensors",
                match &self.cluster.sensors {
                    Some(sensors) => format!("over SSH as {}", sensors.user),
                    None => "none: temperatures stay unknown".to_owned(),
                },
            ),
            ("ear", format!("{}, for {} at once", self.ear.model.display(), rooms(self.ear.workers))),
            ("voice", self.voice()),
            ("minds", self.minds()),
            ("programs", self.programs()),
            ("servers", self.servers()),
            (
                "kept",
                format!(
                    "words {} days, turns {} days, events {} days",
                    self.retention.transcripts_days, self.retention.turns_days, self.retention.events_days
                ),
            ),
        ]
    }

    fn minds(&self) -> String {
        let each = self.minds.providers.iter().map(|p| format!("{} ({} at {})", p.name(), p.model(), p.url()));
        let all: Vec<_> = each.collect();
        if all.is_empty() {
            "none: what the intents don't understand stays unanswered".to_owned()
        } else {
            all.join(", ")
        }
    }

    fn programs(&self) -> String {
        match self.mcp.listen {
            Some(listen) => format!("served with tokens at http://{listen}/mcp"),
            None => "none are served over HTTP".to_owned(),
        }
    }

    fn servers(&self) -> String {
        let each: Vec<String> = self.mcp.servers.iter().map(|s| format!("{} ({})", s.name, s.address())).collect();
        if each.is_empty() { "no other ones are asked".to_owned() } else { each.join(", ") }
    }

    fn voice(&self) -> String {
        let espeak = format!("espeak-ng {}", self.speech.voice);
        let EngineConfig::OpenAi(first) = match self.speech.engines.first() {
            Some(engine) => engine,
            None => return espeak,
        };
        format!("{} at {}, then {espeak}", first.name, first.url)
    }
}

fn rooms(workers: u8) -> String {
    if workers == 1 { "one room".to_owned() } else { format!("{workers} rooms") }
}
