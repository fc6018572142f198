//! Every difference is either a reviewed one or a failure.

use super::*;
use crate::told;

/// Differences looked at and left so, with the reason.
const REVIEWED: &[(DifferenceKind, &str, &[&str], &str)] = &[
    (
        DifferenceKind::Invented,
        "/nodes/{node}/replication",
        &[
            "duration",
            "error",
            "fail_count",
            "guest",
            "jobnum",
            "last_sync",
            "last_try",
            "next_sync",
            "schedule",
            "source",
            "target",
            "type",
            "vmtype",
        ],
        "the description declares the id alone and the recorded clusters have no job; these are what pve-manager's source adds",
    ),
    (
        DifferenceKind::RecordedButMissing,
        "/cluster/backup",
        &["pool"],
        "the recorded job is one of a pool, ours are not",
    ),
    (
        DifferenceKind::RecordedButMissing,
        "/cluster/resources",
        &["lxc.pool", "qemu.tags"],
        "the fleet has neither pools nor tags",
    ),
    (
        DifferenceKind::RecordedButMissing,
        "/cluster/tasks",
        &["endtime", "saved", "status"],
        "the recorded tasks have ended; one that runs has none of these",
    ),
    (
        DifferenceKind::RecordedButMissing,
        "/nodes/{node}/qemu/{vmid}/snapshot",
        &["digest", "running"],
        "of `current` alone, and the recorded guests have no other",
    ),
    (
        DifferenceKind::RecordedButMissing,
        "/nodes/{node}/lxc/{vmid}/snapshot",
        &["digest", "running"],
        "of `current` alone, and the recorded guests have no other",
    ),
    (
        DifferenceKind::RecordedButMissing,
        "/nodes/{node}/qemu/{vmid}/config",
        &["kvm", "tags"],
        "kvm: 0 is a quirk of the recorded machine; the fleet has no tags",
    ),
    (
        DifferenceKind::RecordedButMissing,
        "/nodes/{node}/storage/{storage}/content",
        &["parent", "used"],
        "of disk images, and ours are backups",
    ),
    (
        DifferenceKind::Invented,
        "/nodes/{node}/lxc/{vmid}/status/current",
        &["pid"],
        "the recorded container is stopped; one that runs has it",
    ),
    (
        DifferenceKind::RecordedButMissing,
        "/nodes/{node}/qemu/{vmid}/status/current",
        &["ha/state", "pid", "tags"],
        "the recorded VM runs under high availability and has tags; ours need not",
    ),
    (
        DifferenceKind::Invented,
        "/nodes/{node}/qemu/{vmid}/status/current",
        &["nics/*"],
        "named after the guest's own interface",
    ),
    (
        DifferenceKind::RecordedButMissing,
        "/nodes/{node}/tasks/{upid}/status",
        &["exitstatus"],
        "the recorded task has ended; one that runs has none",
    ),
];

/// Where every difference is listed, for whoever wants to know how far to trust the simulator.
const LIST: &str = "api-differences.txt";

#[test]
fn the_simulator_answers_as_described_and_as_recorded() {
    let Some(data) = data_dir() else {
        let what = "the simulator beside the official description of the API and recorded answers (../shared/data/proxmox is absent)";
        told::not_run("api", what).unwrap();
        return;
    };
    let differences = differences(&data).unwrap();
    let mut unreviewed = Vec::new();
    let mut list = String::new();
    for difference in &differences {
        let reviewed = REVIEWED.iter().find(|(kind, template, fields, _)| {
            let named = |field: &&str| match field.strip_suffix('*') {
                Some(beginning) => difference.field.starts_with(beginning),
                None => difference.field == *field,
            };
            *kind == difference.kind && *template == difference.template && fields.iter().any(named)
        });
        let why = match reviewed {
            Some((.., why)) => *why,
            None if difference.kind == DifferenceKind::Undeclared => "real clusters send it",
            None => {
                unreviewed.push(difference);
                "NOT REVIEWED"
            }
        };
        list += &format!("{difference}: {why}\n");
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").join(LIST);
    fs::write(&file, list).unwrap();
    let methods = METHODS.len() + CHANGES.iter().flatten().count();
    let counts = format!("{} differences, {} of them not reviewed", differences.len(), unreviewed.len());
    told::tell("api", &format!("the simulator beside the official API: {methods} methods, {counts}: target/{LIST}"))
        .unwrap();
    assert!(unreviewed.is_empty(), "{unreviewed:#?}");
}
