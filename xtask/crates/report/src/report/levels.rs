//! The levels as the report shows them: always in the same order and the same colours.

use ukl_repo::config::Level;

/// How many colours style.css has: one for each level, one for a process beside an application, one for what is no level.
pub(super) const COLOURS: usize = 10;
/// How the samples are labelled of an ordinary process on the patched kernel.
const BESIDE: &str = "process beside ";

/// What the labels of samples mean in this checkout.
#[derive(Clone, Debug)]
pub struct Legend {
    /// From the most to the least expensive.
    levels: Vec<Level>,
}

impl Legend {
    /// Of these levels, in any order.
    pub fn new(mut levels: Vec<Level>) -> Self {
        levels.sort_by_key(Level::cost);
        Legend { levels }
    }

    /// The level of that name; none for a process beside an application, a variation of a level, or another checkout's level.
    pub fn level(&self, label: &str) -> Option<&Level> {
        self.levels.iter().find(|level| level.name == label)
    }

    /// Whether the label is one that this checkout cannot explain.
    pub fn is_unknown(&self, label: &str) -> bool {
        self.crosses_rings(label).is_none()
    }

    /// The place in every figure: of levels in the order of cost, then of a process beside them, then of what is unknown.
    pub fn rank(&self, label: &str) -> usize {
        let unknown = self.levels.len() + usize::from(!label.starts_with(BESIDE));
        self.levels.iter().position(|level| level.name == label).unwrap_or(unknown)
    }

    /// Whether a system call there leaves user mode; nothing is known of an unknown label.
    pub fn crosses_rings(&self, label: &str) -> Option<bool> {
        let level = self.level(label).map(Level::crosses_rings);
        level.or(label.starts_with(BESIDE).then_some(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ukl_repo::repo::Repo;

    fn legend() -> Legend {
        let repo = Repo::find().unwrap();
        Legend::new(repo.levels().unwrap())
    }

    #[test]
    fn the_order_is_that_of_the_levels_of_the_checkout() {
        let legend = legend();
        let mut labels = vec!["process beside byb", "shortcut", "base", "ret-byb", "poll", "linux", "byb", "ret"];
        labels.sort_by_key(|label| legend.rank(label));
        assert_eq!(labels, ["linux", "base", "ret", "byb", "ret-byb", "shortcut", "process beside byb", "poll"]);
    }

    #[test]
    fn only_processes_cross_rings_and_of_the_unknown_nothing_is_said() {
        let legend = legend();
        assert_eq!(["linux", "process beside it"].map(|label| legend.crosses_rings(label)), [Some(true); 2]);
        assert_eq!(["base", "shortcut"].map(|label| legend.crosses_rings(label)), [Some(false); 2]);
        assert_eq!(["poll", "linux-spin"].map(|label| legend.crosses_rings(label)), [None; 2]);
        assert!(legend.is_unknown("poll") && !legend.is_unknown("byb"));
    }

    #[test]
    fn every_level_has_a_colour() {
        let style = include_str!("style.css");
        for rank in 0..COLOURS {
            assert_eq!(style.matches(&format!("--level-{rank}: #")).count(), 2, "colour {rank}, light and dark");
        }
        assert!(legend().rank("unknown") < COLOURS, "style.css has {COLOURS} colours: give it one more for each level");
    }
}
