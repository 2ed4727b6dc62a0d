//! CSV as spreadsheets write it → rows of trimmed cells that know their line in the file.
//!
//! Design constraints
//! - `,` `;` or tab between cells: what a spreadsheet writes depends on the country its computer is set to.
//! - Lines end in LF, CRLF or CR. A quoted cell may hold line ends, and the rows after it keep their true lines.
//! - Lines that start with `#` are comments, also when a spreadsheet saved them again with quotes and empty cells.
//!
//! Never knows what a column means.

/// One row that is neither empty nor a comment.
pub struct Row {
    /// Where it begins, counted from 1.
    pub line: u32,
    pub cells: Vec<String>,
    /// A quoted cell goes on after its closing quote: most often that quote opened a cell of a later row, which this
    /// row has swallowed because a `"` is missing.
    pub stray_quote: bool,
}

pub struct Sheet {
    pub rows: Vec<Row>,
    /// The row whose quoted cell never ends: it has swallowed the rest of the file.
    pub open_quote: Option<u32>,
}

/// Before some cells a spreadsheet would take for a formula, a `'` stands (see [`guarded`]).
const FORMULA_STARTS: [char; 4] = ['=', '+', '-', '@'];

/// The text as a cell that no spreadsheet takes for a formula. [`unguarded`] takes it back.
pub fn guarded(text: &str) -> String {
    let starts_formula = text.starts_with(FORMULA_STARTS);
    if starts_formula || looks_guarded(text) { format!("'{text}") } else { text.to_owned() }
}

/// A `'` that stands before a formula's first letter, or before another `'`, is no part of the text.
pub fn unguarded(cell: &str) -> &str {
    if looks_guarded(cell) { &cell[1..] } else { cell }
}

fn looks_guarded(text: &str) -> bool {
    text.strip_prefix('\'').is_some_and(|rest| rest.starts_with('\'') || rest.starts_with(FORMULA_STARTS))
}

/// The delimiter by which the first row yields most cells that `is_known`. None: there is no row.
pub fn delimiter(text: &str, is_known: impl Fn(&str) -> bool) -> Option<u8> {
    // Excel's own hint, written above the header.
    let first = text.lines().map(str::trim).find(|l| !l.is_empty())?;
    if let [b's', b'e', b'p', b'=', delimiter] = first.trim_matches('"').as_bytes() {
        return Some(*delimiter).filter(|d| matches!(d, b',' | b';' | b'\t' | b'|'));
    }
    let known = |delimiter: u8| {
        read_rows(text, delimiter, 1).rows.first().map_or(0, |r| r.cells.iter().filter(|c| is_known(c)).count())
    };
    let mut best = (b',', 0);
    for delimiter in [b',', b';', b'\t'] {
        let count = known(delimiter);
        if count > best.1 {
            best = (delimiter, count);
        }
    }
    Some(best.0)
}

pub fn read(text: &str, delimiter: u8) -> Sheet {
    read_rows(text, delimiter, usize::MAX)
}

/// Ends every text; where it does not come back as a row of its own, a quote was open.
const END: &str = "\u{1}end\u{1}";

fn read_rows(text: &str, delimiter: u8, most: usize) -> Sheet {
    let with_end = format!("{text}\n{END}");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .delimiter(delimiter)
        .from_reader(with_end.as_bytes());
    let starts = line_starts(text);
    let mut sheet = Sheet { rows: Vec::new(), open_quote: None };
    let mut record = csv::StringRecord::new();
    // Reading text that is UTF-8 from memory has no way to fail; if it did, the rows so far would be checked.
    while sheet.rows.len() < most && reader.read_record(&mut record).unwrap_or(false) {
        let offset = record.position().map_or(0, |p| p.byte() as usize);
        let line = line_of(text, &starts, offset);
        if record.get(0).is_some_and(|cell| cell == END) {
            return sheet;
        }
        if record.iter().any(|cell| cell.ends_with(END)) {
            sheet.open_quote = Some(line);
            return sheet;
        }
        let raw = with_end.as_bytes().get(offset..reader.position().byte() as usize).unwrap_or_default();
        let stray_quote = raw.contains(&b'"') && has_stray_quote(raw, delimiter);
        let cells: Vec<String> = record.iter().map(|cell| unguarded(cell.trim()).to_owned()).collect();
        let is_comment = cells.first().is_some_and(|c| c.starts_with('#'));
        let is_hint = line <= 2 && cells.first().is_some_and(|c| c.starts_with("sep="));
        if !is_comment && !is_hint && cells.iter().any(|c| !c.is_empty()) {
            sheet.rows.push(Row { line, cells, stray_quote });
        }
    }
    sheet
}

/// The reader forgives text between a closing quote and the next delimiter; a table that lost a row does not show it.
fn has_stray_quote(raw: &[u8], delimiter: u8) -> bool {
    enum In {
        CellStart,
        Plain,
        Quoted,
        /// A quote inside a quoted cell: its end, or the first half of a doubled one.
        QuoteEnd,
        Comment,
    }
    let mut state = In::CellStart;
    let mut row_start = true;
    for byte in raw {
        let is_end = matches!(byte, b'\n' | b'\r');
        state = match (state, *byte) {
            (In::Quoted, b'"') => In::QuoteEnd,
            (In::Quoted, _) | (In::QuoteEnd, b'"') => In::Quoted,
            (In::CellStart, b'"') => In::Quoted,
            (In::CellStart, b'#') if row_start => In::Comment,
            (In::Comment, _) if !is_end => In::Comment,
            (_, byte) if is_end || byte == delimiter => In::CellStart,
            (In::QuoteEnd, _) => return true,
            (In::CellStart | In::Plain | In::Comment, _) => In::Plain,
        };
        row_start = is_end && matches!(state, In::CellStart);
    }
    false
}

/// Byte offset of each line's first byte.
fn line_starts(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut starts = vec![0];
    for (i, byte) in bytes.iter().enumerate() {
        let ends = match byte {
            b'\n' => true,
            b'\r' => bytes.get(i + 1) != Some(&b'\n'),
            _ => false,
        };
        if ends {
            starts.push(i + 1);
        }
    }
    starts
}

/// The reader counts empty lines and comments to the row below them; the row begins after them.
fn line_of(text: &str, starts: &[usize], offset: usize) -> u32 {
    let bytes = text.as_bytes();
    let mut at = offset;
    loop {
        match bytes.get(at) {
            Some(b'\n' | b'\r') => at += 1,
            Some(b'#') => at += bytes[at..].iter().take_while(|b| !matches!(b, b'\n' | b'\r')).count(),
            Some(_) | None => break,
        }
    }
    starts.partition_point(|start| *start <= at) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, delimiter: u8, expected: &[(u32, &[&str])]) {
        let sheet = read(text, delimiter);
        let rows: Vec<(u32, Vec<&str>)> =
            sheet.rows.iter().map(|r| (r.line, r.cells.iter().map(String::as_str).collect())).collect();
        let expected: Vec<(u32, Vec<&str>)> = expected.iter().map(|(l, c)| (*l, c.to_vec())).collect();
        assert_eq!(rows, expected, "{text:?}");
        assert_eq!(sheet.open_quote, None);
    }

    #[test]
    fn every_row_knows_its_line_in_the_file() {
        check("a,b\nc,d\n", b',', &[(1, &["a", "b"]), (2, &["c", "d"])]);
        check("a\r\n\r\n# note\r\nb\r\n", b',', &[(1, &["a"]), (4, &["b"])]);
        check("a\rb\r\rc", b',', &[(1, &["a"]), (2, &["b"]), (4, &["c"])]);
        check("a\n\"x\r\ny\"\nb\n", b',', &[(1, &["a"]), (2, &["x\r\ny"]), (4, &["b"])]);
        check("# top, \"odd\na\n\"# saved, again\",,\n,,\n b ;\n", b',', &[(2, &["a"]), (5, &["b ;"])]);
    }

    #[test]
    fn a_quote_that_never_ends_is_found_where_it_began() {
        assert_eq!(read("a,b\nc,\"d\ne,f\n", b',').open_quote, Some(2));
        assert_eq!(read("a,\"b", b',').open_quote, Some(1));
        assert_eq!(read("a,\"b\"", b',').open_quote, None);
    }

    #[test]
    fn a_row_that_swallowed_the_next_one_is_told_from_a_row_of_several_lines() {
        for (text, stray) in [
            ("a,\"b\nc,\"d\"\n", true),
            ("a,\"b\nc\",d\n", false),
            ("a,\"say \"\"b\"\"\",d\n", false),
            ("a,5\" pipe,\"b\"\n", false),
            ("# \"it\" is\na,\"b\"\n", false),
            ("a,\"b\"x,c\n", true),
        ] {
            assert_eq!(read(text, b',').rows.iter().any(|r| r.stray_quote), stray, "{text:?}");
        }
    }

    #[test]
    fn the_delimiter_is_the_one_that_finds_the_columns() {
        let known = |c: &str| ["unit", "site", "city"].contains(&c);
        for (text, expected) in [
            ("unit,site\n", Some(b',')),
            ("# a, b, c\nunit;site;city\n", Some(b';')),
            ("unit\tsite\n", Some(b'\t')),
            ("sep=;\nunit;site\n", Some(b';')),
            ("nothing;here\n", Some(b',')),
            ("", None),
        ] {
            assert_eq!(delimiter(text, known), expected, "{text:?}");
        }
    }

    #[test]
    fn no_text_becomes_a_formula_and_every_text_comes_back() {
        for text in ["=1+1", "+92 91 000", "-", "@x", "'", "''", "'=x", "''=x", "'a", "plain", ""] {
            let cell = guarded(text);
            assert!(!cell.starts_with(FORMULA_STARTS), "{cell}");
            assert_eq!(unguarded(&cell), text);
        }
    }
}
