//! How the entries of #DB tell application mode from the kernel: their own instructions, executed for any frame. There are two:
//! the kernel's own, and the one of the second IDT. That of #MC, which this kernel is configured without, is the same macro of
//! arch/x86/ukl/idtentry_64.S.
//!
//! A #DB that MOV SS holds back comes after the next instruction, and if that is a SYSCALL, it hits the kernel's first one, with
//! the stack and the GS base of whoever made the call. Emulators deliver it at once, so nothing of that can be provoked in one;
//! what the entry would make of such a frame can.

use anyhow::{Context, Result, bail, ensure};
use iced_x86::{ConditionCode, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// For everybody who is no application: application mode does not exist for it.
const KERNELS_ENTRY: &str = "asm_exc_debug";
/// While a task of an application is current: processes do not exist for it.
const SECOND_ENTRY: &str = "ukl_asm_exc_debug";
/// What they call.
const AS_KERNEL: &str = "paranoid_entry";
const AS_PROCESS: &str = "error_entry";
const AS_APP: &str = "ukl_enter_from_app";
/// Where SYSCALL leads, and where SYSRET is: each instruction of them is looked at.
const ENDS_OF_SYSCALL: [&str; 2] = ["entry_SYSCALL_64", "entry_SYSCALL32_ignore"];
/// Where application mode is, besides the application's own text.
const STUBS: [&str; 7] = [
    "ukl_sys_39",
    "ukl_short_0",
    "ukl_bypass_full",
    "ukl_bypass_choose",
    "ukl_bypass_leave_end",
    "ukl_entry_syscall",
    "ukl_ret_jump",
];

/// What the names of functions and places begin with that are there for applications.
const OURS: &str = "ukl_";

const USER_STACK: u64 = 0x7fff_ffff_e000;
const KERNEL_STACK: u64 = 0xffff_c900_0000_3f00;
const KERNEL_CS: u64 = 0x10;
const USER_CS: u64 = 0x33;

/// What hardware pushes, in memory order.
#[derive(Clone, Copy, Debug)]
struct Frame {
    ip: u64,
    cs: u64,
    sp: u64,
}

impl Frame {
    /// The eight bytes at this offset.
    fn slot(self, offset: u64) -> Option<u64> {
        [self.ip, self.cs, 0x46, self.sp, 0x18].get(usize::try_from(offset / 8).ok()?).copied()
    }
}

/// A kernel's code and the names in it.
struct Kernel<'data> {
    elf: ElfFile64<'data>,
    addresses: HashMap<&'data str, (u64, u64)>,
    names: BTreeMap<u64, &'data str>,
}

/// Where a kernel has a function or a place in one.
pub(super) fn address(vmlinux: &Path, name: &str) -> Result<u64> {
    let bytes = std::fs::read(vmlinux).with_context(|| format!("reading {}", vmlinux.display()))?;
    Kernel::new(&bytes)?.address(name).with_context(|| format!("reading {}", vmlinux.display()))
}

/// Fails if anything that is not application mode is taken for it, or the other way round.
pub(super) fn check(vmlinux: &Path) -> Result<String> {
    let bytes = std::fs::read(vmlinux).with_context(|| format!("reading {}", vmlinux.display()))?;
    let kernel = Kernel::new(&bytes).with_context(|| format!("reading {}", vmlinux.display()))?;
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    let mut expect_from = |entry: &str, what: &str, frame: Frame, expected: &str| -> Result<()> {
        let code = kernel.code(entry)?;
        let target = called(code.0, code.1, frame).with_context(|| format!("executing {entry} for {frame:#x?}"))?;
        looked_at += 1;
        if target != kernel.address(expected)? {
            let got = kernel.names.get(&target).copied().unwrap_or("?");
            wrong.push(format!("{entry} at {what} with {:#x} in RSP calls {got}", frame.sp));
        }
        Ok(())
    };
    let own = (kernel.address("__ukl_text_start")?, kernel.address("__ukl_text_end")?);
    let stubs = STUBS.iter().map(|name| Ok((*name, kernel.address(name)?))).collect::<Result<Vec<_>>>()?;
    for (name, ip) in [("the application's text", own.0), ("its end", own.1 - 1)].into_iter().chain(stubs) {
        expect_from(SECOND_ENTRY, name, Frame { ip, cs: KERNEL_CS, sp: USER_STACK }, AS_APP)?;
        expect_from(SECOND_ENTRY, name, Frame { ip, cs: KERNEL_CS, sp: KERNEL_STACK }, AS_KERNEL)?;
        expect_from(KERNELS_ENTRY, name, Frame { ip, cs: KERNEL_CS, sp: USER_STACK }, AS_KERNEL)?;
    }
    expect_from(KERNELS_ENTRY, "a process", Frame { ip: 0x40_1000, cs: USER_CS, sp: USER_STACK }, AS_PROCESS)?;
    let mut expect_kernel = |what: &str, ip: u64| -> Result<()> {
        let frame = Frame { ip, cs: KERNEL_CS, sp: USER_STACK };
        expect_from(SECOND_ENTRY, what, frame, AS_KERNEL)?;
        expect_from(KERNELS_ENTRY, what, frame, AS_KERNEL)
    };
    for name in ENDS_OF_SYSCALL {
        let (start, size) = kernel.symbol(name)?;
        for ip in start..start + size {
            expect_kernel(&format!("{name}+{:#x}", ip - start), ip)?;
        }
    }
    let foreign = |ip: u64, name: &str| !(own.0..own.1).contains(&ip) && !name.starts_with(OURS);
    for (ip, name) in kernel.names.iter().filter(|(ip, name)| foreign(**ip, name)) {
        expect_kernel(name, *ip)?;
    }
    let count = wrong.len();
    ensure!(
        wrong.is_empty(),
        "{count} of {looked_at} frames are taken for what they are not: {}",
        wrong[..count.min(8)].join("; ")
    );
    Ok(format!("what #DB calls for {looked_at} frames with {AS_KERNEL} in the kernel, {AS_APP} in application mode"))
}

impl<'data> Kernel<'data> {
    fn new(bytes: &'data [u8]) -> Result<Self> {
        let elf = ElfFile64::parse(bytes)?;
        let code = |kind| matches!(kind, SymbolKind::Text | SymbolKind::Label | SymbolKind::Unknown);
        let mut addresses = HashMap::new();
        let mut names = BTreeMap::new();
        for symbol in elf.symbols().filter(|symbol| code(symbol.kind()) && symbol.address() > i64::MAX as u64) {
            let name = symbol.name()?;
            addresses.insert(name, (symbol.address(), symbol.size()));
            // Of several at one address, such as the one where a section begins, that of ours.
            let first: &mut &str = names.entry(symbol.address()).or_insert(name);
            if name.starts_with(OURS) {
                *first = name;
            }
        }
        Ok(Kernel { elf, addresses, names })
    }

    fn symbol(&self, name: &str) -> Result<(u64, u64)> {
        self.addresses.get(name).copied().with_context(|| format!("the kernel has no symbol `{name}`"))
    }

    fn address(&self, name: &str) -> Result<u64> {
        Ok(self.symbol(name)?.0)
    }

    /// A function's address and code.
    fn code(&self, name: &str) -> Result<(u64, &'data [u8])> {
        let (address, size) = self.symbol(name)?;
        let code = self.elf.sections().find_map(|section| section.data_range(address, size).ok()?);
        Ok((address, code.with_context(|| format!("the kernel has no code of `{name}`"))?))
    }
}

/// The bits that a comparison leaves behind.
#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    carry: bool,
    zero: bool,
    sign: bool,
}

/// The first function that an entry calls for a frame.
fn called(address: u64, code: &[u8], frame: Frame) -> Result<u64> {
    let mut ip = address;
    let mut pushed = 0;
    let mut flags = Flags::default();
    for _ in 0..1000 {
        let at = ip.checked_sub(address).and_then(|at| usize::try_from(at).ok());
        let rest = at.and_then(|at| code.get(at..)).context("it goes on outside of itself")?;
        let instruction = Decoder::with_ip(64, rest, ip, DecoderOptions::NONE).decode();
        ip = instruction.next_ip();
        match (instruction.flow_control(), instruction.mnemonic()) {
            (FlowControl::Call, _) => return Ok(instruction.near_branch_target()),
            (FlowControl::UnconditionalBranch, _) => ip = instruction.near_branch_target(),
            (FlowControl::ConditionalBranch, _) if holds(&instruction, flags)? => ip = instruction.near_branch_target(),
            (FlowControl::ConditionalBranch, _) => {}
            (_, Mnemonic::Nop | Mnemonic::Endbr64 | Mnemonic::Clac | Mnemonic::Cld) => {}
            (_, Mnemonic::Push) => pushed += 8,
            (_, Mnemonic::Cmp | Mnemonic::Test) => flags = compare(&instruction, frame, pushed)?,
            _ => bail!("`{:?}` at {:#x} is not known here", instruction.mnemonic(), instruction.ip()),
        }
    }
    bail!("it calls nothing within 1,000 instructions")
}

/// A comparison of something in the frame with a constant; the entry has pushed so many bytes below it.
fn compare(instruction: &Instruction, frame: Frame, pushed: u64) -> Result<Flags> {
    let known = instruction.op0_kind() == OpKind::Memory
        && instruction.memory_base() == Register::RSP
        && instruction.memory_index() == Register::None;
    let offset = instruction.memory_displacement64().checked_sub(pushed);
    let slot = offset.filter(|_| known).and_then(|offset| Some((frame.slot(offset)?, offset % 8)));
    let (slot, byte) = slot.with_context(|| format!("what {:#x} compares is not known here", instruction.ip()))?;
    let constant = instruction.immediate(1);
    let bits = 8 * instruction.memory_size().size() as u32;
    let cut = |value: u64| value & (u64::MAX >> (64 - bits));
    let value = cut(slot >> (8 * byte));
    let (result, carry) = match instruction.mnemonic() {
        Mnemonic::Test => (value & cut(constant), false),
        _ => (cut(value.wrapping_sub(cut(constant))), value < cut(constant)),
    };
    Ok(Flags { carry, zero: result == 0, sign: result >> (bits - 1) == 1 })
}

fn holds(instruction: &Instruction, flags: Flags) -> Result<bool> {
    Ok(match instruction.condition_code() {
        ConditionCode::b => flags.carry,
        ConditionCode::ae => !flags.carry,
        ConditionCode::e => flags.zero,
        ConditionCode::ne => !flags.zero,
        ConditionCode::s => flags.sign,
        ConditionCode::ns => !flags.sign,
        ConditionCode::be => flags.carry || flags.zero,
        ConditionCode::a => !flags.carry && !flags.zero,
        other => bail!("the condition {other:?} at {:#x} is not known here", instruction.ip()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// push -1 ; test byte [rsp+0x10],3 ; jne 0x1026 ; cmp qword [rsp+0x20],0 ; js 0x1021 ; nop... ; cmp qword [rsp+8],0x1000 ;
    /// jb 0x1026 ; nop... ; at 0x1021: call 0x2000 ; at 0x1026: call 0x3000
    const CODE: [u8; 43] = [
        0x6a, 0xff, 0xf6, 0x44, 0x24, 0x10, 0x03, 0x75, 0x1d, 0x48, 0x83, 0x7c, 0x24, 0x20, 0x00, 0x78, 0x10, 0x90,
        0x90, 0x90, 0x48, 0x81, 0x7c, 0x24, 0x08, 0x00, 0x10, 0x00, 0x00, 0x72, 0x07, 0x90, 0x90, 0xe8, 0xda, 0x0f,
        0x00, 0x00, 0xe8, 0xd5, 0x1f, 0x00, 0x00,
    ];

    #[test]
    fn an_entry_is_executed_for_a_frame() {
        let call = |ip, cs, sp| called(0x1000, &CODE, Frame { ip, cs, sp }).unwrap();
        assert_eq!(call(0x400, USER_CS, USER_STACK), 0x3000);
        assert_eq!(call(0x400, KERNEL_CS, KERNEL_STACK), 0x2000);
        assert_eq!(call(0x400, KERNEL_CS, USER_STACK), 0x3000);
        assert_eq!(call(0x1000, KERNEL_CS, USER_STACK), 0x2000);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let frame = Frame { ip: 0, cs: KERNEL_CS, sp: USER_STACK };
        // rdtsc ; jo ; cmp qword [rax],0 ; nop and the end
        for code in [&[0x0f, 0x31][..], &[0x70, 0x00], &[0x48, 0x83, 0x38, 0x00], &[0x90]] {
            assert!(called(0x1000, code, frame).is_err(), "{code:x?}");
        }
    }
}
