//! The API's JSON as it comes, read leniently: numbers may be strings, booleans are 0 or 1, any field may be missing or null, an
//! element of a list that makes no sense is left out. About a fifth of live answers differ from the official description.

use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Elements of a list beyond this are dropped: the largest clusters known have some thousands of guests.
pub(super) const LIST_MAX: usize = 20_000;

/// `{"data": ...}`, and what comes beside it on an error.
#[derive(Deserialize)]
pub(super) struct Envelope {
    #[serde(default)]
    pub(super) data: Value,
    #[serde(default)]
    message: Option<Value>,
    #[serde(default)]
    errors: Option<Value>,
}

impl Envelope {
    /// The API's own words for what went wrong.
    pub(super) fn complaint(&self) -> Option<String> {
        let message = self.message.as_ref().and_then(Value::as_str);
        let errors = self.errors.as_ref().map(Value::to_string);
        match (message.map(str::trim), errors) {
            (Some(message), Some(errors)) => Some(format!("{message} {errors}")),
            (Some(message), None) => Some(message.to_owned()),
            (None, errors) => errors,
        }
    }
}

/// The elements of `data` that can be read as `T`; `None` where it is no list.
pub(super) fn list<T: DeserializeOwned>(data: Value) -> Option<Vec<T>> {
    match data {
        Value::Array(elements) => Some(
            elements.into_iter().take(LIST_MAX).filter_map(|element| serde_json::from_value(element).ok()).collect(),
        ),
        _ => None,
    }
}

/// A number that may come as a string, a boolean or not at all.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let number = match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(truth) => Some(f64::from(u8::from(truth))),
        _ => None,
    };
    Ok(number.filter(|n| n.is_finite()))
}

fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let number = match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(rounded)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| text.parse().ok().and_then(rounded))
        }
        Value::Bool(truth) => Some(u64::from(truth)),
        _ => None,
    };
    Ok(number)
}

fn rounded(number: f64) -> Option<u64> {
    (number.is_finite() && (0.0..1e18).contains(&number)).then_some(number.round() as u64)
}

fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let truth = match Value::deserialize(deserializer)? {
        Value::Bool(truth) => Some(truth),
        Value::Number(number) => number.as_f64().map(|n| n != 0.0),
        Value::String(text) => match text.trim() {
            "1" | "yes" | "on" | "true" => Some(true),
            "0" | "no" | "off" | "false" | "" => Some(false),
            _ => None,
        },
        _ => None,
    };
    Ok(truth)
}

/// Text that may come as a number (a name such as `2024`).
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = match Value::deserialize(deserializer)? {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    Ok(text)
}

/// A wire type whose every field is optional: `field: reader -> type`.
macro_rules! wire {
    ($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $reader:literal $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(default)]
        pub(super) struct $name {
            $($(#[$attribute])* #[serde(deserialize_with = $reader)] pub(super) $field: Option<$type>,)*
        }
    };
}

wire!(
    /// An element of `/cluster/resources`.
    Resource {
        #[serde(rename = "type")]
        kind: "text" String,
        node: "text" String,
        name: "text" String,
        status: "text" String,
        vmid: "whole" u64,
        template: "truth" bool,
        cpu: "number" f64,
        maxcpu: "number" f64,
        mem: "whole" u64,
        maxmem: "whole" u64,
        disk: "whole" u64,
        maxdisk: "whole" u64,
        uptime: "whole" u64,
        lock: "text" String,
        hastate: "text" String,
        storage: "text" String,
        plugintype: "text" String,
        content: "text" String,
        shared: "truth" bool,
    }
);

wire!(
    /// An element of `/cluster/status`.
    StatusEntry {
        #[serde(rename = "type")]
        kind: "text" String,
        name: "text" String,
        quorate: "truth" bool,
        online: "truth" bool,
    }
);

wire!(
    /// An element of `/cluster/tasks` or of a node's `tasks`.
    TaskEntry {
        upid: "text" String,
        node: "text" String,
        #[serde(rename = "type")]
        kind: "text" String,
        id: "text" String,
        user: "text" String,
        starttime: "whole" u64,
        endtime: "whole" u64,
        status: "text" String,
    }
);

wire!(
    /// A task's `status`.
    TaskStatus {
        status: "text" String,
        exitstatus: "text" String,
    }
);

wire!(
    /// A line of a task's `log`.
    LogLine {
        t: "text" String,
    }
);

wire!(
    /// A guest's `status/current`.
    GuestStatus {
        status: "text" String,
        qmpstatus: "text" String,
        uptime: "whole" u64,
        /// Its process; another one after every start.
        pid: "whole" u64,
    }
);

wire!(
    /// A guest's `config`.
    GuestConfig {
        cores: "whole" u64,
        sockets: "whole" u64,
        memory: "text" String,
        onboot: "truth" bool,
        protection: "truth" bool,
        digest: "text" String,
        meta: "text" String,
    }
);

wire!(
    /// An element of a guest's `snapshot` list.
    SnapshotEntry {
        name: "text" String,
        snaptime: "whole" u64,
        parent: "text" String,
        /// `prepare` or `delete`: it is not whole, or not any more.
        snapstate: "text" String,
    }
);

wire!(
    /// An element of a storage's `content`.
    Volume {
        volid: "text" String,
        content: "text" String,
        vmid: "whole" u64,
        ctime: "whole" u64,
        size: "whole" u64,
    }
);

wire!(
    /// An element of `/cluster/backup`.
    BackupJob {
        id: "text" String,
        schedule: "text" String,
        #[serde(rename = "next-run")]
        next_run: "whole" u64,
        enabled: "truth" bool,
        vmid: "text" String,
    }
);

wire!(
    /// An element of `/cluster/backup-info/not-backed-up`.
    NotBackedUp {
        vmid: "whole" u64,
    }
);

wire!(
    /// An element of `/cluster/ha/status/current`.
    HaEntry {
        #[serde(rename = "type")]
        kind: "text" String,
        id: "text" String,
        sid: "text" String,
        node: "text" String,
        state: "text" String,
        status: "text" String,
    }
);

wire!(
    /// An element of `/nodes/{node}/replication`.
    ReplicationEntry {
        id: "text" String,
        source: "text" String,
        target: "text" String,
        last_sync: "whole" u64,
        fail_count: "whole" u64,
        error: "text" String,
    }
);

wire!(
    /// `/version`.
    Version {
        version: "text" String,
    }
);

/// `/nodes/{node}/status`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeStatus {
    #[serde(deserialize_with = "text")]
    pub(super) pveversion: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) kversion: Option<String>,
    #[serde(rename = "current-kernel")]
    pub(super) current_kernel: Value,
    pub(super) loadavg: Value,
}

/// A number in a list, as [`number`] reads it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub(super) struct Number(#[serde(deserialize_with = "number")] pub(super) Option<f64>);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_truths_are_read_whatever_their_type() {
        let resource: Resource = serde_json::from_value(json!({
            "type": "qemu", "vmid": "104", "mem": 2.5e9, "maxmem": "4294967296", "cpu": "0.25", "template": "0", "shared": 1,
            "uptime": -3, "name": 2024, "lock": null, "unheard-of": {"deep": []},
        }))
        .unwrap();
        assert_eq!(resource.vmid, Some(104));
        assert_eq!(resource.mem, Some(2_500_000_000));
        assert_eq!(resource.maxmem, Some(4_294_967_296));
        assert_eq!(resource.cpu, Some(0.25));
        assert_eq!((resource.template, resource.shared), (Some(false), Some(true)));
        assert_eq!((resource.uptime, resource.disk), (None, None));
        assert_eq!(resource.name.as_deref(), Some("2024"));
    }

    #[test]
    fn elements_without_sense_are_left_out_and_a_list_stays_bounded() {
        let read: Vec<NotBackedUp> = list(json!([{"vmid": 101}, "nonsense", {"vmid": []}])).unwrap();
        let vmids: Vec<_> = read.iter().map(|r| r.vmid).collect();
        assert_eq!(vmids, [Some(101), None]);
        assert!(list::<NotBackedUp>(json!({"vmid": 1})).is_none());
        let many = Value::Array(vec![json!({}); LIST_MAX + 5]);
        assert_eq!(list::<NotBackedUp>(many).unwrap().len(), LIST_MAX);
    }

    #[test]
    fn complaints_keep_the_words_of_the_api() {
        let envelope: Envelope = serde_json::from_value(json!({"data": null, "message": "no such VM\n"})).unwrap();
        assert_eq!(envelope.complaint().as_deref(), Some("no such VM"));
        let envelope: Envelope = serde_json::from_value(json!({"data": null, "errors": {"node": "invalid"}})).unwrap();
        assert_eq!(envelope.complaint().as_deref(), Some(r#"{"node":"invalid"}"#));
    }
}
