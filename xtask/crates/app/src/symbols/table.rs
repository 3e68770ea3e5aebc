//! The frames of a program: for each instruction, where its function keeps what the caller needs.

use super::depth::Depths;
use anyhow::{Context, Result};
use gimli::{
    BaseAddresses, CfaRule, CieOrFde, EhFrame, EhFrameOffset, LittleEndian, RegisterRule, UnwindContext, UnwindSection,
    X86_64,
};
use std::collections::BTreeMap;

/// The registers that a caller may have kept, by their numbers in DWARF, and the instruction pointer behind them.
pub(super) const REGISTERS: usize = 17;
/// The numbers of the two that every frame has.
pub const RSP: usize = 7;
pub const RIP: usize = 16;

/// What is known of the registers in a frame.
pub type Registers = [Option<u64>; REGISTERS];

/// All frames.
#[derive(Debug)]
pub struct Frames {
    table: Vec<u8>,
    bases: BaseAddresses,
    /// By the function's first address: its end, and its place in the table.
    described: BTreeMap<u64, (u64, usize)>,
    /// By the function's first address.
    computed: BTreeMap<u64, Depths>,
}

/// Why there is no caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The table says so: this is the outermost frame.
    Outermost,
    /// The table asks for what is not known.
    Unknown,
}

impl Frames {
    /// Reads a table in the format of `.eh_frame` that lies at `address`.
    pub fn read(address: u64, table: &[u8]) -> Result<Self> {
        let bases = BaseAddresses::default().set_eh_frame(address);
        let section = EhFrame::new(table, LittleEndian);
        let (mut described, mut entries) = (BTreeMap::new(), section.entries(&bases));
        while let Some(entry) = entries.next().context("an entry")? {
            let CieOrFde::Fde(partial) = entry else { continue };
            let fde = partial.parse(EhFrame::cie_from_offset).context("the description of a function")?;
            described.insert(fde.initial_address(), (fde.end_address(), fde.offset()));
        }
        Ok(Frames { table: table.to_vec(), bases, described, computed: BTreeMap::new() })
    }

    /// Whether the table describes the function there.
    pub fn covers(&self, address: u64) -> bool {
        self.described.range(..=address).next_back().is_some_and(|(_, (end, _))| address < *end)
    }

    /// Adds a function that the table does not describe.
    pub fn add(&mut self, address: u64, depths: Depths) {
        self.computed.insert(address, depths);
    }

    /// The functions that the table does not describe.
    pub fn computed(&self) -> impl Iterator<Item = (u64, &Depths)> {
        self.computed.iter().map(|(address, depths)| (*address, depths))
    }

    /// The caller's registers. `at` is the address whose description counts: for a frame that has called another, one inside the
    /// call. `load` reads eight bytes of the stack.
    pub fn caller(&self, at: u64, registers: &Registers, load: impl Fn(u64) -> Option<u64>) -> Result<Registers, End> {
        if self.covers(at) { self.by_table(at, registers, load) } else { self.by_depth(at, registers, load) }
    }

    fn by_depth(&self, at: u64, registers: &Registers, load: impl Fn(u64) -> Option<u64>) -> Result<Registers, End> {
        let (_, depths) = self.computed.range(..=at).next_back().ok_or(End::Unknown)?;
        let place = depths.partition_point(|(address, _)| *address <= at);
        let depth = place.checked_sub(1).and_then(|place| depths[place].1).ok_or(End::Unknown)?;
        let frame = registers[RSP].ok_or(End::Unknown)?.wrapping_add_signed(depth);
        let mut caller = *registers;
        caller[RIP] = Some(load(frame.wrapping_sub(8)).ok_or(End::Unknown)?);
        caller[RSP] = Some(frame);
        Ok(caller)
    }

    fn by_table(&self, at: u64, registers: &Registers, load: impl Fn(u64) -> Option<u64>) -> Result<Registers, End> {
        let (_, (_, offset)) = self.described.range(..=at).next_back().ok_or(End::Unknown)?;
        let section = EhFrame::new(&self.table, LittleEndian);
        let fde = section.fde_from_offset(&self.bases, EhFrameOffset(*offset), EhFrame::cie_from_offset);
        let fde = fde.map_err(|_| End::Unknown)?;
        let mut context = UnwindContext::new();
        let row = fde.unwind_info_for_address(&section, &self.bases, &mut context, at).map_err(|_| End::Unknown)?;
        let CfaRule::RegisterAndOffset { register, offset } = row.cfa() else { return Err(End::Unknown) };
        let base = registers.get(usize::from(register.0)).copied().flatten().ok_or(End::Unknown)?;
        let frame = base.wrapping_add_signed(*offset);
        let mut caller = *registers;
        for (number, register) in caller.iter_mut().enumerate() {
            match row.register(gimli::Register(number as u16)) {
                Some(RegisterRule::Offset(offset)) => *register = load(frame.wrapping_add_signed(offset)),
                Some(RegisterRule::Undefined) if number == usize::from(X86_64::RA.0) => return Err(End::Outermost),
                None | Some(RegisterRule::SameValue) => {}
                Some(_) => *register = None,
            }
        }
        caller[RSP] = Some(frame);
        if caller[RIP].is_none() { Err(End::Unknown) } else { Ok(caller) }
    }
}
