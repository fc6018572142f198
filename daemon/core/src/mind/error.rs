//! Why a model did not answer, in kinds that a caller branches on, each with the remedy.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest part of a provider's own words that is kept, in bytes.
pub const MAX_DETAIL_BYTES: usize = 300;

/// A model that did not answer, or not to the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderError {
    /// Which provider, by its configured name.
    pub provider: String,
    /// What happened.
    pub fault: Fault,
    /// What provider or network said, on one line, at most [`MAX_DETAIL_BYTES`]. Untrusted.
    pub detail: String,
}

impl ProviderError {
    /// One of `provider`'s; `detail` is made one line and cut.
    pub fn new(provider: &str, fault: Fault, detail: &str) -> Self {
        let mut line = detail.split_whitespace().collect::<Vec<_>>().join(" ");
        line.truncate(line.floor_char_boundary(MAX_DETAIL_BYTES));
        Self { provider: provider.to_owned(), fault, detail: line }
    }

    /// Whether the same request may be sent again, as long as nothing of the answer had come.
    pub fn again(&self) -> Again {
        self.fault.again()
    }
}

impl std::error::Error for ProviderError {}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.provider, self.fault)?;
        if !self.detail.is_empty() {
            write!(f, " - {}", self.detail)?;
        }
        write!(f, "; {}", self.fault.remedy())
    }
}

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It would fail again, or cost again.
    Never,
    /// After a pause of our choice.
    Backoff,
    /// Not before the provider's own time, in milliseconds.
    NotBefore(u64),
}

/// What happened. Stored with the run that it ended: as `{"fault": "timeout", "of": "idle"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// There is no key to show.
    #[error("no API key")]
    NoKey,
    /// The key is not accepted.
    #[error("the API key is not accepted")]
    WrongKey,
    /// The key is good, but not for this.
    #[error("the API key may not do this")]
    Forbidden,
    /// No such model, or no such address at the server.
    #[error("no such model")]
    NoSuchModel,
    /// Too many requests or tokens.
    #[error("too many requests for now")]
    RateLimited {
        /// When to come again, in milliseconds from then.
        retry_after_ms: Option<u64>,
    },
    /// The provider has too much to do.
    #[error("the provider is overloaded")]
    Overloaded {
        /// When to come again, in milliseconds from then.
        retry_after_ms: Option<u64>,
    },
    /// A limit on money is reached.
    #[error("the account's spending limit is reached")]
    SpendLimit,
    /// The request is not understood; sending it again would not help.
    #[error("the request was refused as malformed")]
    BadRequest,
    /// It may not be paid for: the text says why.
    #[error("{0}")]
    Budget(#[serde(with = "of")] Unpaid),
    /// The conversation does not fit the model's window.
    #[error("the conversation is longer than the model's window")]
    ContextExceeded,
    /// Something was not in time.
    #[error("no {0} in time")]
    Timeout(#[serde(with = "of")] Waited),
    /// The way there is closed.
    #[error("{0}")]
    Unreachable(#[serde(with = "of")] Way),
    /// The answer broke off.
    #[error("the answer broke off")]
    BrokenStream,
    /// What came is no answer of such a server.
    #[error("the answer makes no sense")]
    Garbage,
    /// The answer passed a limit of ours, which this names.
    #[error("the answer is over the limit of {0}")]
    TooMuch(#[serde(with = "of")] String),
    /// The provider failed by its own account.
    #[error("the provider failed (status {status})")]
    Failed {
        /// HTTP status.
        status: u16,
    },
}

/// What a fault is of, beside its tag: a bare word cannot stand there.
mod of {
    use serde::ser::SerializeStruct;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    struct Of<T> {
        of: T,
    }

    pub(super) fn serialize<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Of", 1)?;
        fields.serialize_field("of", value)?;
        fields.end()
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        Ok(Of::deserialize(deserializer)?.of)
    }
}

/// Why a question may not be paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Unpaid {
    /// It might cost more than the day's allowance has left.
    #[error("the day's allowance does not cover it")]
    Day,
    /// It might cost more than the month's allowance has left.
    #[error("the month's allowance does not cover it")]
    Month,
    /// Nobody said what the model costs.
    #[error("the price of the model is not known")]
    NoPrice,
    /// The books can't be written, and nothing is bought that is not written down.
    #[error("the books can't be written")]
    NoBooks,
}

/// What was waited for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Waited {
    /// The connection.
    #[error("connection")]
    Connect,
    /// The first byte of the answer.
    #[error("first word")]
    FirstByte,
    /// The next byte.
    #[error("further word")]
    Idle,
}

/// Why a provider can't be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Its name can't be resolved.
    #[error("the provider's name can't be resolved")]
    Dns,
    /// Nobody listens there, or there is no route.
    #[error("nobody answers there")]
    Connect,
    /// Its certificate is not valid yet, or no longer: more often than not the own clock is wrong.
    #[error("the provider's certificate is not valid at this machine's time")]
    Clock,
    /// TLS failed otherwise.
    #[error("no trusted connection")]
    Tls,
}

impl Fault {
    /// Whether the same request may be sent again, as long as nothing of the answer had come.
    pub fn again(&self) -> Again {
        match self {
            Self::RateLimited { retry_after_ms } | Self::Overloaded { retry_after_ms } => {
                retry_after_ms.map_or(Again::Backoff, Again::NotBefore)
            }
            Self::Failed { .. } | Self::BrokenStream | Self::Timeout(Waited::Connect) => Again::Backoff,
            Self::Unreachable(Way::Connect | Way::Dns) => Again::Backoff,
            // The provider may be working on it, and would be paid twice.
            Self::Timeout(Waited::FirstByte | Waited::Idle) => Again::Never,
            Self::NoKey
            | Self::WrongKey
            | Self::Forbidden
            | Self::NoSuchModel
            | Self::SpendLimit
            | Self::BadRequest
            | Self::ContextExceeded
            | Self::Budget(_)
            | Self::Unreachable(Way::Clock | Way::Tls)
            | Self::Garbage
            | Self::TooMuch(_) => Again::Never,
        }
    }

    /// What the owner can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoKey => "give the provider a key_file in [minds] (a systemd credential, or a file of mode 0600)",
            Self::WrongKey => "put a valid key into the provider's key_file; keys can be revoked and expire",
            Self::Forbidden => "give the key the right to use this model, or configure another model",
            Self::NoSuchModel => "correct `model` and `url` of the provider; `jarvisctl doctor` lists what it offers",
            Self::RateLimited { .. } => "wait, or ask the provider for a higher limit",
            Self::Overloaded { .. } => "wait a little",
            Self::SpendLimit => "raise the limit at the provider, or wait for the next month",
            Self::Budget(Unpaid::Day) => "raise day_usd in [minds.budget], or wait for tomorrow",
            Self::Budget(Unpaid::Month) => "raise month_usd in [minds.budget], or wait for the next month",
            Self::Budget(Unpaid::NoPrice) => {
                "write its price into the provider's entry in [minds]: price = { input = ..., output = ... }"
            }
            Self::Budget(Unpaid::NoBooks) => "see what `jarvisctl doctor` says of the store",
            Self::BadRequest => "update Jarvis, or configure another model: this one does not take what is sent",
            Self::ContextExceeded => "begin a new conversation, or give the model a larger window",
            Self::Timeout(Waited::Connect) => "see that the provider's address is right and no firewall is between",
            Self::Timeout(_) => "see whether the model is still loading, or raise the provider's time limits",
            Self::Unreachable(Way::Dns) => {
                "check the network and the resolver (`resolvectl query` with the name in `url`)"
            }
            Self::Unreachable(Way::Connect) => "start the server, or correct the provider's `url`",
            Self::Unreachable(Way::Clock) => {
                "check the clock (`timedatectl`), and the server's certificate if it is right"
            }
            Self::Unreachable(Way::Tls) => {
                "see that `url` names the right server and its certificate is one this system trusts"
            }
            Self::BrokenStream => "ask again; if it happens often, look at the network between",
            Self::Garbage => "see that `url` and `kind` of the provider fit the server",
            Self::TooMuch(_) => "ask for less at once",
            Self::Failed { .. } => "wait a little; the provider's status page may say more",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_provider_fault_words_and_remedy() {
        let error = ProviderError::new("claude", Fault::WrongKey, "invalid\n  x-api-key");
        let text = "claude: the API key is not accepted - invalid x-api-key; \
                    put a valid key into the provider's key_file; keys can be revoked and expire";
        assert_eq!(error.to_string(), text);
        let long = ProviderError::new("x", Fault::Garbage, &"é".repeat(1000));
        assert!(long.detail.len() <= MAX_DETAIL_BYTES);
        let clock = ProviderError::new("claude", Fault::Unreachable(Way::Clock), "");
        assert!(clock.to_string().contains("check the clock"), "{clock}");
    }

    /// One of every kind; the match makes a new one be added.
    fn every_fault() -> Vec<Fault> {
        let all = [
            vec![Fault::NoKey, Fault::WrongKey, Fault::Forbidden, Fault::NoSuchModel, Fault::SpendLimit],
            vec![Fault::BadRequest, Fault::ContextExceeded, Fault::BrokenStream, Fault::Garbage],
            [None, Some(7)].map(|retry_after_ms| Fault::RateLimited { retry_after_ms }).into(),
            [None, Some(7)].map(|retry_after_ms| Fault::Overloaded { retry_after_ms }).into(),
            [Unpaid::Day, Unpaid::Month, Unpaid::NoPrice, Unpaid::NoBooks].map(Fault::Budget).into(),
            [Waited::Connect, Waited::FirstByte, Waited::Idle].map(Fault::Timeout).into(),
            [Way::Dns, Way::Connect, Way::Clock, Way::Tls].map(Fault::Unreachable).into(),
            vec![Fault::TooMuch("5 \"bytes\"".to_owned()), Fault::Failed { status: 503 }],
        ];
        let all = all.concat();
        let kinds = all.iter().map(|fault| match fault {
            Fault::NoKey => 0,
            Fault::WrongKey => 1,
            Fault::Forbidden => 2,
            Fault::NoSuchModel => 3,
            Fault::RateLimited { .. } => 4,
            Fault::Overloaded { .. } => 5,
            Fault::SpendLimit => 6,
            Fault::BadRequest => 7,
            Fault::Budget(_) => 8,
            Fault::ContextExceeded => 9,
            Fault::Timeout(_) => 10,
            Fault::Unreachable(_) => 11,
            Fault::BrokenStream => 12,
            Fault::Garbage => 13,
            Fault::TooMuch(_) => 14,
            Fault::Failed { .. } => 15,
        });
        assert_eq!(kinds.collect::<std::collections::BTreeSet<_>>().len(), 16);
        all
    }

    #[test]
    fn every_fault_comes_back_from_storage() {
        use crate::agent::End;
        for fault in every_fault() {
            let end = End::Broken { error: ProviderError::new("claude", fault, "a word") };
            let text = serde_json::to_string(&end).unwrap();
            assert_eq!(serde_json::from_str::<End>(&text).unwrap(), end, "{text}");
        }
    }

    #[test]
    fn what_was_stored_before_is_read_as_it_was() {
        let idle = serde_json::json!({"fault": "timeout", "of": "idle"});
        assert_eq!(serde_json::to_value(Fault::Timeout(Waited::Idle)).unwrap(), idle);
        for (text, fault) in [
            (r#"{"fault": "no_key"}"#, Fault::NoKey),
            (r#"{"fault": "rate_limited", "retry_after_ms": 7}"#, Fault::RateLimited { retry_after_ms: Some(7) }),
            (r#"{"fault": "overloaded", "retry_after_ms": null}"#, Fault::Overloaded { retry_after_ms: None }),
            (r#"{"fault": "failed", "status": 500}"#, Fault::Failed { status: 500 }),
        ] {
            assert_eq!(serde_json::from_str::<Fault>(text).unwrap(), fault, "{text}");
        }
    }

    #[test]
    fn what_would_fail_or_cost_again_is_not_tried_again() {
        for fault in [
            Fault::SpendLimit,
            Fault::WrongKey,
            Fault::BadRequest,
            Fault::ContextExceeded,
            Fault::Timeout(Waited::FirstByte),
            Fault::Garbage,
        ] {
            assert_eq!(fault.again(), Again::Never, "{fault}");
        }
        assert_eq!(Fault::RateLimited { retry_after_ms: Some(7) }.again(), Again::NotBefore(7));
        assert_eq!(Fault::Overloaded { retry_after_ms: None }.again(), Again::Backoff);
    }
}
