//! Task identifiers: `UPID:node:pid:pstart:start:type:id:user:`. Nobody can follow the whole; what task it is, and where, is said.

use super::name;

/// Types of tasks whose name alone says little.
const KINDS: &[(&str, &str)] = &[
    ("hamigrate", "high availability migration"),
    ("hastart", "high availability start"),
    ("hastop", "high availability stop"),
    ("imgcopy", "disk copy"),
    ("imgdel", "disk removal"),
    ("qmclone", "clone"),
    ("qmconfig", "configuration"),
    ("qmcreate", "creation"),
    ("qmdestroy", "removal"),
    ("qmigrate", "migration"),
    ("qmpause", "pause"),
    ("qmreboot", "restart"),
    ("qmreset", "reset"),
    ("qmrestore", "restore"),
    ("qmresume", "resume"),
    ("qmrollback", "rollback"),
    ("qmshutdown", "shutdown"),
    ("qmsnapshot", "snapshot"),
    ("qmstart", "start"),
    ("qmstop", "stop"),
    ("startall", "start of all guests"),
    ("stopall", "stop of all guests"),
    ("vzclone", "clone"),
    ("vzcreate", "creation"),
    ("vzdestroy", "removal"),
    ("vzdump", "backup"),
    ("vzmigrate", "migration"),
    ("vzreboot", "restart"),
    ("vzrestore", "restore"),
    ("vzrollback", "rollback"),
    ("vzshutdown", "shutdown"),
    ("vzsnapshot", "snapshot"),
    ("vzstart", "start"),
    ("vzstop", "stop"),
];

pub(super) fn say(core: &str) -> Option<String> {
    let mut fields = core.strip_prefix("UPID:")?.split(':');
    let node = fields.next()?;
    let kind = fields.nth(3)?;
    let object = fields.next().unwrap_or_default();
    let kind =
        KINDS.iter().find(|(name, _)| *name == kind).map_or_else(|| name::say(kind), |(_, words)| (*words).to_owned());
    let object = if object.is_empty() {
        String::new()
    } else if object.bytes().all(|b| b.is_ascii_digit()) {
        format!(" for {}", super::number::digits(object))
    } else {
        format!(" for {}", name::say(object))
    };
    Some(format!("the {kind} task{object} on {}", name::say(node)))
}
