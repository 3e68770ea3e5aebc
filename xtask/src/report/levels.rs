//! The levels as the report shows them: always in the same order and the same colours.

/// From the most expensive expectation to the least.
pub const ORDER: [&str; 6] = ["linux", "base", "ret", "byb", "ret-byb", "shortcut"];

/// What every ratio is taken against.
pub const REFERENCE: &str = ORDER[0];

/// The place of a level in every figure; one that is not in the list comes last.
pub fn rank(level: &str) -> usize {
    ORDER.iter().position(|known| *known == level).unwrap_or(ORDER.len())
}

/// Whether a system call at this level leaves user mode.
pub fn crosses_rings(level: &str) -> bool {
    level == REFERENCE || rank(level) == ORDER.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_the_expected_order_of_cost() {
        let mut levels = vec!["process beside byb", "shortcut", "base", "ret-byb", "linux", "byb", "ret"];
        levels.sort_by_key(|level| rank(level));
        assert_eq!(levels, ["linux", "base", "ret", "byb", "ret-byb", "shortcut", "process beside byb"]);
    }

    #[test]
    fn only_processes_cross_rings() {
        assert!(crosses_rings("linux") && crosses_rings("process beside byb"));
        assert!(!crosses_rings("base") && !crosses_rings("shortcut"));
    }
}
