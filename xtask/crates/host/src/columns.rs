//! Tables on the terminal.

/// Lines of cells below each other: the first `left` columns begin at the same place, the others end there.
pub fn aligned(lines: &[Vec<String>], left: usize) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let cell = |(column, text): (usize, &String)| {
        let width = widths[column];
        if column < left { format!("{text:width$}") } else { format!("{text:>width$}") }
    };
    let line = |line: &Vec<String>| {
        let cells: Vec<_> = line.iter().enumerate().map(cell).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_begins_and_numbers_end_in_their_columns() {
        let lines = [["GET", "1.5", "µs"], ["longer", "1234.0", ""]];
        let lines = lines.map(|line| line.map(str::to_owned).to_vec());
        assert_eq!(super::aligned(&lines, 1), "GET        1.5  µs\nlonger  1234.0\n");
    }
}
