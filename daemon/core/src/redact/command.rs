//! Commands that take a secret under an option whose name does not say so: `sshpass -p`, `curl -u`, `mysql -p`.

use super::Kind;
use super::context::{Expect, Reach};
use super::reader::{Pairs, Reader, is_word};
use super::scan::{Look, Match};
use super::value;

/// A command, and where it takes a secret.
pub(super) struct Command {
    /// Its name, or how a family of names begins.
    name: &'static str,
    /// Its options.
    options: &'static [&'static str],
    shape: Shape,
    kind: Kind,
}

/// How the secret hangs on its option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `-p secret`.
    Next,
    /// `-psecret`.
    Glued,
    /// `-u user:secret`, `-U user%secret`.
    Behind(char),
    /// `pass:secret`.
    Prefixed,
    /// The word behind the option's own argument: `-b file user secret`.
    Third,
}

const fn command(name: &'static str, options: &'static [&'static str], shape: Shape, kind: Kind) -> Command {
    Command { name, options, shape, kind }
}

use Kind::{ApiToken, CodeSeed, Password};
use Shape::{Behind, Glued, Next, Prefixed, Third};

/// Every command: one line each.
pub(super) const COMMANDS: &[Command] = &[
    command("sshpass", &["-p"], Next, Password),
    command("curl", &["-u", "--user", "-U", "--proxy-user"], Behind(':'), Password),
    command("http", &["-a", "--auth"], Behind(':'), Password),
    command("mysql", &["-p"], Glued, Password),
    command("mariadb", &["-p"], Glued, Password),
    command("docker login", &["-p"], Next, Password),
    command("podman login", &["-p"], Next, Password),
    command("ldapsearch", &["-w"], Next, Password),
    command("ldapadd", &["-w"], Next, Password),
    command("ldapmodify", &["-w"], Next, Password),
    command("ldappasswd", &["-w", "-s"], Next, Password),
    command("ldapwhoami", &["-w"], Next, Password),
    command("smbclient", &["-U"], Behind('%'), Password),
    command("rpcclient", &["-U"], Behind('%'), Password),
    command("ipmitool", &["-P"], Next, Password),
    command("mosquitto_pub", &["-P"], Next, Password),
    command("mosquitto_sub", &["-P"], Next, Password),
    command("snmpwalk", &["-A", "-X"], Next, Password),
    command("snmpget", &["-A", "-X"], Next, Password),
    command("redis-cli", &["-a"], Next, Password),
    command("oathtool", &["-b"], Next, CodeSeed),
    command("openssl", &["pass:"], Prefixed, Password),
    command("htpasswd", &["-b", "-bc", "-cb", "-bB", "-Bb"], Third, Password),
    command("set_password", &["vnc", "spice"], Next, Password),
    command("node.session.auth.password", &["-v"], Next, Password),
    command("node.session.auth.password_in", &["-v"], Next, Password),
    command("discovery.sendtargets.auth.password", &["-v"], Next, Password),
    command("cargo", &["login"], Next, ApiToken),
    command("doctl", &["-t"], Next, ApiToken),
];

/// Filters [`COMMANDS`].
static OPENINGS: Pairs = {
    let mut pairs = Pairs::none();
    let mut n = 0;
    while n < COMMANDS.len() {
        pairs = pairs.beginning(COMMANDS[n].name);
        n += 1;
    }
    pairs
};

/// How far the options of a command reach: to the end of its line.
const REACH: Reach = Reach::Lines(0);

/// The command that is named here, and how far its options are expected.
pub(super) fn named(look: &Look<'_>) -> Option<(Expect, Reach)> {
    if look.before.is_some_and(|c| is_word(c) || matches!(c, '-' | '.')) || !OPENINGS.may_begin(look.reader) {
        return None;
    }
    let index = COMMANDS.iter().position(|c| {
        let mut reader = look.reader;
        let family = c.shape == Glued;
        reader.eat_exact(c.name) && (reader.eat(' ') || (family && reader.eat_if(char::is_alphabetic).is_some()))
    })?;
    Some((Expect::Command(index), REACH))
}

/// The secret of the option that begins here.
pub(super) fn find(look: &Look<'_>) -> Option<Match> {
    let command = &COMMANDS[look.context.command()?];
    if !look.before.is_none_or(char::is_whitespace) && command.shape != Prefixed {
        return None;
    }
    command.options.iter().find_map(|option| {
        let mut reader = look.reader;
        if !reader.eat_exact(option) {
            return None;
        }
        secret(command, reader)
    })
}

fn secret(command: &Command, mut reader: Reader<'_>) -> Option<Match> {
    match command.shape {
        Shape::Next => {
            if !reader.eat('=') && reader.spaces(8) == 0 {
                return None;
            }
        }
        Shape::Glued => {
            if reader.peek().is_none_or(char::is_whitespace) {
                return None;
            }
        }
        Shape::Prefixed => {}
        Shape::Third => {
            for _ in 0..2 {
                reader.spaces(8);
                reader.take(200, |c| !c.is_whitespace());
            }
            reader.spaces(8);
        }
        Shape::Behind(separator) => {
            if !reader.eat('=') && reader.spaces(8) == 0 {
                return None;
            }
            let quote = reader.eat_if(|c| c == '"' || c == '\'');
            reader.take(80, |c| !c.is_whitespace() && c != separator && c != '"' && c != '\'');
            if !reader.eat(separator) {
                return None;
            }
            if let Some(quote) = quote {
                let secret = value::read_to(&mut reader, quote)?;
                return (!value::is_no_value(&secret)).then(|| secret.secret(command.kind));
            }
        }
    }
    let secret = value::read(&mut reader)?;
    let option = !secret.quoted && secret.text.starts_with('-');
    (!option && !value::is_no_value(&secret)).then(|| secret.secret(command.kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_hides_another() {
        for (n, command) in COMMANDS.iter().enumerate() {
            assert!(COMMANDS[..n].iter().all(|c| c.name != command.name), "{}", command.name);
        }
    }
}
