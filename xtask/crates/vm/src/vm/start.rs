//! Starts QEMU.

use crate::net::{self, Cable, Connection};
use crate::qemu::{self, Accelerator, Channel, Machine, Q35, Shape};
use crate::vm::emulator::{Emulator, Place};
use crate::vm::events::{Feed, Heard};
use crate::vm::place::{HostFiles, Reader};
use crate::vm::{MicroPlan, Plan, Vm, accel, clock};
use anyhow::{Context, Result};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Instant;
use ukl_host::failure::Failure;
use ukl_host::process;
use ukl_repo::ctx::Ctx;

/// The names of a machine's sockets.
pub(crate) const SHELL: &str = "shell";
pub(crate) const CONTROL: &str = "control";
pub(crate) const DEBUGGER: &str = "debug";

impl Vm {
    /// Starts the machine; it is up when `wait_ready` returns.
    pub fn boot(ctx: &Ctx, plan: &Plan) -> Result<Vm> {
        let emulator = plan.emulator.as_deref();
        let accelerator = match (emulator, plan.accelerator) {
            (Some(emulator), _) => emulator.accelerator(),
            (None, Some(accelerator)) => accelerator,
            (None, None) => accel::choose(ctx, plan)?,
        };
        let place = HostFiles::claim(ctx, &plan.name)?;
        let connection = net::connect(&plan.forwards, &place.network)?;
        let mut append = plan.append.clone();
        if emulator.is_none() && accelerator == Accelerator::Tcg {
            append.push(clock::known_rate());
        }
        let machine = Machine {
            kernel: plan.kernel.clone(),
            initramfs: plan.initramfs.clone(),
            accelerator,
            processor: plan.processor.clone(),
            memory_mib: plan.memory_mib,
            cpus: plan.cpus,
            network: connection.network.clone(),
            console: Some(place.log.clone()),
            append,
            shape: Shape::Q35(Box::new(Q35 {
                counter: plan.counter.clone(),
                cables: plan.cables.iter().map(Cable::end).collect(),
                disk: plan.disk.clone(),
                debian: plan.debian.clone(),
                debugger_socket: plan.debugger.then(|| place.socket(DEBUGGER)),
                shell: Channel::Socket(place.socket(SHELL)),
                control: Channel::Socket(place.socket(CONTROL)),
            })),
        };
        let patience = plan.patience * emulator.map_or(1, Emulator::patience);
        let command = match emulator {
            Some(emulator) => emulator.command(&machine, &Place(&place))?,
            None => qemu_command(&machine),
        };
        Vm::start(command, &machine, place, connection, &plan.cables, patience)
    }

    /// Starts a machine in which a kernel is entered directly.
    pub fn boot_micro(ctx: &Ctx, plan: &MicroPlan) -> Result<Vm> {
        let place = HostFiles::claim(ctx, &plan.name)?;
        let connection = Connection::user(&[plan.forward]);
        let machine = Machine {
            kernel: plan.kernel.clone(),
            initramfs: plan.initramfs.clone(),
            accelerator: if plan.counting { Accelerator::TcgCounting } else { Accelerator::Tcg },
            processor: None,
            memory_mib: plan.memory_mib,
            cpus: plan.cpus,
            network: connection.network.clone(),
            console: plan.console.then(|| place.log.clone()),
            append: vec![],
            shape: Shape::Microvm { tsc_khz: clock::rate_khz() },
        };
        Vm::start(qemu_command(&machine), &machine, place, connection, &[], 1)
    }

    fn start(
        mut command: Command,
        machine: &Machine,
        place: HostFiles,
        connection: Connection,
        cables: &[Cable],
        patience: u32,
    ) -> Result<Vm> {
        let said = File::create(&place.errors).with_context(|| format!("creating {}", place.errors.display()))?;
        command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said);
        // Ctrl-C is for us: we stop the machine in order.
        process::die_with_parent(&mut command).process_group(0);
        if let Some(socket) = &connection.socket {
            net::inherit(&mut command, socket);
        }
        for cable in cables {
            net::inherit(&mut command, &*cable.socket);
        }
        let started = Instant::now();
        let child = command.spawn().map_err(|error| {
            Failure::new(
                format!("starting {}: {error}", command.get_program().display()),
                "run `cargo xtask doctor`, which names the Debian package that has it",
            )
        })?;
        Ok(Vm {
            child,
            started,
            log: place.log.clone(),
            accelerator: machine.accelerator,
            has_console: machine.console.is_some(),
            patience,
            place,
            reader: Reader::default(),
            feed: Feed::default(),
            heard: Heard::default(),
            obeyed: 0,
            connection,
        })
    }
}

fn qemu_command(machine: &Machine) -> Command {
    let mut command = Command::new(qemu::PROGRAM);
    command.args(qemu::arguments(machine));
    command
}
