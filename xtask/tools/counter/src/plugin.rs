//! What QEMU calls: the entry points, and the callbacks that lead to the attribution.
//!
//! Until the begin mark only the marks and the task switch are instrumented, so that a boot costs what it always does.
//! There the translated code is thrown away, and from then on every instruction is looked at; at the end mark likewise.

use crate::attribution::{Attribution, Phase};
use crate::points::{Instruction, Points};
use crate::qemu::{self, Block, Id, Info, Qemu};
use crate::spec::Spec;
use anyhow::{Context, Result, ensure};
use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

/// The version of the interface we claim to be written for: QEMU refuses what it is not. Before 9.0 that is 1 at most and
/// from then on 2 at least, and no function used here differs; so the loader's call of `choose_version` decides, before
/// QEMU reads this.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub(crate) static qemu_plugin_version: AtomicI32 = AtomicI32::new(1);

#[used]
#[unsafe(link_section = ".init_array")]
static ON_LOAD: extern "C" fn() = choose_version;

extern "C" fn choose_version() {
    qemu_plugin_version.store(if qemu::is_old() { 1 } else { 2 }, Ordering::Relaxed);
}

/// What stays the same after `qemu_plugin_install`.
struct Plugin {
    id: Id,
    qemu: Qemu,
    points: Points,
    out: PathBuf,
    state: State,
}

/// What changes while the guest runs.
struct Mutable {
    attribution: Attribution,
    /// Every instruction seen, by address, never freed: translated code points to them.
    instructions: HashMap<u64, &'static Instruction>,
}

struct State(UnsafeCell<Mutable>);

// SAFETY: there is one virtual CPU (`install` checks it), hence one thread that translates and executes. QEMU makes its
// calls to us one after the other, and none of them is made from inside another.
unsafe impl Sync for State {}
// SAFETY: as above.
unsafe impl Send for State {}

static PLUGIN: OnceLock<Plugin> = OnceLock::new();

fn plugin() -> &'static Plugin {
    PLUGIN.get().expect("QEMU calls back after a successful installation only")
}

impl Plugin {
    #[expect(clippy::mut_from_ref, reason = "the one thread's state; see `State`")]
    fn state(&self) -> &mut Mutable {
        // SAFETY: no two references exist at a time, see `State`: each callback takes one and ends.
        unsafe { &mut *self.state.0.get() }
    }
}

/// Called by QEMU once, before the machine is made.
///
/// # Safety
///
/// QEMU's contract: `info` is valid during the call, and `argv` has `argc` C strings.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn qemu_plugin_install(
    id: Id,
    info: *const Info,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: see above.
    let (info, arguments) = unsafe {
        let arguments = (0..usize::try_from(argc).unwrap_or(0)).map(|index| CStr::from_ptr(*argv.add(index)));
        (&*info, arguments.map(|argument| argument.to_string_lossy().into_owned()).collect::<Vec<_>>())
    };
    match install(id, info, &arguments) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("ukl-counter: {error:#}");
            1
        }
    }
}

fn install(id: Id, info: &Info, arguments: &[String]) -> Result<()> {
    ensure!(info.system_emulation, "this QEMU emulates a process; a machine was expected");
    ensure!(info.virtual_cpus == 1, "the machine has {} CPUs; tasks are told apart on one only", info.virtual_cpus);
    let (spec, out) = files(arguments)?;
    let points = Points::new(Spec::read(&spec)?);
    let qemu = Qemu::find()?;
    let attribution = Attribution::new(&points);
    let state = State(UnsafeCell::new(Mutable { attribution, instructions: HashMap::new() }));
    let plugin = PLUGIN.get_or_init(|| Plugin { id, qemu, points, out, state });
    plugin.qemu.on_block_translated(id, translated);
    plugin.qemu.on_exit(id, at_exit);
    Ok(())
}

/// The two files that the arguments name.
fn files(arguments: &[String]) -> Result<(PathBuf, PathBuf)> {
    let value = |name: &str| {
        let prefix = format!("{name}=");
        let found = arguments.iter().find_map(|argument| argument.strip_prefix(&prefix));
        found.map(PathBuf::from).with_context(|| format!("`{prefix}FILE` is missing among the arguments {arguments:?}"))
    };
    let known = |argument: &&String| !["spec=", "out="].iter().any(|prefix| argument.starts_with(prefix));
    if let Some(unknown) = arguments.iter().find(known) {
        anyhow::bail!("argument `{unknown}` is unknown; `spec=FILE` and `out=FILE` are the arguments");
    }
    Ok((value("spec")?, value("out")?))
}

/// A block has been translated.
extern "C" fn translated(_id: Id, block: Block) {
    let plugin = plugin();
    let state = plugin.state();
    let phase = state.attribution.phase();
    for (insn, address) in plugin.qemu.instructions(block) {
        if phase != Phase::Done && address == plugin.points.spec().switch.load {
            plugin.qemu.on_access(insn, switched);
        }
        match phase {
            Phase::Before if address == crate::BEGIN_MARK => plugin.qemu.on_executed(insn, begun, &()),
            Phase::Counting => {
                let known = state.instructions.entry(address);
                let instruction = known.or_insert_with(|| Box::leak(Box::new(plugin.points.instruction(address))));
                plugin.qemu.on_executed(insn, executed, *instruction);
            }
            Phase::Before | Phase::Done => {}
        }
    }
}

/// The next task's stack pointer is loaded.
extern "C" fn switched(_cpu: c_uint, _details: u32, address: u64, _data: *mut c_void) {
    plugin().state().attribution.switch(address);
}

/// The begin mark is about to be executed. It ends its block, and QEMU looks for the work that a reset asks for before
/// the next one: nothing is executed in between.
extern "C" fn begun(_cpu: c_uint, _data: *mut c_void) {
    let plugin = plugin();
    plugin.state().attribution.begin();
    plugin.qemu.reset(plugin.id, instrument_anew);
}

extern "C" fn executed(_cpu: c_uint, data: *mut c_void) {
    // SAFETY: `translated` passed an instruction that is never freed.
    let instruction = unsafe { &*data.cast::<Instruction>() };
    let attribution = &mut plugin().state().attribution;
    if attribution.phase() != Phase::Counting {
        return;
    }
    attribution.execute(instruction);
    if attribution.phase() == Phase::Done {
        finish();
    }
}

/// After a reset, which has forgotten the callbacks.
extern "C" fn instrument_anew(id: Id) {
    plugin().qemu.on_block_translated(id, translated);
    plugin().qemu.on_exit(id, at_exit);
}

/// Writes what was counted, and lets the machine run on without us.
fn finish() {
    let plugin = plugin();
    let report = plugin.state().attribution.report(&plugin.points);
    if let Err(error) = report.write(&plugin.out) {
        eprintln!("ukl-counter: {error:#}");
    }
    plugin.qemu.reset(plugin.id, instrument_anew);
}

/// The machine ends; says so if that was too early.
extern "C" fn at_exit(_id: Id, _data: *mut c_void) {
    let what = match plugin().state().attribution.phase() {
        Phase::Before => "begin",
        Phase::Counting => "end",
        Phase::Done => return,
    };
    eprintln!("ukl-counter: no process has reached the {what} mark, so there is no report");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<(PathBuf, PathBuf)> {
        files(&arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_name_two_files_in_any_order() {
        assert_eq!(parse(&["out=b", "spec=a"]).unwrap(), ("a".into(), "b".into()));
    }

    #[test]
    fn a_missing_or_unknown_argument_is_named() {
        assert!(parse(&["spec=a"]).unwrap_err().to_string().starts_with("`out=FILE` is missing"));
        assert!(parse(&["spec=a", "out=b", "fast=on"]).unwrap_err().to_string().contains("`fast=on` is unknown"));
    }

    #[test]
    fn one_cpu_is_required() {
        let info = |system_emulation, virtual_cpus| Info {
            target_name: std::ptr::null(),
            version_minimum: 0,
            version_current: 1,
            system_emulation,
            virtual_cpus,
            virtual_cpus_at_most: virtual_cpus,
        };
        assert!(install(0, &info(true, 2), &[]).unwrap_err().to_string().contains("the machine has 2 CPUs"));
        assert!(install(0, &info(false, 1), &[]).unwrap_err().to_string().contains("emulates a process"));
    }
}
