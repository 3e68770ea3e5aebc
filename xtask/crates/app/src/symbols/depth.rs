//! How deep the stack is at each instruction of a function that nobody describes: the C library is compiled without tables of
//! frames, and nothing written in assembly has one.

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use std::collections::BTreeMap;

/// From where on the frame has which size: address and bytes between the stack pointer and the caller's, the return address
/// included. `None` where the stack pointer is no longer a sum.
pub(super) type Depths = Vec<(u64, Option<i64>)>;

/// On entry there is the return address.
const ENTRY: i64 = 8;

/// Follows the function's branches from its entry. What no branch reaches (the place behind a jump into the kernel, say) has
/// the depth of the instruction before it.
pub(super) fn depths(address: u64, code: &[u8]) -> Depths {
    let list: Vec<Instruction> = Decoder::with_ip(64, code, address, DecoderOptions::NONE).iter().collect();
    let places: BTreeMap<u64, usize> =
        list.iter().enumerate().map(|(at, instruction)| (instruction.ip(), at)).collect();
    let mut known: Vec<Option<Option<i64>>> = vec![None; list.len()];
    for start in 0..list.len() {
        if known[start].is_some() {
            continue;
        }
        let depth = start.checked_sub(1).map_or(Some(ENTRY), |before| known[before].flatten());
        let mut open = vec![(start, depth)];
        while let Some((at, depth)) = open.pop() {
            if known[at].is_some() {
                continue;
            }
            known[at] = Some(depth);
            let instruction = &list[at];
            let after = depth.and_then(|depth| after(instruction, depth));
            let target = places.get(&instruction.near_branch_target());
            match instruction.flow_control() {
                FlowControl::Return | FlowControl::IndirectBranch | FlowControl::Exception => {}
                FlowControl::UnconditionalBranch => open.extend(target.map(|&target| (target, after))),
                FlowControl::ConditionalBranch => {
                    open.extend(target.map(|&target| (target, after)));
                    open.extend((at + 1 < list.len()).then_some((at + 1, after)));
                }
                _ => open.extend((at + 1 < list.len()).then_some((at + 1, after))),
            }
        }
    }
    let mut depths: Depths = Vec::new();
    for (instruction, depth) in list.iter().zip(known) {
        let depth = depth.flatten();
        if depths.last().is_none_or(|(_, last)| *last != depth) {
            depths.push((instruction.ip(), depth));
        }
    }
    depths
}

/// The depth behind an instruction, if it is still known.
fn after(instruction: &Instruction, depth: i64) -> Option<i64> {
    // What is called gives back what it takes.
    if matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall | FlowControl::Interrupt) {
        return Some(depth);
    }
    if matches!(instruction.mnemonic(), Mnemonic::Syscall | Mnemonic::Ret) {
        return Some(depth);
    }
    let writes = instruction.op_count() > 0
        && instruction.op0_kind() == OpKind::Register
        && instruction.op0_register() == Register::RSP
        && !matches!(instruction.mnemonic(), Mnemonic::Cmp | Mnemonic::Test | Mnemonic::Push | Mnemonic::Pop);
    if !writes {
        if matches!(instruction.mnemonic(), Mnemonic::Leave | Mnemonic::Enter) {
            return None;
        }
        return Some(depth - i64::from(instruction.stack_pointer_increment()));
    }
    match instruction.code() {
        Code::Add_rm64_imm8 | Code::Add_rm64_imm32 => Some(depth - instruction.immediate(1).cast_signed()),
        Code::Sub_rm64_imm8 | Code::Sub_rm64_imm32 => Some(depth + instruction.immediate(1).cast_signed()),
        Code::Lea_r64_m
            if instruction.memory_base() == Register::RSP && instruction.memory_index() == Register::None =>
        {
            Some(depth - instruction.memory_displacement64().cast_signed())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes_subtractions_and_both_ways_of_a_branch() {
        // push rbx ; sub rsp,0x10 ; test edi,edi ; je +6 (the second epilogue) ; add rsp,0x10 ; pop rbx ; ret ;
        // call 0x2000 ; add rsp,0x10 ; pop rbx ; ret
        let code = [
            0x53, 0x48, 0x83, 0xec, 0x10, 0x85, 0xff, 0x74, 0x06, 0x48, 0x83, 0xc4, 0x10, 0x5b, 0xc3, 0xe8, 0xec, 0x0f,
            0, 0, 0x48, 0x83, 0xc4, 0x10, 0x5b, 0xc3,
        ];
        let expected = [
            (0x1000, Some(8)),
            (0x1001, Some(16)),
            (0x1005, Some(32)),
            (0x100d, Some(16)),
            (0x100e, Some(8)),
            (0x100f, Some(32)),
            (0x1018, Some(16)),
            (0x1019, Some(8)),
        ];
        assert_eq!(depths(0x1000, &code), expected);
    }

    #[test]
    fn what_no_branch_reaches_is_as_deep_as_what_stands_before_it() {
        // push rax ; jmp 0x2000 (the kernel) ; pop rcx ; ret
        let code = [0x50, 0xe9, 0xfa, 0x0f, 0, 0, 0x59, 0xc3];
        assert_eq!(depths(0x1000, &code), [(0x1000, Some(8)), (0x1001, Some(16)), (0x1007, Some(8))]);
    }

    #[test]
    fn an_aligned_stack_pointer_is_not_known() {
        // and rsp,-16 ; ret
        assert_eq!(depths(0x1000, &[0x48, 0x83, 0xe4, 0xf0, 0xc3]), [(0x1000, Some(8)), (0x1004, None)]);
    }
}
