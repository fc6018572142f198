use super::*;

const FINGERPRINT: &str =
    "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:FF";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("jarvisd.toml"), &Environment::default())
}

/// The first mistake in `text`.
fn mistake(text: &str) -> Mistake {
    match parse(text) {
        Err(ConfigError::Wrong(mut all)) => all.remove(0),
        other => panic!("a mistake was due in {text:?}: {other:?}"),
    }
}

#[test]
fn an_empty_file_is_a_configuration() {
    let config = parse("").unwrap();
    assert_eq!(config.daemon, DaemonConfig::default());
    assert_eq!(config.speech.state_dir, config.daemon.state_dir);
    assert!(config.page.listen.ip().is_loopback());
}

/// The blocks of TOML in a document.
fn blocks(name: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)).unwrap();
    let blocks = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    blocks.collect()
}

#[test]
fn the_file_in_the_documents_is_the_default_one() {
    let blocks = blocks("configuration.md");
    assert_eq!(toml::from_str::<Config>(&blocks[0]).unwrap(), Config::default());
    let more: Config = toml::from_str(&blocks[1]).unwrap();
    assert_eq!((more.speech.engines.len(), more.safety.raise.len(), more.safety.leave.len()), (1, 1, 1));
}

#[test]
fn every_key_stands_in_a_document() {
    let documents = ["configuration.md", "cluster.md", "minds.md", "mcp.md", "memory.md"];
    let shown = documents.iter().flat_map(|name| blocks(name)).collect::<String>();
    let is_shown = |key: &str| shown.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == key);
    let mut keys = 0;
    for section in [
        "",
        "[daemon]",
        "[link]",
        "[cluster]",
        "[[cluster.nodes]]",
        "[cluster.sensors]",
        "[ear]",
        "[speech]",
        "[[speech.engines]]\nkind = 'openai'",
        "[minds]",
        "[[minds.providers]]\nkind = 'openai'",
        "[[minds.providers]]\nkind = 'claude'",
        "[minds.budget]",
        "[minds.route]",
        "[[minds.route.rules]]",
        "[mcp]",
        "[[mcp.servers]]",
        "[agent]",
        "[memory]",
        "[page]",
        "[safety]",
        "[[safety.raise]]",
        "[[safety.leave]]",
        "[retention]",
    ] {
        // The parser names all keys that would do.
        let told = toml::from_str::<Config>(&format!("{section}\nno_such_key = 1\n")).unwrap_err();
        assert!(told.message().starts_with("unknown field"), "{section}: {told}");
        for key in told.message().split('`').skip(3).step_by(2) {
            keys += 1;
            assert!(is_shown(key), "{section} {key} stands in no document");
        }
    }
    assert!(keys > 100, "{keys}");
}

#[test]
fn a_model_takes_down_what_was_said_unless_its_owner_says_no() {
    assert!(parse("").unwrap().memory.by_model);
    assert!(!parse("[memory]\nby_model = false").unwrap().memory.by_model);
}

#[test]
fn a_typo_is_told_with_file_line_and_nearest_key() {
    let cases = [
        ("[daemon]\n\n  state_dri = \"/x\"\n", 3, 3, "`state_dri`", "did you mean `state_dir`?"),
        ("[retntion]\n", 1, 2, "`retntion`", "did you mean `retention`?"),
        ("[retention]\ntranscript_days = 3", 2, 1, "`transcript_days`", "did you mean `transcripts_days`?"),
        ("[[cluster.nodes]]\nname = 'a'\nadress = 'b'", 3, 1, "`adress`", "did you mean `address`?"),
        (
            "[[cluster.nodes]]\nname = 'a'\naddress = 'b'\nfingerprint = 'AB:CD:...'",
            4,
            15,
            "no SHA-256 fingerprint",
            "docs/cluster.md",
        ),
        ("[page]\nquux = 1", 2, 1, "`quux`", "known here: "),
        ("[page]\nlisten = \"nowhere\"", 2, 10, "invalid socket address", "address and port"),
        ("[retention]\nturns_days = \"ten\"", 2, 14, "invalid type", "kind of value"),
        ("[retention]\nturns_days = 5000000000", 2, 14, "invalid value", "kind of value"),
        (
            "[[minds.providers]]\nkind = 'openai'\nmodel = 'x'\nurl = 'nowhere'",
            4,
            1,
            "no address of an API",
            "http://host:port/v1",
        ),
        ("[daemon\n", 1, 8, "", "correct this spot"),
        ("[page]\n[page]\n", 2, 2, "duplicate", "keep one"),
    ];
    for (text, line, column, what, remedy) in cases {
        let told = mistake(text);
        assert_eq!((told.line, told.column), (line, column), "{text:?}: {told}");
        assert!(told.what.contains(what), "{text:?}: {told}");
        assert!(told.remedy.contains(remedy), "{text:?}: {told}");
    }
}

#[test]
fn what_would_be_bent_or_fail_only_later_is_told_at_once() {
    let engine = "[[speech.engines]]\nkind = 'openai'\n";
    let node =
        format!("[[cluster.nodes]]\nname = 'a'\naddress = 'b'\nfingerprint = '{FINGERPRINT}'\nssh_host_key = 'AAAA'\n");
    assert!(parse(&node).is_ok(), "nobody needs the key for anything but [cluster.sensors]");
    let sensors = "[cluster.sensors]\nuser = 'a'\nkey_file = '/k'\n";
    let cases = [
        (format!("{node}{sensors}"), 5, "no line like", "ssh-keyscan"),
        ("[link]\nvolume_percent = 101\n".to_owned(), 2, "101 %", "0 to 100"),
        ("[cluster]\nwait_ms = 499\n".to_owned(), 2, "499 ms", "500 to 30000"),
        ("[cluster]\nwait_ms = 30001\n".to_owned(), 2, "30001 ms", "500 to 30000"),
        ("[speech]\nrate = 20\n".to_owned(), 2, "20 words", "80 to 450"),
        ("[speech]\npitch = 100\n".to_owned(), 2, "100", "0 to 99"),
        (format!("{engine}url = 'kokoro:8880'\n"), 3, "no address", "http://host:port/v1"),
        (format!("{engine}url = 'http://a/v1'\n{engine}url = 'ftp://b/v1'\n"), 6, "ftp://b/v1", "http://host:port/v1"),
        (format!("{engine}url = 'http://a/v1'\nspeed = 40.0\n"), 4, "speed", "0.25 to 4.0"),
        (format!("{engine}url = 'http://a/v1'\npcm_rate_hz = 24\n"), 4, "24 Hz", "24000"),
        (format!("{engine}url = 'http://a/v1'\nfirst_chunk_ms = 0\n"), 4, "no time", "milliseconds"),
    ];
    for (text, line, what, remedy) in cases {
        let told = mistake(&text);
        assert_eq!(told.line, line, "{text:?}: {told}");
        assert!(told.what.contains(what) && told.remedy.contains(remedy), "{text:?}: {told}");
    }
}

#[test]
fn the_room_of_other_programs_is_meant_however_its_name_is_written() {
    let config = parse("[mcp]\nroom = 'Living  Room'\n").unwrap();
    assert_eq!(config.mcp.room.as_deref(), Some("living room"));
}

#[test]
fn the_mark_stands_below_the_key() {
    let told = mistake("[daemon]\n\tstate_dri = \"/x\"\n").to_string();
    let expected = "jarvisd.toml:2:2: unknown key `state_dri`\n  2 | \tstate_dri = \"/x\"\n    | \t^^^^^^^^^\n  remedy: did you mean";
    assert!(told.starts_with(expected), "{told}");
}

#[test]
fn what_types_cannot_hold_is_told_at_its_line_all_at_once() {
    let text = "[page]\nlisten = \"0.0.0.0:80\"\n[retention]\ntranscripts_days = 0\n[daemon]\nstate_dir = \"var\"\n[ear]\nworkers = 9\n";
    let Err(ConfigError::Wrong(all)) = parse(text) else { panic!("four mistakes were due") };
    let lines: Vec<_> = all.iter().map(|m| m.line).collect();
    assert_eq!(lines, [6, 2, 8, 4], "{all:?}");
    assert!(all[1].remedy.contains("127.0.0.1"));
    assert!(all[2].remedy.contains("1 to 8"));
}

#[test]
fn credentials_become_paths_and_are_missed_without_a_directory() {
    let text = format!(
        "[cluster]\ntoken_file = \"proxmox-token\"\n[[cluster.nodes]]\nname = \"a\"\naddress = \"b\"\nfingerprint = \"{FINGERPRINT}\"\n"
    );
    let told = mistake(&text);
    assert_eq!(told.line, 2);
    assert!(told.remedy.contains("LoadCredential="), "{told}");
    let environment = Environment { credentials: Some("/run/credentials/x".into()), ..Environment::default() };
    let config = Config::parse(&text, Path::new("jarvisd.toml"), &environment).unwrap();
    assert_eq!(config.cluster.token_file, Some(PathBuf::from("/run/credentials/x/proxmox-token")));
    let engine = "[[speech.engines]]\nkind = 'openai'\nurl = 'http://a/v1'\nkey_file = 'speech-key'\n";
    assert_eq!(mistake(engine).line, 4);
    let mind = "[[minds.providers]]\nkind = 'claude'\nmodel = 'claude-opus-5-5'\nkey_file = 'claude-key'\n";
    assert_eq!(mistake(mind).line, 4);
    let mut config = Config::parse(mind, Path::new("jarvisd.toml"), &environment).unwrap();
    assert_eq!(config.minds.providers[0].key_file(), Some(&mut PathBuf::from("/run/credentials/x/claude-key")));
}

#[test]
fn an_unreadable_file_names_the_remedy() {
    let error = Config::load(Path::new("/nonexistent/jarvisd.toml"), &Environment::default()).unwrap_err();
    assert!(error.to_string().contains("--config"), "{error}");
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    let text = format!("[cluster]\ntoken_file = \"{}\"\n", token.display());
    let config = parse(&text).unwrap();
    let verdict = |mode: Option<u32>| {
        if let Some(mode) = mode {
            fs::write(&token, "user@pve!id=secret").unwrap();
            fs::set_permissions(&token, fs::Permissions::from_mode(mode)).unwrap();
        }
        Secrets::of(&config).check(&Environment::default()).remove(0).2.map_err(|e| e.remedy())
    };
    assert!(verdict(None).unwrap_err().contains("mode 0600"));
    assert!(verdict(Some(0o644)).unwrap_err().starts_with("chmod 0600"));
    assert!(verdict(Some(0o660)).unwrap_err().starts_with("chmod 0600"));
    assert_eq!(verdict(Some(0o600)), Ok(()));
    fs::write(&token, "").unwrap();
    assert!(verdict(None).unwrap_err().contains("first line"));
}

#[test]
fn the_summary_names_what_is_missing() {
    let text: String = Config::default().summary().into_iter().map(|(k, v)| format!("{k}: {v}\n")).collect();
    assert!(text.contains("nodes: none"), "{text}");
    assert!(text.contains("temperatures stay unknown"), "{text}");
}
