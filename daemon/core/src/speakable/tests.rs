use super::*;
use crate::sentences::Sentences;
use proptest::prelude::*;

/// Written, then said.
const CASES: &[(&str, &str)] = &[
    // figures and units
    ("61.4 °C on pve2", "sixty-one point four degrees on p v e two"),
    ("61.4°C, 1 °C and -5 °C", "sixty-one point four degrees, one degree and minus five degrees"),
    ("VM 104, 1.5 GiB, 38 %", "v m one zero four, one point five gigabytes, thirty-eight percent"),
    ("38% of 64G", "thirty-eight percent of sixty-four gigabytes"),
    ("1 GiB", "one gigabyte"),
    ("1.0 GiB and 2.0 TiB", "one gigabyte and two terabytes"),
    ("512 MiB, 12 kB", "five hundred and twelve megabytes, twelve kilobytes"),
    ("120 MiB/s", "one hundred and twenty megabytes per second"),
    ("There are 104 guests.", "There are one hundred and four guests."),
    ("1,234,567 files", "one million two hundred and thirty-four thousand five hundred and sixty-seven files"),
    ("0.05 and .5", "zero point zero five and zero point five"),
    ("2006 and 1000000", "two thousand and six and one million"),
    ("3/4 nodes", "three of four nodes"),
    ("10-20 %", "ten to twenty percent"),
    ("10–20%", "ten to twenty percent"),
    ("~5 minutes, <1 s", "about five minutes, less than one second"),
    ("The 1st, 2nd, 23rd and 40th", "The first, second, twenty-third and fortieth"),
    ("a 64-bit, 4-core VM", "a sixty-four bit, four core v m"),
    ("£3.50, $0.02, €1", "three pounds fifty, two cents, one euro"),
    // what names things is read digit by digit
    (
        "VMs 104, 105 and 106 use 512 MiB",
        "v m's one zero four, one zero five and one zero six use five hundred and twelve megabytes",
    ),
    ("media-server (104) is up", "media server, one zero four, is up"),
    ("guest 104 and 2 others", "guest one zero four and two others"),
    ("container 1001", "container one zero zero one"),
    ("port 8006", "port eight zero zero six"),
    ("error 595", "error five nine five"),
    // durations, times, dates
    ("3d4h12m", "three days four hours and twelve minutes"),
    ("2h30m, 1h, 45 s", "two hours and thirty minutes, one hour, forty-five seconds"),
    ("up 12 d", "up twelve days"),
    ("at 14:05", "at fourteen oh five"),
    ("at 09:00 or 00:00", "at nine o'clock or midnight"),
    ("at 14:00, 23:59:10", "at fourteen hundred, twenty-three fifty-nine and ten seconds"),
    ("2026-11-23", "the twenty-third of November twenty twenty-six"),
    ("2026-11-03T04:05:00Z", "the third of November twenty twenty-six at four oh five"),
    ("on 23 November", "on the twenty-third of November"),
    ("the 23rd of November 2026.", "the twenty-third of November twenty twenty-six."),
    ("Monday 1 June 2009", "Monday the first of June two thousand and nine"),
    ("Nov 23, 2026", "November the twenty-third, twenty twenty-six"),
    ("It may be so.", "It may be so."),
    // versions
    ("version 9.2.3", "version nine point two point three"),
    ("Proxmox VE 9.0", "Proxmox v e nine point zero"),
    ("v9.2", "version nine point two"),
    ("kernel 6.8.12-4-pve", "kernel six point eight point twelve dash four dash p v e"),
    // names
    ("pve2's web-server", "p v e two's web server"),
    ("local-zfs, srv01, node-104", "local z f s, s r v zero one, node one zero four"),
    ("node_exporter", "node exporter"),
    ("The CPU and RAM of the NAS", "The c p u and ram of the nas"),
    ("VMs, CPUs and SSDs", "v m's, c p u's and s s d's"),
    ("HA, API, I/O", "h ay, ay p i, i o"),
    ("IT IS NOT OK", "it is not okay"),
    ("A node is DOWN", "A node is down"),
    ("a NVMe and a qemu", "a n v m e and a q emu"),
    ("sixty-one, up-to-date", "sixty-one, up to date"),
    ("I don't know it's so", "I don't know it's so"),
    ("/etc/pve", "et cetera slash p v e"),
    ("ok0 and dr1", "okay zero and d r one"),
    // addresses
    ("192.168.1.10", "one nine two dot one six eight dot one dot one zero"),
    ("10.0.0.0/24", "one zero dot zero dot zero dot zero slash twenty-four"),
    ("10.0.0.5:8006", "one zero dot zero dot zero dot five port eight zero zero six"),
    ("fe80::1", "f e eight zero colon  colon one"),
    ("https://pve.example.com:8006/#v1:0", "p v e dot example dot com port eight zero zero six"),
    ("root@pam", "root at pam"),
    ("UPID:pve2:0003A1B2:0A1B2C3D:6740F1A2:qmstart:104:root@pam:", "the start task for one zero four on p v e two"),
    ("UPID:pve1:0003A1B2:0A1B2C3D:6740F1A2:aptupdate::root@pam: failed", "the aptupdate task on p v e one: failed"),
    // markup
    ("**Node two** is `up`, _truly_.", "Node two is up, truly."),
    ("# Status\n- web-server\n- dns-server\n", "Status, web server, d n s server"),
    ("See [the page](http://127.0.0.1:8080/x) now", "See the page now"),
    ("<b>Bold</b> & more", "Bold and more"),
    ("| a | b |\n|---|---|\n| c | d |", "a, b, c, d"),
    ("All well 🎉✅ — truly…", "All well, truly."),
    ("“Quoted” (bracketed) text", "Quoted, bracketed, text"),
    ("Mr. Smith, e.g., has approx. 5", "mister Smith, for example, has approximately five"),
    ("Naïve café", "Naïve café"),
    ("日本語 ٣", ""),
    ("", ""),
    ("...", ""),
];

#[test]
fn texts_are_said_as_a_briton_with_a_cluster_would() {
    let wrong: Vec<_> = CASES
        .iter()
        .filter(|(text, said)| speakable(text) != said.split("  ").collect::<Vec<_>>().join(" "))
        .map(|(text, said)| format!("{text:?}\n  said {:?}\n  not  {said:?}", speakable(text)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What models write into their answers, and what is heard of it when the answer is cut into sentences as it comes.
const HOSTILE: &[(&str, &str)] = &[
    // markdown
    ("# Status\n\n**All is well**, sir. _Really_ ~~not~~ `fine`.", "Status / All is well, sir. / Really not fine."),
    ("***bold italic*** and __bold__ and *it*.", "bold italic and bold and it."),
    ("> Quoted text\n>> deeper\n\n---\n\nAfter.", "Quoted text / deeper / After."),
    ("1. First\n2. Second\n   - sub *item*\n   * [x] done", "one. First / two. Second / sub item / done"),
    (
        "| Node | State |\n|------|:-----:|\n| pve1 | up |\n| pve2 | down |\n\nThat is all.",
        "Node, State / p v e one, up / p v e two, down / That is all.",
    ),
    (
        "See [the docs](https://docs.example.net/a_(b)) or [that][ref].\n\n[ref]: https://example.net/x",
        "See the docs or that.",
    ),
    ("![graph](https://img.example.net/a.png) Fine.", "graph Fine."),
    ("A note[^1] here.\n\n[^1]: The note.", "A note here. / The note."),
    (":::note\nCareful.\n:::", "Careful."),
    // code
    (
        "Run this:\n\n```bash\nqm stop 104. Then wait.\nrm -rf /tmp/x\n```\n\nThen it is done.",
        "Run this / Then it is done.",
    ),
    ("~~~\nprint(1)\n~~~\nDone.", "Done."),
    ("Say `pct list`, sir.", "Say p c t list, sir."),
    ("Here it is: ```\nand then it never ends. Never.", "Here it is"),
    // thoughts, calls of tools, marks of templates
    ("<think>The user wants it. I should lie.\n\nOr not.</think>\nNode two is hot.", "Node two is hot."),
    ("<tool_call>{\"name\":\"guest_stop\",\"arguments\":{\"vmid\":104}}</tool_call>Done, sir.", "Done, sir."),
    ("<|im_start|>assistant\nAll is well.<|im_end|>", "assistant / All is well."),
    // HTML
    (
        "<p>Node <b>two</b> is <span style=\"color:red\">hot</span>.<br/>It is &lt;5&nbsp;% &amp; falling&hellip;</p>",
        "Node two is hot. It is less than five percent and falling.",
    ),
    ("<script>alert(\"x. Y.\")</script><style>b {}</style>All is well.", "All is well."),
    ("<!-- hidden. Really. -->Visible.", "Visible."),
    ("<details><summary>More</summary>There is &#109;ore &#x21;</details>", "More There is more!"),
    ("Ask <kim@example.net> or <https://nas.example.net/x>.", "Ask kim at example dot net or nas dot example dot net."),
    ("a < b and c > d, sir.", "a b and c d, sir."),
    // formulas and prices
    ("The load is $\\frac{3}{4}$ of \\(n^2\\), sir.", "The load is three over four of n squared, sir."),
    ("$$E = mc^2 \\times \\text{two}$$", "E equals m c squared times two"),
    ("It costs $5 and $10 a month.", "It costs five dollars and ten dollars a month."),
    // characters
    ("🎉🔥 All nodes 🟢 up ✅ — great 👍🏽!", "All nodes up, great!"),
    ("\u{1b}[31;1mred\u{1b}[0m text", "red text"),
    ("A\u{200b}ll is\u{202e} well\u{feff}.", "All is well."),
    ("A\u{0}ll\u{7} \u{e0041}well.", "A ll well."),
    // other tongues: Latin script is said, the rest is left to the page
    ("Alles in Ordnung: größer, über, Straße.", "Alles in Ordnung: größer, über, Straße."),
    ("El nodo está caído, señor. ¿Reinicio?", "El nodo está caído, señor. / Reinicio?"),
    ("Всё хорошо, сэр. Node two is up.", "Node two is up."),
    ("すべて正常です。", ""),
    // secrets that were taken out
    ("The password is [secret: password], sir.", "The password is a secret, sir."),
    ("Use `[secret: API token]`.", "Use a secret."),
];

#[test]
fn what_models_write_stays_clean_in_speech() {
    let wrong: Vec<_> = HOSTILE
        .iter()
        .filter_map(|(text, wanted)| {
            let mut sentences = Sentences::new();
            let mut cut = sentences.push(&without_asides(text));
            cut.extend(sentences.finish());
            let said: Vec<_> = cut.iter().map(|s| speakable(s)).filter(|s| !s.is_empty()).collect();
            check(text);
            (said.join(" / ") != *wanted).then(|| format!("{text:?}\n  said {:?}\n  not  {wanted:?}", said.join(" / ")))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(text: &str) {
    let spoken = speakable(text);
    assert!(spoken.len() <= MAX_SPOKEN_BYTES);
    let stray = spoken.chars().find(|c| !(c.is_alphabetic() || " ,.;:!?'-".contains(*c)));
    assert_eq!(stray, None, "{text:?} -> {spoken:?}");
    assert!(!spoken.contains("  "), "{text:?} -> {spoken:?}");
    assert_eq!(spoken, spoken.trim());
}

proptest! {
    #[test]
    fn only_words_come_out(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn only_words_come_out_of_figures(text in "([0-9]{1,4}|[-+.,:/%°~<>#@$£ ]|GiB|pve|VM |d|h|m|T|v|UPID:|\\[|\\]|\\(|\\)|\n){0,80}") {
        check(&text);
    }

    #[test]
    fn only_words_come_out_of_markup(text in "(<[a-z]{1,6}>|</b>|<think>|</think>|```|`|\\*\\*|_|&[a-z]{1,4};|&#[0-9]{1,4};|\\$|\\\\[a-z]{1,5}|\\{|\\}|\\^|\\[|\\]|\\(|\\)|https://|\\||\n|[a-z]{1,5}|[0-9]{1,3}| ){0,60}") {
        check(&text);
    }

    #[test]
    fn every_count_is_said(n in any::<u64>()) {
        let spoken = speakable(&format!("{n} guests"));
        prop_assert!(spoken.ends_with("guests"));
        check(&n.to_string());
    }

    #[test]
    fn saying_it_twice_changes_nothing(text in "([a-z]{2,7}|pve[1-9]|[0-9]{1,5}|[0-9]{1,3}\\.[0-9]|%|GiB|VM|[,.] | ){0,40}") {
        let once = speakable(&text);
        prop_assert_eq!(speakable(&once), once);
    }
}

#[test]
fn the_longest_text_stays_bounded() {
    for text in [
        "7".repeat(100_000),
        "104 ".repeat(50_000),
        "🎉".repeat(50_000),
        "[".repeat(50_000),
        "<a".repeat(50_000),
        "$a^".repeat(50_000),
        "&".repeat(50_000),
        "\\frac{".repeat(50_000),
        "```".repeat(50_000),
        "<think>".repeat(50_000),
    ] {
        check(&text);
    }
}
