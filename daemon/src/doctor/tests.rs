use super::*;

#[test]
fn a_list_ends_in_a_verdict_and_moves_no_cursor() {
    let all = [Finding::good("disk", "9 MiB free"), Finding::problem("ear", "no \u{1b}[2J model", "install it")];
    let text = listed(&all);
    assert_eq!(
        text,
        "  ok    disk  9 MiB free\n  BAD   ear   no \u{fffd}[2J model\n              -> install it\n1 problem.\n"
    );
    assert_eq!(listed(&[]), "All is well.\n");
}
