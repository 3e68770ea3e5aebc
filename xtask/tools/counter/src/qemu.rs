//! The part of QEMU's plug-in interface that is used here, declared by hand: the headers of QEMU 7.2 to 10 declare it alike.
//!
//! The functions are looked up in the running QEMU instead of being linked, so that the crate's tests need no QEMU and one
//! that was built without plug-ins is told apart by the name of what it lacks. Prototypes: `include/qemu/qemu-plugin.h`.

use anyhow::{Result, ensure};
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

/// `qemu_plugin_id_t`.
pub(crate) type Id = u64;
/// `struct qemu_plugin_tb`, a translated block; valid during the call that hands it over.
pub(crate) type Block = *mut c_void;
/// `struct qemu_plugin_insn`, likewise.
pub(crate) type Insn = *mut c_void;

pub(crate) type BlockTranslated = extern "C" fn(Id, Block);
pub(crate) type Executed = extern "C" fn(c_uint, *mut c_void);
/// CPU, details of the access, virtual address, user data.
pub(crate) type Accessed = extern "C" fn(c_uint, u32, u64, *mut c_void);
pub(crate) type Simple = extern "C" fn(Id);
pub(crate) type AtExit = extern "C" fn(Id, *mut c_void);

/// `QEMU_PLUGIN_CB_NO_REGS`: the callback looks at no register of the guest.
const NO_REGISTERS: c_int = 0;
/// `QEMU_PLUGIN_MEM_RW`: loads and stores. QEMU 7.2 mixes the two up when asked for one of them.
const ANY_ACCESS: c_int = 3;

/// `qemu_info_t`, whose layout is that of the system emulation.
#[repr(C)]
pub(crate) struct Info {
    pub target_name: *const c_char,
    pub version_minimum: c_int,
    pub version_current: c_int,
    pub system_emulation: bool,
    pub virtual_cpus: c_int,
    pub virtual_cpus_at_most: c_int,
}

/// Declares the table and how it is filled from the names in QEMU.
macro_rules! functions {
    ($($field:ident: $name:literal as fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions of the QEMU that loaded us.
        pub(crate) struct Qemu {
            $($field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Qemu {
            /// Looks all of them up.
            pub(crate) fn find() -> Result<Self> {
                Ok(Qemu {
                    $($field: {
                        let address = look_up($name);
                        ensure!(!address.is_null(), "this QEMU has no {}", $name.to_string_lossy());
                        // SAFETY: the name is QEMU's, and the type is that of its prototype.
                        unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($argument),*) $(-> $result)?>(address) }
                    },)*
                })
            }
        }
    };
}

functions! {
    on_block_translated: c"qemu_plugin_register_vcpu_tb_trans_cb" as fn(Id, BlockTranslated);
    on_executed: c"qemu_plugin_register_vcpu_insn_exec_cb" as fn(Insn, Executed, c_int, *mut c_void);
    on_accessed: c"qemu_plugin_register_vcpu_mem_cb" as fn(Insn, Accessed, c_int, c_int, *mut c_void);
    on_exit: c"qemu_plugin_register_atexit_cb" as fn(Id, AtExit, *mut c_void);
    reset: c"qemu_plugin_reset" as fn(Id, Simple);
    block_length: c"qemu_plugin_tb_n_insns" as fn(Block) -> usize;
    block_insn: c"qemu_plugin_tb_get_insn" as fn(Block, usize) -> Insn;
    insn_address: c"qemu_plugin_insn_vaddr" as fn(Insn) -> u64;
}

fn look_up(name: &CStr) -> *mut c_void {
    // SAFETY: the name is a C string.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}

/// Whether this QEMU speaks version 0 or 1 of the interface (before 9.0). Version 2 took this function away.
pub(crate) fn is_old() -> bool {
    !look_up(c"qemu_plugin_n_vcpus").is_null()
}

impl Qemu {
    pub(crate) fn on_block_translated(&self, id: Id, callback: BlockTranslated) {
        // SAFETY: the identity is the one that QEMU gave us.
        unsafe { (self.on_block_translated)(id, callback) }
    }

    /// `data` must live as long as translated code does.
    pub(crate) fn on_executed<T>(&self, insn: Insn, callback: Executed, data: &'static T) {
        // SAFETY: the instruction is of the block being translated; what `data` points to is never freed.
        unsafe { (self.on_executed)(insn, callback, NO_REGISTERS, std::ptr::from_ref(data).cast_mut().cast()) }
    }

    pub(crate) fn on_access(&self, insn: Insn, callback: Accessed) {
        // SAFETY: as above, without data.
        unsafe { (self.on_accessed)(insn, callback, NO_REGISTERS, ANY_ACCESS, std::ptr::null_mut()) }
    }

    pub(crate) fn on_exit(&self, id: Id, callback: AtExit) {
        // SAFETY: as above.
        unsafe { (self.on_exit)(id, callback, std::ptr::null_mut()) }
    }

    /// Forgets all translated code and all callbacks; `callback` registers new ones.
    pub(crate) fn reset(&self, id: Id, callback: Simple) {
        // SAFETY: as above.
        unsafe { (self.reset)(id, callback) }
    }

    /// The instructions of a block that is being translated, each with its address.
    pub(crate) fn instructions(&self, block: Block) -> impl Iterator<Item = (Insn, u64)> + '_ {
        // SAFETY: QEMU has just handed the block over, and the index stays below its length.
        unsafe {
            (0..(self.block_length)(block)).map(move |index| {
                let insn = (self.block_insn)(block, index);
                (insn, (self.insn_address)(insn))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_no_qemu_is_told_what_it_lacks() {
        let error = Qemu::find().err().unwrap().to_string();
        assert_eq!(error, "this QEMU has no qemu_plugin_register_vcpu_tb_trans_cb");
    }
}
