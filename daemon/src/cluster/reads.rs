//! How each [`Read`] is answered: which paths it asks of which nodes, side by side, and what becomes a gap.
//!
//! Length: one function per read, all of one shape.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use jarvis_core::cluster::{Cluster, GuestKind, Presence, TaskEnd};
use jarvis_core::ids::{NodeName, Vmid};
use jarvis_core::tool::{Facts, Gap, GapReason, Read};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::api::{Api, ApiError};
use super::cache::Cache;
use super::convert::{self, BackupPlace};
use super::sensors::Sensors;
use super::{Limits, now, rights, wire};

/// How long the cluster's state is fresh.
const VIEW_FRESH: Duration = Duration::from_secs(5);
/// How long an answer that lacks something stands, so that a burst of questions does not wait for a dead node each time.
const GAP_FRESH: Duration = Duration::from_secs(1);

/// What one read brought: its own field of [`Facts`], and its gaps.
pub(super) type Fetched = Arc<Facts>;
type ViewResult = Result<Arc<View>, ApiError>;

/// The cluster, and what of the wire is needed beside the domain's idea of it.
pub(super) struct View {
    pub(super) cluster: Cluster,
    backup_places: Vec<BackupPlace>,
    gaps: Vec<Gap>,
}

/// Answers reads; shared by all clones of the client.
pub(super) struct Reader {
    pub(super) api: Arc<Api>,
    pub(super) sensors: Option<Arc<Sensors>>,
    pub(super) limits: Limits,
    views: Cache<(), ViewResult>,
    answers: Cache<Read, Fetched>,
}

/// How long an answer to `read` is fresh.
fn fresh_for(read: &Read) -> Duration {
    Duration::from_secs(match read {
        Read::Cluster | Read::NodeStatus { .. } | Read::Tasks | Read::Ha => 5,
        Read::Temperatures { .. } => 10,
        Read::GuestConfig { .. }
        | Read::Snapshots { .. }
        | Read::Backups
        | Read::BackupJobs
        | Read::NotBackedUp
        | Read::Replication
        | Read::Version => 15,
    })
}

/// Whether one node alone can answer it, so that its death leaves the answer unknown.
fn is_of_nodes(read: &Read) -> bool {
    matches!(
        read,
        Read::NodeStatus { .. } | Read::Temperatures { .. } | Read::GuestConfig { .. } | Read::Snapshots { .. }
    )
}

impl Reader {
    pub(super) fn new(api: Arc<Api>, sensors: Option<Arc<Sensors>>, limits: Limits) -> Self {
        Self { api, sensors, limits, views: Cache::new(limits.run * 2), answers: Cache::new(limits.run * 2) }
    }

    /// The same with nothing kept: reads side by side still share what they ask.
    pub(super) fn afresh(&self) -> Self {
        Self::new(Arc::clone(&self.api), self.sensors.clone(), self.limits)
    }

    /// Forgets what was read.
    pub(super) fn forget(&self) {
        self.views.forget();
        self.answers.forget();
    }

    /// The answer to `read`, kept or asked for. What was kept of a node that is known not to answer is asked anew.
    pub(super) async fn read(self: &Arc<Self>, read: Read) -> Fetched {
        let fresh = fresh_for(&read);
        let view = if is_of_nodes(&read) { self.view().await.ok() } else { None };
        let fresh_for = |facts: &Fetched| match facts.gaps.is_empty() {
            true if self.is_bygone(&read, facts, view.as_deref()) => Duration::ZERO,
            true => fresh,
            false => GAP_FRESH,
        };
        let (reader, asked) = (Arc::clone(self), read.clone());
        let ask = || -> BoxFuture<'static, Fetched> { async move { Arc::new(reader.fetch(&asked).await) }.boxed() };
        self.answers.get(Instant::now(), read.clone(), fresh_for, ask).await
    }

    /// Whether `facts` tell of a node of which it is known by now that it does not answer, by its own silence or the cluster's word.
    fn is_bygone(&self, read: &Read, facts: &Facts, view: Option<&View>) -> bool {
        let silent = |node: &NodeName| self.api.is_silent(node) || view.is_some_and(|view| view.there(node).is_err());
        match read {
            Read::NodeStatus { node } => silent(node),
            Read::Temperatures { .. } => {
                let told = facts.temperatures.iter().flatten().filter(|(_, celsius)| celsius.is_some());
                told.into_iter().any(|(node, _)| silent(node))
            }
            Read::GuestConfig { vmid } | Read::Snapshots { vmid } => {
                let guests = view.map(|view| &view.cluster.guests).into_iter().flatten();
                guests.filter(|guest| guest.vmid == *vmid).any(|guest| silent(&guest.node))
            }
            _ => false,
        }
    }

    /// The cluster's state, kept or asked for.
    pub(super) async fn view(self: &Arc<Self>) -> ViewResult {
        let fresh_for = |view: &ViewResult| match view {
            Ok(view) if view.gaps.is_empty() => VIEW_FRESH,
            _ => GAP_FRESH,
        };
        let reader = Arc::clone(self);
        let ask = || async move { reader.look().await.map(Arc::new) }.boxed();
        self.views.get(Instant::now(), (), fresh_for, ask).await
    }

    async fn fetch(self: &Arc<Self>, read: &Read) -> Facts {
        let deadline = Instant::now() + self.limits.read();
        let mut facts = Facts::default();
        let answered = match read {
            Read::Cluster => self.cluster(&mut facts).await,
            Read::NodeStatus { node } => self.node_status(node, deadline, &mut facts).await,
            Read::Temperatures { nodes } => self.temperatures(nodes, deadline, &mut facts).await,
            Read::GuestConfig { vmid } => self.guest_config(*vmid, deadline, &mut facts).await,
            Read::Snapshots { vmid } => self.snapshots(*vmid, deadline, &mut facts).await,
            Read::Tasks => self.tasks(deadline, &mut facts).await,
            Read::Backups => self.backups(deadline, &mut facts).await,
            Read::BackupJobs => self.list(deadline, "/cluster/backup").await.map(|jobs| {
                facts.backup_jobs = Some(convert::backup_jobs(jobs));
            }),
            Read::NotBackedUp => {
                let path = "/cluster/backup-info/not-backed-up";
                self.list(deadline, path).await.map(|guests| {
                    facts.not_backed_up = Some(convert::not_backed_up(guests));
                })
            }
            Read::Ha => {
                let path = "/cluster/ha/status/current";
                self.list(deadline, path).await.map(|entries| {
                    facts.ha = Some(convert::ha(entries));
                })
            }
            Read::Replication => self.replication(deadline, &mut facts).await,
            Read::Version => self.version(deadline, &mut facts).await,
        };
        if let Err(Unknown { node, error }) = answered {
            facts.gaps.push(gap(read, node, error));
        }
        facts
    }

    async fn look(&self) -> Result<View, ApiError> {
        let deadline = Instant::now() + self.limits.view();
        let (resources, status) = tokio::join!(
            self.api.get(None, "/cluster/resources", deadline),
            self.api.get(None, "/cluster/status", deadline),
        );
        let view = view(resources?, status)?;
        if view.cluster.quorate == Some(false)
            && let Some(majority) = self.majority().await
        {
            return Ok(majority);
        }
        Ok(view)
    }

    /// What a node that has quorum says, where the first one asked had none.
    async fn majority(&self) -> Option<View> {
        let deadline = Instant::now() + self.limits.majority();
        let asked = self.api.nodes().map(|node| async move {
            let (resources, status) = tokio::join!(
                self.api.get_from(node, "/cluster/resources", deadline),
                self.api.get_from(node, "/cluster/status", deadline),
            );
            view(resources.ok()?, status).ok()
        });
        let views = join_all(asked).await.into_iter().flatten();
        views.into_iter().find(|view| view.cluster.quorate == Some(true))
    }

    async fn cluster(self: &Arc<Self>, facts: &mut Facts) -> Answered {
        let view = self.view().await?;
        facts.cluster = Some(view.cluster.clone());
        facts.gaps.extend(view.gaps.iter().cloned());
        Ok(())
    }

    async fn node_status(self: &Arc<Self>, node: &NodeName, deadline: Instant, facts: &mut Facts) -> Answered {
        if let Ok(view) = self.view().await {
            view.there(node)?;
        }
        let path = format!("/nodes/{node}/status");
        let data = self.api.get(Some(node), &path, deadline).await;
        let status = data.and_then(object).map_err(of(node))?;
        facts.node_status = Some(convert::node_status(node, status));
        Ok(())
    }

    async fn temperatures(self: &Arc<Self>, nodes: &[NodeName], deadline: Instant, facts: &mut Facts) -> Answered {
        let Some(sensors) = &self.sensors else {
            return Err(ApiError::new(
                GapReason::NotConfigured,
                "there is no [cluster.sensors]; docs/cluster.md says how to set it up",
            )
            .into());
        };
        let view = self.view().await.ok();
        let nodes: Vec<NodeName> = match (&view, nodes) {
            (Some(view), []) => view.cluster.nodes.iter().map(|n| n.name.clone()).collect(),
            (None, []) => self.api.nodes().cloned().collect(),
            (_, named) => named.to_vec(),
        };
        let asked = nodes.into_iter().map(|node| {
            let view = view.as_ref();
            async move {
                let there = view.map_or(Ok(()), |view| view.there(&node));
                let celsius = match there {
                    Ok(()) => sensors.hottest(&node, deadline).await.map_err(of(&node)),
                    Err(unknown) => Err(unknown),
                };
                (node, celsius)
            }
        });
        let mut temperatures = Vec::new();
        for (node, celsius) in join_all(asked).await {
            let celsius = celsius.unwrap_or_else(|unknown| {
                let read = Read::Temperatures { nodes: Vec::new() };
                facts.gaps.push(gap(&read, Some(node.clone()), unknown.error));
                None
            });
            temperatures.push((node, celsius));
        }
        facts.temperatures = Some(temperatures);
        Ok(())
    }

    async fn guest_config(self: &Arc<Self>, vmid: Vmid, deadline: Instant, facts: &mut Facts) -> Answered {
        let config = self.of_guest(vmid, "config", deadline).await?;
        let config = object(config)?;
        facts.guest_config = Some(convert::guest_config(vmid, config));
        Ok(())
    }

    async fn snapshots(self: &Arc<Self>, vmid: Vmid, deadline: Instant, facts: &mut Facts) -> Answered {
        let snapshots = self.of_guest(vmid, "snapshot", deadline).await?;
        facts.snapshots = Some(convert::snapshots(elements(snapshots)?));
        Ok(())
    }

    /// A guest's `path`, asked of the node it is on.
    async fn of_guest(self: &Arc<Self>, vmid: Vmid, path: &str, deadline: Instant) -> Result<Value, Unknown> {
        let view = self.view().await?;
        let guest = view.cluster.guests.iter().find(|guest| guest.vmid == vmid);
        let guest = guest.ok_or_else(|| ApiError::new(GapReason::Missing, format!("there is no guest {vmid}")))?;
        view.there(&guest.node)?;
        let kind = match guest.kind {
            GuestKind::Vm => "qemu",
            GuestKind::Container => "lxc",
        };
        let path = format!("/nodes/{}/{kind}/{vmid}/{path}", guest.node);
        let answer = self.api.get(Some(&guest.node), &path, deadline).await;
        answer.map_err(of(&guest.node))
    }

    async fn tasks(self: &Arc<Self>, deadline: Instant, facts: &mut Facts) -> Answered {
        let (view, tasks) = tokio::join!(self.view(), self.list(deadline, "/cluster/tasks"));
        let mut tasks = convert::tasks(tasks?);
        // A task that ran when its node died runs no more, and nobody knows how it ended.
        for task in &mut tasks {
            let there = view.as_ref().map_or(Ok(()), |view| view.there(&task.node));
            if task.end == TaskEnd::Running && there.is_err() {
                task.end = TaskEnd::Unknown(task.started);
            }
        }
        facts.tasks = Some(tasks);
        Ok(())
    }

    async fn backups(self: &Arc<Self>, deadline: Instant, facts: &mut Facts) -> Answered {
        let view = self.view().await?;
        let asked = view.backup_places.iter().map(|place| {
            let view = &view;
            async move {
                view.there(&place.node)?;
                let BackupPlace { node, storage } = place;
                let path = format!("/nodes/{node}/storage/{storage}/content?content=backup");
                let content = self.api.get(Some(node), &path, deadline).await;
                let content = content.and_then(elements).map_err(of(node))?;
                Ok(convert::backups(place, content))
            }
        });
        let backups: Vec<Result<_, Unknown>> = join_all(asked).await;
        let mut found = Vec::new();
        let mut heard = backups.is_empty();
        for backups in backups {
            match backups {
                Ok(backups) => {
                    heard = true;
                    found.extend(backups);
                }
                Err(Unknown { node, error }) => facts.gaps.push(gap(&Read::Backups, node, error)),
            }
        }
        if heard && found.is_empty() {
            self.may_see_backups(deadline).await?;
        }
        found.sort_by_key(|backup| std::cmp::Reverse((backup.taken, backup.vmid)));
        facts.backups = heard.then_some(found);
        Ok(())
    }

    /// Fails where an empty list of backups only means that the token may not see any: the API leaves those out without a word.
    async fn may_see_backups(&self, deadline: Instant) -> Answered {
        if rights::held(&self.api, deadline).await?.sees_backups() {
            return Ok(());
        }
        Err(ApiError::new(
            GapReason::Forbidden,
            "the token may not see backups: it lacks VM.Backup on /vms or Datastore.AllocateSpace on their storage (docs/cluster.md)",
        )
        .into())
    }

    async fn replication(self: &Arc<Self>, deadline: Instant, facts: &mut Facts) -> Answered {
        let view = self.view().await?;
        let asked = view.cluster.nodes.iter().map(|node| {
            let (node, view) = (&node.name, &view);
            async move {
                view.there(node)?;
                let path = format!("/nodes/{node}/replication");
                let jobs = self.api.get(Some(node), &path, deadline).await;
                let jobs = jobs.and_then(elements).map_err(of(node))?;
                Ok(convert::replication(node, jobs))
            }
        });
        let answers: Vec<Result<_, Unknown>> = join_all(asked).await;
        let mut jobs = Vec::new();
        let mut heard = false;
        for answer in answers {
            match answer {
                Ok(of_node) => {
                    heard = true;
                    jobs.extend(of_node);
                }
                Err(Unknown { node, error }) => {
                    facts.gaps.push(gap(&Read::Replication, node, error));
                }
            }
        }
        jobs.sort_by(|a, b| a.id.cmp(&b.id));
        jobs.dedup_by(|a, b| a.id == b.id);
        facts.replication = heard.then_some(jobs);
        Ok(())
    }

    async fn version(&self, deadline: Instant, facts: &mut Facts) -> Answered {
        let data = self.api.get(None, "/version", deadline).await?;
        let version: wire::Version = object(data)?;
        facts.version = version.version;
        Ok(())
    }

    async fn list<T: DeserializeOwned>(&self, deadline: Instant, path: &str) -> Result<Vec<T>, Unknown> {
        let data = self.api.get(None, path, deadline).await?;
        Ok(elements(data)?)
    }
}

impl View {
    /// Fails where the cluster says, or cannot say, that `node` is not there: asking it would only cost the time limit.
    fn there(&self, node: &NodeName) -> Answered {
        let known = self.cluster.nodes.iter().find(|n| n.name == *node);
        let (reason, what) = match known.map(|n| n.presence) {
            Some(Presence::Online) => return Ok(()),
            Some(Presence::Offline) => (GapReason::NodeUnknown, "is offline"),
            Some(Presence::Unknown) => (GapReason::NodeUnknown, "is out of the cluster's sight"),
            None => (GapReason::Missing, "is no member of the cluster"),
        };
        Err(Unknown { node: Some(node.clone()), error: ApiError::new(reason, format!("{node} {what}")) })
    }
}

fn view(resources: Value, status: Result<Value, ApiError>) -> Result<View, ApiError> {
    let resources: Vec<wire::Resource> = elements(resources)?;
    let mut gaps = Vec::new();
    let status: Option<Vec<wire::StatusEntry>> = match status.and_then(elements) {
        Ok(status) => Some(status),
        Err(error) => {
            // Lists of a token without rights are filtered, not refused: nothing listed does not mean that there is nothing.
            let kinds = ["qemu", "lxc", "storage"].map(|kind| Some(kind.to_owned()));
            let sees_something = resources.iter().any(|r| kinds.contains(&r.kind));
            if error.reason == GapReason::Forbidden && !sees_something {
                return Err(error);
            }
            gaps.push(gap(&Read::Cluster, None, error));
            None
        }
    };
    let cluster = convert::cluster(&resources, status.as_deref(), now());
    let absent = cluster.nodes.iter().filter(|n| n.presence != Presence::Online);
    gaps.extend(absent.map(|node| Gap {
        read: Read::Cluster.name().to_owned(),
        node: Some(node.name.clone()),
        reason: GapReason::NodeUnknown,
        detail: format!("{} does not answer; what runs there is unknown", node.name),
    }));
    let backup_places = convert::backup_places(&resources, &cluster);
    Ok(View { cluster, backup_places, gaps })
}

/// Why a read brought nothing, or nothing of one node.
struct Unknown {
    node: Option<NodeName>,
    error: ApiError,
}

type Answered = Result<(), Unknown>;

impl From<ApiError> for Unknown {
    fn from(error: ApiError) -> Self {
        Self { node: None, error }
    }
}

fn of(node: &NodeName) -> impl Fn(ApiError) -> Unknown {
    |error| Unknown { node: Some(node.clone()), error }
}

fn gap(read: &Read, node: Option<NodeName>, error: ApiError) -> Gap {
    Gap { read: read.name().to_owned(), node, reason: error.reason, detail: error.detail }
}

pub(super) fn object<T: DeserializeOwned>(data: Value) -> Result<T, ApiError> {
    serde_json::from_value(data)
        .map_err(|error| ApiError::new(GapReason::Failed, format!("unexpected answer: {error}")))
}

pub(super) fn elements<T: DeserializeOwned>(data: Value) -> Result<Vec<T>, ApiError> {
    wire::list(data).ok_or_else(|| ApiError::new(GapReason::Failed, "unexpected answer: it is no list"))
}
