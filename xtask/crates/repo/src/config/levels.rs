//! Which levels something is done at. Each choice is a predicate on what the files of kernel/levels say, so that a new file
//! belongs to every choice that it fits and no list has to name it.

use super::level::{DEFAULT_LEVEL, KernelFlavour, Level, REFERENCE_LEVEL};

/// A choice of levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levels {
    /// Every level.
    Every,
    /// Those at which the application is linked into the kernel.
    Linked,
    /// One level for each way that a system call can take to its function, for what differs in nothing else: the cheapest
    /// to explain, which comes first in the order of cost. Returns without IRETQ (`ret`) change no such way.
    Ways,
    /// Those of [`Levels::Ways`] at which the application is linked in.
    LinkedWays,
    /// The levels that only choose between the two entries of a call, by the entry code or directly.
    Entries,
    /// The ordinary process alone.
    Reference,
    /// The ordinary process and the default level: for what takes long and compares the two worlds.
    ReferenceAndDefault,
    /// The default level alone: for what takes longest, or is about something else than levels.
    Default,
    /// Every level but the default one.
    OthersThanDefault,
}

impl Levels {
    /// The chosen ones of `levels`, in their order.
    pub fn of(self, levels: &[Level]) -> Vec<Level> {
        let chosen = levels.iter().filter(|level| self.has(level, levels));
        chosen.cloned().collect()
    }

    fn has(self, level: &Level, levels: &[Level]) -> bool {
        let linked = level.kernel == KernelFlavour::Ukl;
        match self {
            Levels::Every => true,
            Levels::Linked => linked,
            Levels::Ways => levels.iter().find(|other| other.way() == level.way()) == Some(level),
            Levels::LinkedWays => linked && Levels::Ways.has(level, levels),
            Levels::Entries => linked && !level.options.ret && !level.options.shortcut,
            Levels::Reference => level.name == REFERENCE_LEVEL,
            Levels::ReferenceAndDefault => [REFERENCE_LEVEL, DEFAULT_LEVEL].contains(&level.name.as_str()),
            Levels::Default => level.name == DEFAULT_LEVEL,
            Levels::OthersThanDefault => level.name != DEFAULT_LEVEL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::Repo;

    /// The names of the chosen levels of this repository and of one more, a copy of `byb` with `ret`.
    fn names(levels: Levels) -> String {
        let repo = Repo::find().unwrap();
        let mut all = repo.levels().unwrap();
        let mut trial = repo.level("byb").unwrap();
        trial.name = "trial".to_owned();
        trial.options.ret = true;
        all.push(trial);
        all.sort_by_key(Level::cost);
        levels.of(&all).into_iter().map(|level| level.name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_choice_follows_from_what_the_levels_say() {
        assert_eq!(names(Levels::Every), "linux base ret byb ret-byb trial shortcut");
        assert_eq!(names(Levels::Linked), "base ret byb ret-byb trial shortcut");
        assert_eq!(names(Levels::Ways), "linux base byb shortcut");
        assert_eq!(names(Levels::LinkedWays), "base byb shortcut");
        assert_eq!(names(Levels::Entries), "base byb");
        assert_eq!(names(Levels::Reference), "linux");
        assert_eq!(names(Levels::ReferenceAndDefault), "linux byb");
        assert_eq!(names(Levels::Default), "byb");
        assert_eq!(names(Levels::OthersThanDefault), "linux base ret ret-byb trial shortcut");
    }
}
