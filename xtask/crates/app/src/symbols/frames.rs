//! A table of frames (DWARF 5, section 6.4) for what the compiler's own does not describe.

use super::Program;
use super::depth::Depths;
use super::entries::{Caller, Entry};

const DEF_CFA: u8 = 0x0c;
const DEF_CFA_OFFSET: u8 = 0x0e;
const DEF_CFA_EXPRESSION: u8 = 0x0f;
const EXPRESSION: u8 = 0x10;
const OFFSET: u8 = 0x80;
const ADVANCE_LOC4: u8 = 0x04;
/// In expressions: RSP plus a signed number, what lies at an address, plus a number.
const BREG7: u8 = 0x77;
const DEREF: u8 = 0x06;
const PLUS: u8 = 0x23;

/// `pt_regs` on x86-64: the places of the instruction and stack pointers, and of the registers that a function keeps for its
/// caller, each with its number in DWARF.
const IP: u64 = 128;
const SP: u64 = 152;
const KEPT: [(u8, u64); 6] = [(3, 40), (6, 32), (12, 24), (13, 16), (14, 8), (15, 0)];

/// The content of `.debug_frame`.
pub fn debug_frame(program: &Program) -> Vec<u8> {
    // Version 1, no augmentation, code in bytes, data in units of -8 bytes, the return address is register 16; on entry the
    // frame ends 8 bytes above RSP, and the return address lies below its end.
    let rest = [1, 0x78, 16, DEF_CFA, 7, 8, OFFSET | 16, 1];
    let mut table = Vec::new();
    entry(&mut table, &[&u32::MAX.to_le_bytes()[..], &[1, 0], &rest].concat());
    for (address, depths) in program.frames.computed() {
        let size = program.functions.at(address).map_or(1, |function| function.size);
        let mut body = head(0, address, size);
        depth_rows(&mut body, address, depths);
        entry(&mut table, &body);
    }
    // With augmentation S, as frames of signals have it: a debugger then lets the stack of the caller be another one.
    let common = table.len() as u32;
    entry(&mut table, &[&u32::MAX.to_le_bytes()[..], &[1, b'S', 0], &rest].concat());
    for place in &program.entries {
        let mut body = head(common, place.address, place.size);
        entry_rows(&mut body, place);
        entry(&mut table, &body);
    }
    table
}

fn head(common: u32, address: u64, size: u64) -> Vec<u8> {
    [&common.to_le_bytes()[..], &address.to_le_bytes(), &size.to_le_bytes()].concat()
}

/// Adds an entry, filled up to eight bytes.
fn entry(table: &mut Vec<u8>, body: &[u8]) {
    let padded = (body.len() + 4).next_multiple_of(8) - 4;
    table.extend((padded as u32).to_le_bytes());
    table.extend(body);
    // DW_CFA_nop is zero.
    table.resize(table.len() + padded - body.len(), 0);
}

/// Goes on to an address.
fn advance(body: &mut Vec<u8>, at: &mut u64, address: u64) {
    if address > *at {
        body.push(ADVANCE_LOC4);
        body.extend(((address - *at) as u32).to_le_bytes());
        *at = address;
    }
}

fn depth_rows(body: &mut Vec<u8>, mut at: u64, depths: &Depths) {
    for (address, depth) in depths {
        // What is not known keeps the last row: a debugger has nothing better.
        let Some(depth) = depth.and_then(|depth| u64::try_from(depth).ok()) else { continue };
        advance(body, &mut at, *address);
        body.push(DEF_CFA_OFFSET);
        unsigned(body, depth);
    }
}

fn entry_rows(body: &mut Vec<u8>, place: &Entry) {
    let mut at = place.address;
    let saved = |offset: u64| {
        let mut expression = vec![BREG7];
        // As a signed number: 64 and more need another byte.
        expression.extend([(offset as u8 & 0x7f) | 0x80, (offset >> 7) as u8]);
        expression
    };
    for (address, caller) in &place.rows {
        advance(body, &mut at, *address);
        match caller {
            Caller::OnTop => body.extend([DEF_CFA, 7, 8]),
            Caller::BehindRegisters => {
                let expression = [&saved(SP)[..], &[DEREF, PLUS, 8]].concat();
                body.extend([DEF_CFA_EXPRESSION, expression.len() as u8]);
                body.extend(expression);
            }
            Caller::InRegisters => {
                let expression = [&saved(SP)[..], &[DEREF]].concat();
                body.extend([DEF_CFA_EXPRESSION, expression.len() as u8]);
                body.extend(expression);
                for (number, offset) in KEPT.into_iter().chain([(16, IP)]) {
                    let expression = saved(offset);
                    body.extend([EXPRESSION, number, expression.len() as u8]);
                    body.extend(expression);
                }
            }
        }
    }
}

/// Seven bits a byte, the lowest first (LEB128).
fn unsigned(body: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        body.push(value as u8 | 0x80);
        value >>= 7;
    }
    body.push(value as u8);
}
