//! Bytes of a file → UTF-8 text, or what kind of file it is instead and how to save it. Never guesses a code page.

use super::problem::Problems;

/// The text without its byte order mark. Err: UTF-16, Windows-1252, a workbook, a zip, or other bytes.
pub fn read_text<'b>(file: &str, bytes: &'b [u8]) -> Result<&'b str, Problems> {
    let is_csv = file.to_ascii_lowercase().ends_with(".csv");
    let remedy = if is_csv {
        "in the spreadsheet choose Save As and the type \"CSV UTF-8 (comma delimited)\""
    } else {
        "in the editor choose Save As with the encoding UTF-8"
    };
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xD0\xCF\x11\xE0") {
        return Err(Problems::one(
            file,
            None,
            format!("this is a spreadsheet workbook or an archive, not text; {remedy}"),
        ));
    }
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") || is_mostly_wide(bytes) {
        return Err(Problems::one(file, None, format!("this file is UTF-16 (\"Unicode text\"), not UTF-8; {remedy}")));
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|e| {
        let line = bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count() as u32 + 1;
        let what =
            format!("this file is not UTF-8: a letter here is in another encoding (Windows-1252, it may be); {remedy}");
        Problems::one(file, Some(line), what)
    })
}

/// UTF-16 without a byte order mark: every other byte of Latin text is zero. Plain text has none.
fn is_mostly_wide(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(512)];
    let zeros = start.iter().filter(|b| **b == 0).count();
    zeros > 0 && zeros * 4 >= start.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert_eq!(read_text("fleet.csv", "\u{feff}unit".as_bytes()), Ok("unit"));
        assert_eq!(read_text("fleet.csv", b""), Ok(""));
    }

    #[test]
    fn other_encodings_are_named_with_their_line_and_remedy() {
        let wide: Vec<u8> = "unit,site".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let cases: [(&[u8], &str); 4] = [
            (&wide, "UTF-16"),
            (b"\xFF\xFEu\0n\0", "UTF-16"),
            (b"PK\x03\x04\x14\0", "workbook"),
            (b"unit\ncaf\xE9\n", "fleet.csv:2: "),
        ];
        for (bytes, part) in cases {
            let text = read_text("fleet.csv", bytes).expect_err("not UTF-8").to_string();
            assert!(text.contains(part) && text.contains("CSV UTF-8"), "{text}");
        }
        assert!(read_text("alerts.toml", &wide).expect_err("wide").to_string().contains("editor"));
    }
}
