//! A running machine of the lean kernel profile with its server.

use super::Image;
use super::answer::{self, Question};
use anyhow::Result;
use std::time::Duration;
use ukl_repo::ctx::Ctx;
use ukl_vm::net::{self, Forward};
use ukl_vm::vm::{MicroPlan, Vm};

/// A boot takes half a second; a counted one on a busy machine a minute.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// How a machine is made.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub memory_mib: u32,
    pub cpus: u32,
    /// With a serial console, which costs time.
    pub console: bool,
    /// An instruction is a nanosecond; the console says what initialisation takes.
    pub counting: bool,
}

/// A machine and the way to its server.
#[derive(Debug)]
pub struct Server {
    pub vm: Vm,
    /// The host's port that leads to the server.
    pub port: u16,
    question: Question,
}

impl Server {
    /// Starts the machine of an image.
    pub fn start(ctx: &Ctx, image: &Image, options: Options) -> Result<Self> {
        let question = Question::of(&image.requests)?;
        let port = net::free_port()?;
        let plan = MicroPlan {
            name: format!("lean-{}-{}", image.app.name, image.level.name),
            kernel: image.kernel.clone(),
            initramfs: image.initramfs.clone(),
            memory_mib: options.memory_mib,
            cpus: options.cpus,
            forward: Forward { host: port, guest: image.requests.port },
            console: options.console,
            counting: options.counting,
        };
        Ok(Server { vm: Vm::boot_micro(ctx, &plan)?, port, question })
    }

    /// The time from the start of QEMU to the server's first answer.
    pub fn first_answer(&mut self) -> Result<Duration> {
        let vm = &mut self.vm;
        match answer::first(vm.started, self.port, self.question, DEADLINE, || vm.check_alive())? {
            Some(time) => Ok(time),
            None => Err(self.vm.failure(format!("the server did not answer within {} s", DEADLINE.as_secs()))),
        }
    }
}
