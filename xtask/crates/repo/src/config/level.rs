//! A level: which kernel runs and how the application enters it. One file `kernel/levels/NAME.toml`.

use serde::Deserialize;
use std::fmt;

/// What every figure is compared with: the application as an ordinary process of the unpatched kernel. Programs of the guest
/// know it by this name, too (`ukl.h`).
pub const REFERENCE_LEVEL: &str = "linux";
/// What commands take when no level is named.
pub const DEFAULT_LEVEL: &str = "byb";

/// A level by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// The file's name without `.toml`.
    pub name: String,
    /// One sentence for lists.
    pub summary: String,
    pub kernel: KernelFlavour,
    pub options: LevelOptions,
}

/// Which of the two kernels a level boots. Both have the same configuration but for our own options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KernelFlavour {
    /// The pinned source without a patch; the application is an ordinary process.
    Vanilla,
    /// With `kernel/patches`, the application linked in.
    Ukl,
}

impl fmt::Display for KernelFlavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KernelFlavour::Vanilla => "vanilla",
            KernelFlavour::Ukl => "ukl",
        })
    }
}

/// Independent options; each is off when the file does not name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LevelOptions {
    /// System calls go straight to the kernel function of their number instead of through the entry code.
    pub bypass: bool,
    /// Faults and interrupts return to the application without IRETQ.
    pub ret: bool,
    /// Calls on TCP sockets go to TCP, past the file and socket layers. Needs `bypass`.
    pub shortcut: bool,
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawLevel {
    summary: String,
    kernel: KernelFlavour,
    #[serde(default)]
    options: LevelOptions,
}

impl Level {
    /// Whether a system call at this level leaves user mode: the application is an ordinary process.
    pub fn crosses_rings(&self) -> bool {
        self.kernel == KernelFlavour::Vanilla
    }

    /// By what levels are sorted, from the one that keeps most of Linux's way to the one that skips most, which is from the
    /// most to the least expensive. Levels with the same options stand in the order of their names.
    pub fn cost(&self) -> (bool, bool, bool, bool, String) {
        let LevelOptions { bypass, ret, shortcut } = self.options;
        (!self.crosses_rings(), shortcut, bypass, ret, self.name.clone())
    }

    /// What decides which way a system call takes; equal at two levels that differ in something else.
    pub fn way(&self) -> (KernelFlavour, LevelOptions) {
        (self.kernel, LevelOptions { ret: false, ..self.options })
    }

    /// The names of the options that are on, for programs in the guest: `bypass ret`.
    pub fn option_names(&self) -> String {
        let LevelOptions { bypass, ret, shortcut } = self.options;
        let options = [("bypass", bypass), ("ret", ret), ("shortcut", shortcut)];
        options.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
    }

    /// Checks what the types do not: options of the linked-in application need the kernel that has them.
    pub fn validate(name: &str, raw: RawLevel) -> anyhow::Result<Self> {
        anyhow::ensure!(
            raw.kernel == KernelFlavour::Ukl || raw.options == LevelOptions::default(),
            "level `{name}`: [options] apply to kernel = \"ukl\" only, but kernel is \"{}\"",
            raw.kernel
        );
        anyhow::ensure!(
            raw.options.bypass || !raw.options.shortcut,
            "level `{name}`: shortcut = true needs bypass = true: a shortcut is a direct call"
        );
        Ok(Level { name: name.to_owned(), summary: raw.summary, kernel: raw.kernel, options: raw.options })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn level(text: &str) -> anyhow::Result<Level> {
        Level::validate("test", parse(text)?)
    }

    #[test]
    fn options_are_off_unless_named() {
        let base = level("summary = 's'\nkernel = 'ukl'").unwrap();
        assert!(!base.options.bypass);
        assert!(level("summary = 's'\nkernel = 'ukl'\n[options]\nbypass = true").unwrap().options.bypass);
    }

    #[test]
    fn levels_stand_in_the_order_of_cost() {
        let level = |name: &str, options: &str| Level {
            name: name.to_owned(),
            ..level(&format!("summary = 's'\nkernel = 'ukl'\n[options]\n{options}")).unwrap()
        };
        let mut levels = [
            level("shortcut", "bypass = true\nret = true\nshortcut = true"),
            level("trial", "bypass = true\nret = true"),
            level("ret-byb", "bypass = true\nret = true"),
            level("byb", "bypass = true"),
            level("short-with-iretq", "bypass = true\nshortcut = true"),
            level("ret", "ret = true"),
            level("base", ""),
            Level::validate("linux", parse("summary = 's'\nkernel = 'vanilla'").unwrap()).unwrap(),
        ];
        levels.sort_by_key(Level::cost);
        let names = levels.each_ref().map(|level| level.name.as_str());
        assert_eq!(names, ["linux", "base", "ret", "byb", "ret-byb", "trial", "short-with-iretq", "shortcut"]);
        assert_eq!(levels.each_ref().map(Level::crosses_rings).iter().filter(|crosses| **crosses).count(), 1);
        assert_eq!(levels[4].option_names(), "bypass ret");
        assert_eq!(levels[5].way(), levels[3].way());
    }

    #[test]
    fn a_misspelt_option_is_refused_with_its_line() {
        let error = level("summary = 's'\nkernel = 'ukl'\n[options]\nbypas = true").unwrap_err();
        insta::assert_snapshot!(error, @"line 4: unknown field `bypas`, expected one of `bypass`, `ret`, `shortcut`");
    }

    #[test]
    fn a_shortcut_needs_bypass() {
        let error = level("summary = 's'\nkernel = 'ukl'\n[options]\nshortcut = true").unwrap_err();
        insta::assert_snapshot!(error, @"level `test`: shortcut = true needs bypass = true: a shortcut is a direct call");
    }

    #[test]
    fn the_vanilla_kernel_has_no_options() {
        let error = level("summary = 's'\nkernel = 'vanilla'\n[options]\nbypass = true").unwrap_err();
        insta::assert_snapshot!(error, @r#"level `test`: [options] apply to kernel = "ukl" only, but kernel is "vanilla""#);
    }
}
