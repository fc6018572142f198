//! What the doctor finds of models: what each provider offers, whether it is asked, and the money.

use std::sync::Arc;

use jarvis_core::costs::Level;
use jarvis_core::mind::models::Models;

use super::Finding;
use crate::mind::{Catalogue, Minds, MindsConfig, MindsStatus, Provider};

/// Models of a provider that are named; the rest is counted.
const NAMED_MAX: usize = 8;

/// Of a running daemon.
pub(super) async fn live(minds: &Minds) -> Vec<Finding> {
    let status = minds.status().await;
    let providers: Vec<_> = minds.providers().cloned().collect();
    let mut found = offers(&providers).await;
    found.extend(standing(&status));
    found.extend(money(minds, &status));
    found
}

/// Where no daemon runs.
pub(super) async fn alone(config: &MindsConfig) -> Vec<Finding> {
    let catalogue = match Models::built_in() {
        Ok(models) => Catalogue::new(models),
        Err(error) => {
            return vec![Finding::problem("minds", error.to_string(), "this is a fault of the program; report it")];
        }
    };
    match config.providers(&catalogue) {
        Ok(providers) => offers(&providers).await,
        Err(error) => vec![Finding::problem("minds", format!("{}: {}", error.name, error.what), error.remedy)],
    }
}

/// Asks each what it offers, all at once.
async fn offers(providers: &[Arc<dyn Provider>]) -> Vec<Finding> {
    let asked = providers.iter().map(|provider| async move { offer(&**provider).await });
    futures_util::future::join_all(asked).await
}

async fn offer(provider: &dyn Provider) -> Finding {
    let (name, model) = (provider.name(), provider.model());
    let offered = match provider.models().await {
        Ok(offered) => offered,
        Err(error) => {
            let said = if error.detail.is_empty() { String::new() } else { format!(" - {}", error.detail) };
            return Finding::problem("minds", format!("{name}: {}{said}", error.fault), error.fault.remedy());
        }
    };
    let named: Vec<&str> = offered.iter().take(NAMED_MAX).map(|found| found.id.as_str()).collect();
    let more = offered.len().saturating_sub(NAMED_MAX);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let list = if named.is_empty() { "no model".to_owned() } else { format!("{}{more}", named.join(", ")) };
    let is_there =
        offered.iter().any(|found| found.id == *model || found.id.as_str().starts_with(&format!("{model}-")));
    if is_there {
        Finding::good("minds", format!("{name} offers {list}"))
    } else {
        // Servers of one model often call it otherwise, and answer all the same.
        Finding::note(
            "minds",
            format!("{name} offers {list}, and not {model}"),
            "correct `model` if it does not answer",
        )
    }
}

/// Who is left alone, whose price nobody said, and what was learnt of a model.
fn standing(status: &MindsStatus) -> Vec<Finding> {
    let mut found = Vec::new();
    for mind in &status.minds {
        if let Some(day) = mind.listed.day {
            let told = format!(
                "{}: {} has a window of {} tokens, by its list of {day}",
                mind.name, mind.model, mind.window_tokens
            );
            found.push(Finding::good("minds", told));
        }
        if !mind.asked {
            let remedy = "it is tried again by itself; the journal has its failures";
            found.push(Finding::problem("minds", format!("{} is {}", mind.name, mind.circuit), remedy));
        }
        if !mind.price_known {
            let what = format!("nobody said what {} ({}) costs, so it is not asked", mind.name, mind.model);
            let remedy = "write it into its entry: price = { input = ..., output = ..., cache_write_5m = ..., cache_write_1h = ..., \
                          cache_read = ... }, in micro-dollars per million tokens";
            found.push(Finding::problem("minds", what, remedy));
        }
    }
    found
}

fn money(minds: &Minds, status: &MindsStatus) -> Option<Finding> {
    if minds.is_empty() {
        return None;
    }
    let Some(spent) = status.spent else {
        return Some(Finding::problem(
            "budget",
            "what was spent is not known, so nothing is bought",
            "see what is said of the store",
        ));
    };
    let caps = minds.books().caps();
    let told = format!("{} of {} spent today, {} of {} this month", spent.day, caps.day, spent.month, caps.month);
    let worst = caps.levels(&spent).into_iter().map(|(_, level)| level).max().unwrap_or(Level::Fine);
    let remedy = "raise day_usd or month_usd in [minds.budget], or wait";
    Some(match worst {
        Level::Fine => Finding::good("budget", told),
        Level::Warned => Finding::note("budget", told, remedy),
        Level::Spent => Finding::problem("budget", format!("{told}: models in the house answer alone"), remedy),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Level as Grade;
    use super::*;
    use crate::mind::{CapsLine, Listed, MindLine, Place};

    #[test]
    fn who_is_not_asked_is_told_with_a_remedy() {
        let line = |name: &str, asked, price_known| MindLine {
            name: name.to_owned(),
            model: "m".to_owned(),
            place: Place::Cloud,
            circuit: "left alone for 12 s".to_owned(),
            asked,
            price_known,
            window_tokens: 4096,
            listed: Listed::default(),
        };
        let mut minds = vec![line("a", true, true), line("b", false, true), line("c", true, false)];
        minds[0].listed.day = Some("2026-11-26".parse().unwrap());
        let found = standing(&MindsStatus { minds, spent: None, caps: CapsLine { day: 1, month: 1 } });
        let told: Vec<&str> = found.iter().map(|f| f.what.as_str()).collect();
        assert_eq!(
            told,
            [
                "a: m has a window of 4096 tokens, by its list of 2026-11-26",
                "b is left alone for 12 s",
                "nobody said what c (m) costs, so it is not asked"
            ]
        );
        assert!(found[2].remedy.contains("price = {"));
    }

    #[tokio::test]
    async fn a_provider_that_does_not_answer_is_told_with_its_own_remedy() {
        let text = "[[providers]]\nkind = 'openai'\nurl = 'http://127.0.0.1:1/v1'\nmodel = 'x'\n[[providers]]\nkind = 'claude'\nmodel = 'y'";
        let found = alone(&toml::from_str(text).unwrap()).await;
        assert_eq!(found.iter().map(|f| f.level).collect::<Vec<_>>(), [Grade::Problem; 2]);
        assert!(
            found[0].what.contains("nobody answers there") && found[0].remedy.contains("start the server"),
            "{:?}",
            found[0]
        );
        assert!(found[1].what.contains("no API key"), "{:?}", found[1]);
        let wrong = alone(&toml::from_str("[[providers]]\nkind = 'openai'\nurl = 'x'\nmodel = 'x'").unwrap()).await;
        assert_eq!((wrong.len(), wrong[0].level), (1, Grade::Problem));
    }
}
