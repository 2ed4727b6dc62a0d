//! The manual pages, one for each verb, as man(1) reads them. Owns nothing of their text: that is the command line's own help.

use std::path::Path;

use clap::CommandFactory;
use clap_mangen::Man;

use crate::app::clock;

use super::arguments::Cli;
use super::exit::Failure;
use super::screen::Screen;

/// Writes `buttonwatch.1`, `buttonwatch-fleet.1`, `buttonwatch-fleet-list.1` … into the folder; older pages are replaced.
pub(super) fn write(folder: &Path, screen: &Screen) -> Result<(), Failure> {
    let failed = |path: &Path, e: std::io::Error| {
        Failure::failed(format!(
            "{}: {e}; name a folder that you may write, such as /usr/local/share/man/man1",
            path.display()
        ))
    };
    std::fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
    let mut program = Cli::command();
    program.build();
    let mut pages = Vec::new();
    collect(&program, "buttonwatch", &mut pages);
    for (name, page) in &pages {
        let path = folder.join(format!("{name}.1"));
        std::fs::write(&path, page).map_err(|e| failed(&path, e))?;
    }
    screen.print(&format!(
        "{} pages in {}. Read them with: man buttonwatch-fleet-list\n",
        pages.len(),
        folder.display()
    ))
}

fn collect(command: &clap::Command, name: &str, pages: &mut Vec<(String, String)>) {
    let man = Man::new(command.clone().version(env!("CARGO_PKG_VERSION")))
        .source(concat!("buttonwatch ", env!("CARGO_PKG_VERSION")))
        .manual("Buttonwatch")
        // The library leaves no place for an empty one, and the name of the program would stand there.
        .date(&clock::now().to_string()[..10]);
    let mut page = Vec::new();
    man.render(&mut page).expect("writing to memory does not fail");
    pages.push((name.to_owned(), without_double_breaks(&String::from_utf8_lossy(&page))));
    for verb in command.get_subcommands().filter(|v| !v.is_hide_set() && v.get_name() != "help") {
        collect(verb, &format!("{name}-{}", verb.get_name()), pages);
    }
}

/// The library writes a line break beside each blank line: readers of pages complain of them.
fn without_double_breaks(page: &str) -> String {
    let lines: Vec<&str> = page.lines().collect();
    let is_blank = |i: usize| lines.get(i).is_some_and(|l| *l == ".sp" || l.is_empty());
    let mut out = String::with_capacity(page.len());
    for (i, line) in lines.iter().enumerate() {
        if *line == ".br" && (is_blank(i + 1) || i.checked_sub(1).is_some_and(is_blank)) {
            continue;
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}
