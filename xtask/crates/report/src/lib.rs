//! Keeps records of measurements and renders them: statistics, cost model, page.

// Its macros take the place of the standard library's.
#[macro_use]
extern crate ukl_host;

pub mod calibrate;
pub mod model;
pub mod record;
pub mod report;
pub mod stats;
