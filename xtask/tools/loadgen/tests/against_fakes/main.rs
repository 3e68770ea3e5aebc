//! The whole program and its library against servers in this process that do what they should, or exactly one thing
//! that they should not.

mod command_line;
mod fake;
mod faults;
mod good_servers;
mod open_loop;
