//! What systemd is told: ready, a line of status, signs of life, stopping. The only place that calls libsystemd.

use std::time::Duration;

use systemd::daemon::{STATE_READY, STATE_STATUS, STATE_STOPPING, STATE_WATCHDOG, notify};

use crate::environment::Environment;

/// Tells systemd, where it wants to be told; else does nothing.
#[derive(Debug, Clone)]
pub struct Notifier {
    wanted: bool,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// As the environment says.
    pub fn new(environment: &Environment) -> Self {
        let wanted = environment.notify_socket.is_some();
        Self { wanted, watchdog: environment.watchdog.filter(|_| wanted) }
    }

    /// Start-up is done; `status` is what `systemctl status` shows.
    pub fn ready(&self, status: &str) {
        self.tell(&[(STATE_STATUS, one_line(status)), (STATE_READY, "1".to_owned())]);
    }

    /// The way down has begun.
    pub fn stopping(&self) {
        self.tell(&[(STATE_STOPPING, "1".to_owned())]);
    }

    /// Gives signs of life for as long as there is progress to report: `progress` asks the owner tasks to answer, and must do so within a
    /// quarter of systemd's interval. Where one does not, no sign is given, and systemd restarts the daemon. Returns only where no
    /// watchdog is wanted; then at once.
    pub async fn watchdog(&self, mut progress: impl AsyncFnMut() -> Result<(), String>) {
        let Some(interval) = self.watchdog else { return };
        let mut clock = tokio::time::interval(interval / 3);
        loop {
            clock.tick().await;
            match tokio::time::timeout(interval / 4, progress()).await {
                Ok(Ok(())) => self.tell(&[(STATE_WATCHDOG, "1".to_owned())]),
                Ok(Err(stuck)) => tracing::error!(%stuck, "no sign of life given to systemd"),
                Err(_) => tracing::error!("no sign of life given to systemd: a part does not answer"),
            }
        }
    }

    fn tell(&self, state: &[(&'static str, String)]) {
        if !self.wanted {
            return;
        }
        match notify(state.iter()) {
            Ok(true) => {}
            Ok(false) => tracing::debug!("systemd does not listen"),
            Err(error) => tracing::warn!(%error, "systemd could not be told"),
        }
    }
}

/// A line break would begin another of systemd's variables.
fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}
