//! Words that decide: what a password is said to be, what stands for a value that is not there.

/// Words of a language or a notation, in lower case, separated by spaces.
pub(super) struct Words(&'static str);

impl Words {
    /// Whether the word is among them, in any case.
    pub fn has(&self, word: &str) -> bool {
        !word.is_empty() && self.0.split(' ').any(|w| w == word || (w.len() == word.len() && w == word.to_lowercase()))
    }

    /// Whether the text begins with one of them, in any case.
    pub fn begin(&self, text: &str) -> bool {
        self.0.split(' ').any(|w| text.get(..w.len()).is_some_and(|head| head.eq_ignore_ascii_case(w)))
    }

    /// Whether the word ends with one of them.
    pub fn end(&self, word: &str) -> bool {
        self.0.split(' ').any(|w| word.ends_with(w))
    }
}

/// Words after which the secret stands.
pub(super) const COPULAS: Words = Words("is was are be to lautet ist war est es era é è jest это は 是 equals");

/// Words that may stand between a copula and the secret.
pub(super) const ADVERBS: Words =
    Words("now still currently simply just always again set changed to called jetzt maintenant ahora user username");

/// What is said of a password that is none.
pub(super) const STATES: Words = Words(
    "wrong right correct required empty weak strong short long longer too not now the a an in on at by for from of \
    with without under up and or as only also never still already always your my his her our their its this that \
    same secret safe secure insecure plain kept set reset lost known unknown new old here there gone fine good bad \
    okay ok sent due ready easy hard unique simple complex blank mine yours shown hidden built sticky case something \
    nothing everything what which who where when how why it he she they we you one two three worth enough different \
    public private obvious no yes about all any some well given taken written broken stolen forgotten chosen used \
    spelled typed needed over out off null void rubbish sure to",
);

/// Words that sentences need and passphrases do without.
pub(super) const FUNCTIONS: Words = Words(
    "the a an of in on at by for from with to is are was be been not that this it as or if than your my you i we they \
    he she must can will has have had when which who every any all no yet anymore today yesterday tomorrow again now \
    here there too very policy security enough characters days",
);

/// What numbers near a password count.
pub(super) const UNITS: Words =
    Words("characters character chars bits bytes digits days hours minutes seconds words times years weeks months");

/// Ends of words that say what a password is like.
pub(super) const STATE_ENDS: Words = Words("ed ing able ible ful less ous ive al ant ent ary ory ly ic");

/// Values that say that there is none, name a type, or stand for one that people fill in; lower case, without punctuation around.
pub(super) const NO_VALUES: Words = Words(
    "null none nil true false yes no on off undefined n/a empty unset default string str text varchar int integer \
    bool boolean bytes object any required optional hidden masked redacted removed secret password passwd pass pw \
    pwd token key value changeme change example placeholder todo tbd random r autogen generated prompt ask stdin \
    input enabled disabled username user uuid keyring file env vault data expired invalid failed wrong missing \
    unknown denied ok rotated mandatory",
);

/// Beginnings of values that only say where the value is.
pub(super) const REFERENCES: Words = Words(
    "${ $( $__ %( %{ %s {{ {% < [ !vault !secret !ref !sub enc[ vault: op:// env: env. file: secret:// ssm: arn: \
    process.env os.environ http:// https:// your insert replace enter- put- ~/ ./ ../ & * ? ... … @ name= | ssh- \
    age1 \\",
);

/// Words that stand in a description and not in a passphrase.
pub(super) const DESCRIBING: Words = Words("the of your must please enter should will optional user's");
