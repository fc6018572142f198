//! Tokens that carry their issuer's name: whoever issues them made them to be recognised.

use super::Kind;
use super::reader::{Pairs, Reader, is_word};
use super::run::{Class, Run};
use super::scan::{Look, Match};

/// A form of token.
struct Form {
    /// How it begins.
    prefix: &'static str,
    /// What follows.
    class: Class,
    /// Characters that follow at least.
    min: usize,
    kind: Kind,
    keeps: Keeps,
}

/// What of it is the secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// All of it.
    Nothing,
    /// What follows the prefix.
    Prefix,
    /// What follows the prefix and the next `/`.
    PrefixAndId,
}

const fn token(prefix: &'static str, class: Class, min: usize) -> Form {
    Form { prefix, class, min, kind: Kind::ApiToken, keeps: Keeps::Nothing }
}

const fn of(kind: Kind, keeps: Keeps, prefix: &'static str, class: Class, min: usize) -> Form {
    Form { prefix, class, min, kind, keeps }
}

use Class::{Dotted, Hex, Solid, Token, Upper};

/// Every form: one line each.
const FORMS: &[Form] = &[
    // models
    token("sk-ant-", Token, 20),
    token("sk-proj-", Token, 20),
    token("sk-or-", Token, 20),
    token("sk-svcacct-", Token, 20),
    token("sk-admin-", Token, 20),
    token("sk-", Token, 32),
    token("gsk_", Token, 30),
    token("hf_", Token, 30),
    token("r8_", Token, 30),
    token("xai-", Token, 40),
    token("pplx-", Token, 30),
    token("api_org_", Token, 30),
    // code and packages
    token("ghp_", Token, 30),
    token("gho_", Token, 30),
    token("ghu_", Token, 30),
    token("ghs_", Token, 30),
    token("ghr_", Token, 30),
    token("github_pat_", Token, 30),
    token("glpat-", Dotted, 20),
    token("gldt-", Token, 20),
    token("glrt-", Dotted, 20),
    token("glcbt-", Token, 20),
    token("glptt-", Token, 20),
    token("glsoat-", Token, 20),
    token("npm_", Token, 30),
    token("pypi-AgE", Token, 40),
    token("cio", Class::Alphanumeric, 32),
    token("dckr_pat_", Token, 20),
    token("dckr_oat_", Token, 20),
    // clouds
    token("AKIA", Upper, 16),
    token("ASIA", Upper, 16),
    token("ABIA", Upper, 16),
    token("AIza", Token, 35),
    token("ya29.", Dotted, 20),
    token("GOCSPX-", Token, 20),
    token("dop_v1_", Hex, 32),
    token("doo_v1_", Hex, 32),
    token("pk1_", Hex, 40),
    token("sk1_", Hex, 40),
    token("eyJhIjoi", Class::Base64, 100),
    token("hvs.", Token, 20),
    token("hvb.", Token, 20),
    token("hvr.", Token, 20),
    token("tskey-", Token, 20),
    token("ops_eyJ", Class::Base64, 40),
    token("dp.pt.", Token, 30),
    token("dapi", Hex, 32),
    token("shpat_", Hex, 32),
    token("fm1r_", Class::Base64, 40),
    token("fm2_", Class::Base64, 40),
    token("sgp_", Token, 36),
    token("ico-", Token, 30),
    token("EAAM", Class::Alphanumeric, 60),
    token("EAAC", Class::Alphanumeric, 60),
    token("sq0csp-", Token, 30),
    token("sq0atp-", Token, 20),
    token("PMAK-", Token, 30),
    token("pscale_tkn_", Dotted, 30),
    token("rubygems_", Hex, 40),
    token("A3-", Token, 36),
    token("sbp_", Hex, 32),
    token("NRAK-", Upper, 20),
    token("sntrys_", Class::Base64, 40),
    // watching and telling
    token("glsa_", Token, 30),
    token("glc_eyJ", Class::Base64, 30),
    token("tk_", Class::Alphanumeric, 29),
    token("xoxb-", Token, 20),
    token("xoxp-", Token, 20),
    token("xoxa-", Token, 20),
    token("xoxs-", Token, 20),
    token("xoxe", Dotted, 20),
    token("xapp-", Token, 20),
    token("SG.", Dotted, 40),
    token("key-", Hex, 32),
    token("lin_api_", Token, 30),
    token("ntn_", Token, 40),
    of(Kind::Webhook, Keeps::Prefix, "hooks.slack.com/services/", Solid, 20),
    of(Kind::Webhook, Keeps::Prefix, "hooks.slack.com/workflows/", Solid, 20),
    of(Kind::Webhook, Keeps::PrefixAndId, "discord.com/api/webhooks/", Token, 30),
    of(Kind::Webhook, Keeps::PrefixAndId, "discordapp.com/api/webhooks/", Token, 30),
    of(Kind::Webhook, Keeps::Prefix, "webhook.office.com/webhookb2/", Solid, 30),
    // money
    token("sk_live_", Token, 16),
    token("sk_test_", Token, 16),
    token("rk_live_", Token, 16),
    token("rk_test_", Token, 16),
    token("whsec_", Class::Base64, 24),
    // keys
    of(Kind::PrivateKey, Keeps::Nothing, "AGE-SECRET-KEY-1", Upper, 40),
    of(Kind::PrivateKey, Keeps::Nothing, "AGE-PLUGIN-", Token, 40),
    of(Kind::SharedKey, Keeps::Nothing, "K10", Hex, 64),
];

/// Filters [`FORMS`].
static OPENINGS: Pairs = {
    let mut pairs = Pairs::none();
    let mut n = 0;
    while n < FORMS.len() {
        pairs = pairs.beginning(FORMS[n].prefix);
        n += 1;
    }
    pairs
};

/// Detectors of tokens without a name: one line each.
const DETECTORS: &[fn(&Look<'_>) -> Option<Match>] = &[web_token, telegram, discord, azure];

pub(super) fn find(look: &Look<'_>) -> Option<Match> {
    if look.before.is_some_and(is_word) {
        return None;
    }
    let named = OPENINGS.may_begin(look.reader).then(|| FORMS.iter().find_map(|form| matches(form, look.reader)));
    named.flatten().or_else(|| DETECTORS.iter().find_map(|detect| detect(look)))
}

fn matches(form: &Form, mut reader: Reader<'_>) -> Option<Match> {
    if !reader.eat_exact(form.prefix) {
        return None;
    }
    if form.keeps == Keeps::PrefixAndId {
        let id = reader.take(24, |c| c.is_ascii_digit());
        if id.is_empty() || !reader.eat('/') {
            return None;
        }
    }
    let start = if form.keeps == Keeps::Nothing { 0 } else { reader.at() };
    let rest = reader.take(form.min, |c| form.class.has(c));
    let made = rest.contains(|c: char| c.is_ascii_digit()) || rest.contains(|c: char| c.is_ascii_uppercase());
    let run = match form.prefix {
        "K10" => Run::Chars(Class::Solid),
        _ => Run::Chars(form.class),
    };
    (rest.len() >= form.min && made).then(|| Match { kind: form.kind, start, end: reader.at(), run })
}

/// `header.claims.signature`, each base64 of JSON but the last.
fn web_token(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if look.before == Some('.') || !reader.eat_exact("eyJ") {
        return None;
    }
    let base64 = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if reader.take(1600, base64).len() < 8 || !reader.eat('.') {
        return None;
    }
    let claims = reader.take(16, base64).len();
    (claims == 16).then(|| Match { kind: Kind::WebToken, start: 0, end: reader.at(), run: Run::Chars(Class::Dotted) })
}

/// A Telegram bot's number and its key, with `bot` before it in addresses.
fn telegram(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    reader.eat_exact("bot");
    let start = reader.at();
    let number = reader.take(12, |c| c.is_ascii_digit()).len();
    if !(8..=10).contains(&number) || !reader.eat_exact(":AA") {
        return None;
    }
    let key = reader.take(33, |c| Class::Token.has(c)).len();
    (key == 33).then(|| Match { kind: Kind::ApiToken, start, end: reader.at(), run: Run::Chars(Class::Token) })
}

/// A Discord bot's token: its number in base64, a time, a signature.
fn discord(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if look.before == Some('.') || !reader.peek().is_some_and(|c| "MNO".contains(c)) {
        return None;
    }
    let lengths = [(23, 28), (6, 7), (27, 40)];
    for (n, (min, max)) in lengths.into_iter().enumerate() {
        if n > 0 && !reader.eat('.') {
            return None;
        }
        if !(min..=max).contains(&reader.take(max + 1, |c| Class::Token.has(c)).len()) {
            return None;
        }
    }
    let mixed = reader.since(0).contains(|c: char| c.is_ascii_digit());
    mixed.then(|| Match { kind: Kind::ApiToken, start: 0, end: reader.at(), run: Run::Chars(Class::Token) })
}

/// The secret of an Azure application: three characters, a digit, `Q~`.
fn azure(look: &Look<'_>) -> Option<Match> {
    let mut reader = look.reader;
    if reader.take(3, |c| c.is_ascii_alphanumeric()).len() != 3
        || !(reader.eat_if(|c| c.is_ascii_digit()).is_some() && reader.eat_exact("Q~"))
    {
        return None;
    }
    let rest = reader.take(31, |c| Class::Dotted.has(c) || c == '~').len();
    (rest >= 31).then(|| Match { kind: Kind::ApiToken, start: 0, end: reader.at(), run: Run::Chars(Class::Dotted) })
}
