//! Secrets are taken out before anything is kept.

use super::{Draft, Subject};

/// What was to be remembered is a secret itself: nothing is kept of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what was to be remembered is a secret; keep it in a password manager")]
pub struct Secret;

/// The draft without secrets. `redact` gives a text without the secrets in it, and `None` where it held none.
///
/// A secret in passing is cut out of the text; one that *is* the fact, or names it, makes the whole draft refused.
pub fn without_secrets(draft: Draft, redact: &dyn Fn(&str) -> Option<String>) -> Result<Draft, Secret> {
    let fact = &draft.fact;
    let topic = match &fact.subject {
        Subject::Topic(topic) => Some(topic),
        Subject::Node(_) | Subject::Guest(_) | Subject::Storage(_) => None,
    };
    let parts = [fact.value.as_ref(), fact.attribute.as_ref(), Some(&fact.label), topic];
    if parts.into_iter().flatten().any(|part| redact(part).is_some()) {
        return Err(Secret);
    }
    let Some(text) = redact(&fact.text) else { return Ok(draft) };
    // The text tells that it is one ("my password is x"), the value alone does not.
    if fact.value.as_ref().is_some_and(|value| !text.contains(value.as_str())) {
        return Err(Secret);
    }
    Ok(Draft { fact: super::Fact { text, ..draft.fact }, ..draft })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::testing::{NOW, reader};

    fn redact(text: &str) -> Option<String> {
        text.contains("hunter2").then(|| text.replace("hunter2", "[secret]"))
    }

    fn kept(text: &str) -> Result<Draft, Secret> {
        without_secrets(reader(NOW).told(text).unwrap_or_else(|| panic!("{text}")), &redact)
    }

    #[test]
    fn a_secret_in_passing_is_cut_out() {
        let draft = kept("the mail server must be told hunter2 when it starts").expect("the rest is kept");
        assert_eq!(draft.fact.text, "the mail server must be told [secret] when it starts");
    }

    #[test]
    fn a_secret_that_is_the_fact_is_refused() {
        for text in ["my wifi password is hunter2", "call vm 104 hunter2", "hunter2 is the key of the safe"] {
            assert_eq!(kept(text), Err(Secret), "{text}");
        }
    }

    #[test]
    fn what_holds_no_secret_is_kept_as_it_is() {
        let draft = kept("the router is at 192.168.1.1").expect("no secret");
        assert_eq!(draft.fact.text, "the router is at 192.168.1.1");
    }
}
