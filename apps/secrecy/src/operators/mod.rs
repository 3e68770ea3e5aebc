//! The relational operators, as the Secrecy paper (Liagouris et al., NSDI '23) defines them: each takes and gives shared
//! tables whose sizes depend on nothing but the sizes of the inputs, so they can be composed without revealing anything.

mod distinct;
mod group;
mod join;
mod reveal;
mod select;
mod shuffle;
mod sort;

pub use distinct::distinct;
pub use group::group_by;
pub use join::{join, semi_join};
pub use reveal::{Order, reveal};
pub use select::{Operand, Predicate, select};
pub use shuffle::shuffle;
pub use sort::sort;
