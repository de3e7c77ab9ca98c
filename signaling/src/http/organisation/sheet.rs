//! CSV and XLSX files: read within limits, written so that no spreadsheet evaluates a cell as a formula.

use std::{
    io::{Cursor, Read},
    sync::Arc,
    time::Duration,
};

use calamine::{DataRef, Reader, Xlsx};
use rust_xlsxwriter::{Format, Workbook, XlsxError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::{OrganisationReason, unreadable};
use crate::http::{
    audit,
    web::problem::{ApiError, common::CommonProblem, invalid},
};
use school::organisation::sheet::{Cell, LINES_MAX, Line, Sheet, fault::CellReason};

/// Upper bound for a file of [`LINES_MAX`] rows.
pub const FILE_BYTES_MAX: usize = 4 << 20;

/// Limit of unpacked XLSX data, against zip bombs. A table of [`LINES_MAX`] rows is 3 MB.
const UNPACKED_BYTES_MAX: u64 = 32 << 20;

/// Cells per row, at most. Our tables have five.
const CELLS_MAX: usize = 32;

/// The media type of XLSX.
pub const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// File format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Text in UTF-8 or GB 18030.
    Csv,
    /// A workbook; only its first sheet is read.
    Xlsx,
}

/// Reads all rows of a file, with the heading.
///
/// # Errors
/// [`UnreadableFile`](super::problem::OrganisationProblem::UnreadableFile), or [`CommonProblem::Invalid`] where the
/// file is over a limit.
pub fn read(kind: FileKind, bytes: &[u8]) -> Result<Vec<Line>, ApiError> {
    match kind {
        FileKind::Csv => read_csv(bytes),
        FileKind::Xlsx => read_xlsx(bytes),
    }
}

/// Waits for a permit: see `TABLES_AT_ONCE`.
///
/// # Errors
/// [`CommonProblem::Busy`] where none is free within 20 s.
pub async fn turn(turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ApiError> {
    match tokio::time::timeout(TURN_WITHIN, turns.clone().acquire_owned()).await {
        Ok(Ok(turn)) => Ok(turn),
        _ => Err(CommonProblem::Busy.into()),
    }
}

/// Timeout for a permit.
const TURN_WITHIN: Duration = Duration::from_secs(20);

fn too_long() -> ApiError {
    invalid("rows", &OrganisationReason::ImportTooLong { max: LINES_MAX })
}

fn read_csv(bytes: &[u8]) -> Result<Vec<Line>, ApiError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // Excel on Chinese Windows saves CSV as GB 18030 by default.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => encoding_rs::GB18030
            .decode_without_bom_handling_and_without_replacement(bytes)
            .ok_or_else(|| unreadable("a CSV file is of UTF-8 or GB 18030"))?,
    };
    // The CSV reader counts empty rows and CRLF differently from a spreadsheet.
    let text = text.replace("\r\n", "\n");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let (mut lines, mut row) = (Vec::new(), 0);
    let mut record = csv::StringRecord::new();
    loop {
        let from = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        let empty = text.as_bytes().get(from..).unwrap_or_default().iter().take_while(|byte| **byte == b'\n').count();
        if !reader.read_record(&mut record).map_err(|error| unreadable(error.to_string()))? {
            break;
        }
        if lines.len() > LINES_MAX {
            return Err(too_long());
        }
        row += 1 + empty;
        let cells = record.iter().take(CELLS_MAX).map(|text| Cell::text(audit::unguarded(text))).collect();
        lines.push(Line { row: u32::try_from(row).unwrap_or(u32::MAX), cells });
    }
    Ok(lines)
}

fn read_xlsx(bytes: &[u8]) -> Result<Vec<Line>, ApiError> {
    let no_xlsx = || unreadable("it is no XLSX file");
    // The archive's declared sizes cannot be trusted: count the bytes while unpacking.
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|_| no_xlsx())?;
    let mut left = UNPACKED_BYTES_MAX;
    for n in 0..archive.len() {
        let part = archive.by_index(n).map_err(|_| no_xlsx())?;
        let taken = std::io::copy(&mut part.take(left), &mut std::io::sink()).map_err(|_| no_xlsx())?;
        left -= taken;
        if left == 0 {
            return Err(too_long());
        }
    }
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|_| no_xlsx())?;
    let first = book.sheet_names().first().cloned().ok_or_else(no_xlsx)?;
    // Cell by cell: a range would be allocated as large as its farthest cell says.
    let mut cells = book.worksheet_cells_reader(&first).map_err(|_| no_xlsx())?;
    let mut lines: Vec<Line> = Vec::new();
    while let Some(found) = cells.next_cell().map_err(|_| no_xlsx())? {
        let (row, column) = found.get_position();
        let cell = cell_from(found.get_value());
        let column = column as usize;
        if cell.text.is_empty() || column >= CELLS_MAX {
            continue;
        }
        let row = row.saturating_add(1);
        if lines.last().is_none_or(|line| line.row != row) {
            if lines.len() > LINES_MAX {
                return Err(too_long());
            }
            lines.push(Line { row, cells: Vec::new() });
        }
        if let Some(line) = lines.last_mut() {
            line.cells.resize(line.cells.len().max(column + 1), Cell::default());
            line.cells[column] = cell;
        }
    }
    Ok(lines)
}

fn cell_from(value: &DataRef<'_>) -> Cell {
    match value {
        DataRef::Int(number) => Cell::text(&number.to_string()),
        DataRef::Float(number) => Cell::number(*number),
        DataRef::String(text) => Cell::text(text),
        DataRef::SharedString(text) => Cell::text(text),
        DataRef::Bool(yes) => Cell::text(if *yes { "TRUE" } else { "FALSE" }),
        DataRef::DateTime(date) => Cell::spoiled(date.to_string(), CellReason::ADate),
        DataRef::DateTimeIso(date) | DataRef::DurationIso(date) => Cell::spoiled(date.clone(), CellReason::ADate),
        DataRef::Error(error) => Cell::spoiled(error.to_string(), CellReason::AnError),
        DataRef::Empty => Cell::default(),
    }
}

/// Writes a table that can be imported again, with its heading.
///
/// # Errors
/// [`XlsxError`] where a workbook cannot hold the table.
pub fn write(kind: FileKind, sheet: Sheet, lines: &[Vec<String>]) -> Result<Vec<u8>, XlsxError> {
    let titles: Vec<&str> = sheet.columns().iter().map(|column| column.title).collect();
    write_table(kind, &titles, lines)
}

/// Writes a table under these titles.
///
/// # Errors
/// [`XlsxError`] where a workbook cannot hold the table.
pub fn write_table(kind: FileKind, titles: &[&str], lines: &[Vec<String>]) -> Result<Vec<u8>, XlsxError> {
    match kind {
        FileKind::Csv => {
            // The byte order mark tells Excel that the file is UTF-8.
            let mut text = format!("\u{feff}{}\r\n", titles.join(","));
            for line in lines {
                text.push_str(&line.iter().map(|value| audit::cell(value)).collect::<Vec<_>>().join(","));
                text.push_str("\r\n");
            }
            Ok(text.into_bytes())
        }
        FileKind::Xlsx => {
            let mut book = Workbook::new();
            // Text format, so that Excel does not convert edited codes.
            let as_text = Format::new().set_num_format("@");
            let page = book.add_worksheet();
            for (column, title) in (0_u16..).zip(titles) {
                page.set_column_format(column, &as_text)?.set_column_width(column, 20)?;
                page.write_string(0, column, *title)?;
            }
            for (row, line) in (1_u32..).zip(lines) {
                for (column, value) in (0_u16..).zip(line).filter(|(_, value)| !value.is_empty()) {
                    // A string cell is never a formula.
                    page.write_string_with_format(row, column, value, &as_text)?;
                }
            }
            book.save_to_buffer()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again_and_no_cell_is_a_formula() {
        let names = ["2161000917", "=cmd|'/c calc'!A1", "+1", "-1", "@x", "a\"b,c", "'引号", "'=1", "''-1", "＋1"];
        let written: Vec<Vec<String>> = names.iter().map(|name| vec!["安康中学".into(), (*name).into()]).collect();
        for kind in [FileKind::Csv, FileKind::Xlsx] {
            let bytes = write(kind, Sheet::Classrooms, &written).unwrap();
            if kind == FileKind::Csv {
                let text = String::from_utf8(bytes.clone()).unwrap();
                assert!(!text.contains(",=") && !text.contains(",+") && !text.contains(",@"), "{text}");
            }
            let lines = read(kind, &bytes).unwrap();
            let read: Vec<&str> = lines[1..].iter().map(|line| line.cells[1].text.as_str()).collect();
            assert_eq!((lines[0].cells[0].text.as_str(), read), ("学校", names.to_vec()), "{kind:?}");
        }
    }

    #[test]
    fn numbers_dates_and_another_encoding_are_read() {
        let mut book = Workbook::new();
        let day = Format::new().set_num_format("yyyy-mm-dd");
        let page = book.add_worksheet();
        page.write_string(0, 0, "代码").unwrap();
        page.write_number(1, 0, 2_161_000_917.0).unwrap();
        page.write_number_with_format(2, 0, 45_000.0, &day).unwrap();
        page.write_string(3, 16_383, "远").unwrap();
        let lines = read(FileKind::Xlsx, &book.save_to_buffer().unwrap()).unwrap();
        assert_eq!((lines.len(), lines[1].cells[0].text.as_str()), (3, "2161000917"));
        assert_eq!(lines[2].cells[0].spoiled, Some(CellReason::ADate));
        let (gbk, ..) = encoding_rs::GB18030.encode("学校,名称\r\n安康,一班\r\n");
        assert_eq!(read(FileKind::Csv, &gbk).unwrap()[1].cells[1], Cell::text("一班"));
    }

    /// A workbook of one sheet, padded with this many spaces.
    fn bomb(spaces: usize) -> Vec<u8> {
        let mut packed = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let method = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        packed.start_file("xl/worksheets/sheet1.xml", method).unwrap();
        std::io::copy(&mut std::io::repeat(b' ').take(spaces as u64), &mut packed).unwrap();
        packed.finish().unwrap().into_inner()
    }

    #[test]
    fn lines_are_numbered_as_a_spreadsheet_shows_them() {
        for end in ["\n", "\r\n"] {
            let text = ["学校,名称", "甲,1", "", "", "\"乙\",\"a\nb\"", "丙,3", ""].join(end);
            let rows: Vec<u32> = read(FileKind::Csv, text.as_bytes()).unwrap().iter().map(|line| line.row).collect();
            assert_eq!(rows, [1, 2, 5, 6], "{end:?}");
        }
    }

    fn is_too_long(read: Result<Vec<Line>, ApiError>) -> bool {
        let expected = serde_json::json!({ "field": "rows", "reason": "import-too-long", "max": LINES_MAX });
        read.is_err_and(|error| error.kind() == "invalid" && Some(error.params()) == expected.as_object())
    }

    #[test]
    fn a_bomb_and_a_million_lines_are_refused_unread() {
        let bomb = bomb(1 << 30);
        assert!(bomb.len() < FILE_BYTES_MAX, "{}", bomb.len());
        assert!(is_too_long(read(FileKind::Xlsx, &bomb)));
        let lines = "a\n".repeat(1_000_000);
        assert!(lines.len() < FILE_BYTES_MAX);
        assert!(is_too_long(read(FileKind::Csv, lines.as_bytes())));
        let mut book = Workbook::new();
        let page = book.add_worksheet();
        for row in 0..20_000 {
            page.write_string(row, 0, "甲").unwrap();
        }
        let long = book.save_to_buffer().unwrap();
        assert!(is_too_long(read(FileKind::Xlsx, &long)));
    }

    #[test]
    fn a_file_that_is_too_long_or_none_at_all_is_refused() {
        let long = "学校,名称\r\n".repeat(LINES_MAX + 2);
        assert!(is_too_long(read(FileKind::Csv, long.as_bytes())));
        assert_eq!(read(FileKind::Xlsx, b"PK nothing").unwrap_err().kind(), "unreadable-file");
        assert!(read(FileKind::Csv, b"").unwrap().is_empty());
    }
}
