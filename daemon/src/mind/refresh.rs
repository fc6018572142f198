//! Asks providers for their lists of models: at the daemon's start, in the background, and once a day.

use std::time::Duration;

use jarvis_core::ids::UnixSeconds;

use super::Minds;

/// How often lists are asked for.
const EVERY: Duration = Duration::from_secs(86_400);
/// How soon again, where one did not come.
const AGAIN: Duration = Duration::from_secs(3_600);

impl Minds {
    /// Asks every provider for its list, all at once, and takes what it says into the catalogue; the next request goes by it. True where
    /// every list came. Each may take as long as a provider's list may take, and no money.
    pub async fn refresh(&self) -> bool {
        let lists = self.providers().map(|provider| async move { (provider, provider.models().await) });
        let lists = futures_util::future::join_all(lists).await;
        let now = UnixSeconds(jiff::Timestamp::now().as_second());
        let mut whole = true;
        for (provider, list) in lists {
            whole &= list.is_ok();
            self.catalogue().learn(provider.name(), provider.model(), list, now);
        }
        let catalogue = self.catalogue().clone();
        match tokio::task::spawn_blocking(move || catalogue.keep()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("what was learnt of models is not kept: {error}"),
            Err(error) => tracing::error!("keeping what was learnt of models broke: {error}"),
        }
        whole
    }
}

/// Goes on for ever; at once over where nobody can be asked.
pub(super) async fn keep_fresh(minds: Minds) {
    if minds.is_empty() {
        return;
    }
    loop {
        let wait = if minds.refresh().await { EVERY } else { AGAIN };
        tokio::time::sleep(wait).await;
    }
}
