//! A table of frames (DWARF 5, section 6.4) for what the compiler's own does not describe.

use super::Program;
use super::depth::Depths;
use super::entries::{Caller, Entry};
use anyhow::{Context, Result};
use gimli::write::{
    Address, CallFrameInstruction, CommonInformationEntry, DebugFrame, EndianVec, Expression, FrameDescriptionEntry,
    FrameTable,
};
use gimli::{Encoding, Format, LittleEndian, Register, X86_64};

/// Of frames, whose versions are not those of DWARF.
const ENCODING: Encoding = Encoding { format: Format::Dwarf32, version: 1, address_size: 8 };

/// `pt_regs` on x86-64: the places of the instruction and stack pointers, and of the registers that a function keeps for its
/// caller.
const IP: i64 = 128;
const SP: i64 = 152;
const KEPT: [(Register, i64); 6] =
    [(X86_64::RBX, 40), (X86_64::RBP, 32), (X86_64::R12, 24), (X86_64::R13, 16), (X86_64::R14, 8), (X86_64::R15, 0)];

/// On entry the frame ends behind the return address.
const ON_ENTRY: CallFrameInstruction = CallFrameInstruction::Cfa(X86_64::RSP, 8);

/// The content of `.debug_frame`.
pub(super) fn debug_frame(program: &Program) -> Result<Vec<u8>> {
    let mut table = FrameTable::default();
    let functions = table.add_cie(common());
    for (address, depths) in program.frames.computed() {
        let size = program.functions.at(address).map_or(1, |function| function.size);
        let mut entry = description(address, size)?;
        depth_rows(&mut entry, address, depths)?;
        table.add_fde(functions, entry);
    }
    // As frames of signals are marked: a debugger then lets the stack of the caller be another one.
    let mut of_signals = common();
    of_signals.signal_trampoline = true;
    let entries = table.add_cie(of_signals);
    for place in &program.entries {
        let mut entry = description(place.address, place.size)?;
        entry_rows(&mut entry, place)?;
        table.add_fde(entries, entry);
    }
    let mut section = DebugFrame::from(EndianVec::new(LittleEndian));
    table.write_debug_frame(&mut section).context("writing the table of frames")?;
    Ok(section.0.into_vec())
}

/// What all functions begin with: code in bytes, data in units of -8 bytes, the return address below the frame's end.
fn common() -> CommonInformationEntry {
    let mut common = CommonInformationEntry::new(ENCODING, 1, -8, X86_64::RA);
    common.add_instruction(ON_ENTRY);
    common.add_instruction(CallFrameInstruction::Offset(X86_64::RA, -8));
    common
}

fn description(address: u64, size: u64) -> Result<FrameDescriptionEntry> {
    let size = u32::try_from(size).with_context(|| format!("the function at {address:#x} has {size} bytes"))?;
    Ok(FrameDescriptionEntry::new(Address::Constant(address), size))
}

/// How far into its function an address lies.
fn offset(function: u64, address: u64) -> Result<u32> {
    let offset = address.checked_sub(function).and_then(|offset| u32::try_from(offset).ok());
    offset.with_context(|| format!("{address:#x} is not in the function at {function:#x}"))
}

fn depth_rows(entry: &mut FrameDescriptionEntry, function: u64, depths: &Depths) -> Result<()> {
    for (address, depth) in depths {
        // What is not known keeps the last row: a debugger has nothing better.
        let Some(depth) = depth.and_then(|depth| u16::try_from(depth).ok()) else { continue };
        entry.add_instruction(offset(function, *address)?, CallFrameInstruction::CfaOffset(depth.into()));
    }
    Ok(())
}

fn entry_rows(entry: &mut FrameDescriptionEntry, place: &Entry) -> Result<()> {
    let saved = |offset: i64| {
        let mut expression = Expression::new();
        expression.op_breg(X86_64::RSP, offset);
        expression
    };
    let mut stack = saved(SP);
    stack.op_deref();
    for (address, caller) in &place.rows {
        let at = offset(place.address, *address)?;
        match caller {
            Caller::OnTop => entry.add_instruction(at, ON_ENTRY),
            Caller::BehindRegisters => {
                let mut behind = stack.clone();
                behind.op_plus_uconst(8);
                entry.add_instruction(at, CallFrameInstruction::CfaExpression(behind));
            }
            Caller::InRegisters => {
                entry.add_instruction(at, CallFrameInstruction::CfaExpression(stack.clone()));
                for (register, offset) in KEPT.into_iter().chain([(X86_64::RA, IP)]) {
                    entry.add_instruction(at, CallFrameInstruction::Expression(register, saved(offset)));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::{Frames, Functions};
    use gimli::read::{self, CieOrFde, UnwindSection};
    use std::fmt::Write;

    /// What a debugger makes of the table, a line for each row.
    fn rows(table: &[u8]) -> String {
        let section = read::DebugFrame::new(table, LittleEndian);
        let (bases, mut context) = (read::BaseAddresses::default(), read::UnwindContext::new());
        let (mut entries, mut text) = (section.entries(&bases), String::new());
        while let Some(entry) = entries.next().unwrap() {
            let CieOrFde::Fde(partial) = entry else { continue };
            let fde = partial.parse(read::DebugFrame::cie_from_offset).unwrap();
            let (first, end, signal) = (fde.initial_address(), fde.end_address(), fde.is_signal_trampoline());
            writeln!(text, "{first:#x}..{end:#x} signal {signal}").unwrap();
            let mut found = fde.rows(&section, &bases, &mut context).unwrap();
            while let Some(row) = found.next_row().unwrap() {
                let registers: Vec<_> = row.registers().map(|(register, _)| register.0).collect();
                let cfa = match row.cfa() {
                    read::CfaRule::RegisterAndOffset { register, offset } => format!("r{} + {offset}", register.0),
                    read::CfaRule::Expression(place) => format!("{:02x?}", place.get(&section).unwrap().0.slice()),
                };
                writeln!(text, "  {:#x} {cfa} kept {registers:?}", row.start_address()).unwrap();
            }
        }
        text
    }

    #[test]
    fn a_debugger_reads_each_row() {
        let mut frames = Frames::read(0, &[]).unwrap();
        frames.add(0x1000, vec![(0x1000, Some(8)), (0x1001, Some(16)), (0x1200, None), (0x1210, Some(0x208))]);
        let rows_of = [(0x2000, Caller::OnTop), (0x2007, Caller::BehindRegisters), (0x2011, Caller::InRegisters)];
        let program = Program {
            text: 0x1000..0x3000,
            code: vec![],
            functions: Functions::default(),
            frames,
            eh_frame: (0, vec![]),
            entries: vec![Entry { address: 0x2000, size: 0x20, rows: rows_of.to_vec() }],
        };
        insta::assert_snapshot!(rows(&debug_frame(&program).unwrap()), @"
        0x1000..0x1001 signal false
          0x1000 r7 + 8 kept [16]
          0x1001 r7 + 16 kept [16]
          0x1210 r7 + 520 kept [16]
        0x2000..0x2020 signal true
          0x2000 r7 + 8 kept [16]
          0x2007 [77, 98, 01, 06, 23, 08] kept [16]
          0x2011 [77, 98, 01, 06] kept [16, 3, 6, 12, 13, 14, 15]
        ");
    }
}
