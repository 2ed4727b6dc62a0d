//! The pages for people: every block of the cookbook is accepted by the checker, and the crew's page is one sheet of paper.

use std::path::Path;
use std::process::{Command, Stdio};

use super::installed;
use crate::process::run;

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).expect("readable")
}

#[test]
fn every_block_of_the_rule_cookbook_is_accepted_alone() {
    let dir = tempfile::tempdir().expect("scratch folder");
    let page = page("rule-cookbook.md");
    let blocks: Vec<&str> =
        page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
    assert!(blocks.len() >= 12, "a dozen wishes, found {}", blocks.len());
    let ours = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/alerts.toml")).expect("readable");
    for (n, block) in blocks.iter().enumerate() {
        let name = format!("block-{}.toml", n + 1);
        // As the page says: a block goes below the rules that come with the program.
        std::fs::write(dir.path().join(&name), format!("{ours}\n{block}")).expect("writable");
        let out = run(dir.path(), &["rules", "check", &name]);
        assert!(out.status.success(), "{block}\n{}", out.err);
    }
    let all = format!("{ours}\n{}", blocks.join("\n"));
    std::fs::write(dir.path().join("all.toml"), all).expect("writable");
    let out = run(dir.path(), &["rules", "check", "all.toml"]);
    assert!(out.status.success(), "together: {}", out.err);
}

#[test]
fn the_crews_page_is_one_side_of_paper_in_each_language() {
    if !installed("chromium", "apt-get install chromium") {
        return;
    }
    let dir = tempfile::tempdir().expect("scratch folder");
    for name in ["crew-page.html", "crew-page.ur.html"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
        let to = dir.path().join("page.pdf");
        let printed = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"])
            .arg(format!("--user-data-dir={}", dir.path().join("browser").display()))
            .arg(format!("--print-to-pdf={}", to.display()))
            .arg(format!("file://{}", from.display()))
            .stdin(Stdio::null())
            .output()
            .expect("chromium runs");
        let pdf = std::fs::read(&to).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&printed.stderr)));
        let text = String::from_utf8_lossy(&pdf);
        let pages = text.matches("/Type /Page\n").count()
            + text.matches("/Type /Page/").count()
            + text.matches("/Type /Page ").count();
        assert_eq!(pages, 1, "{name} is printed on {pages} pages");
    }
}
