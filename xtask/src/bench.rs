//! Instructions per operation at each level, and what the patches cost the ordinary processes beside it.

pub mod measure;

use crate::counts::rules::{Kind, LeftOut};
use crate::counts::{self, Place, Rules, Verdict};
use crate::ctx::Ctx;
use crate::failure::Failure;
use crate::vm::interrupt;
use anyhow::Result;
use measure::Program;

/// Options of `bench`.
#[derive(clap::Args)]
pub struct Args {
    /// The benchmark: a folder of apps/ with a bench.toml.
    #[arg(long, default_value = "microbench")]
    app: String,
    /// Levels to measure, separated by commas; rules about the others are left alone [default: every level].
    #[arg(long, value_delimiter = ',')]
    levels: Option<Vec<String>>,
}

/// Runs `bench`: boots each level under an instruction counter, prints the table, and fails when a rule of bench.toml is
/// broken.
pub fn run(ctx: &Ctx, args: Args) -> Result<()> {
    let app = ctx.repo.app(&args.app)?;
    let Some(rules) = Rules::find(&ctx.repo, &app.dir)? else {
        return Err(Failure::usage(
            format!(
                "application `{}` has no {}, so it is no benchmark",
                app.name,
                app.dir.join("bench.toml").display()
            ),
            "`cargo xtask bench --app microbench`",
        ));
    };
    let levels = match &args.levels {
        Some(names) => names.iter().map(|name| ctx.repo.level(name)).collect::<Result<Vec<_>>>()?,
        None => measure::levels(ctx, &app, &rules)?,
    };
    let measured = |name: &String| levels.iter().any(|level| level.name == *name);
    let left_out: LeftOut = match &args.levels {
        Some(_) => rules.levels().into_iter().filter(|name| !measured(name)).collect(),
        None => LeftOut::new(),
    };
    interrupt::catch();
    let mut runs = Vec::new();
    for level in &levels {
        // It is the same kernel at each of its levels, so once is enough.
        let beside = runs.iter().all(|run: &counts::Measured| run.place != Place::Beside);
        runs.extend(measure::run(ctx, &app, level, &Program { arguments: "", beside })?);
    }
    // What it costs others stands behind the levels.
    runs.sort_by_key(|run| run.place == Place::Beside);

    println!("instructions per operation under qemu -icount shift=0: the median of the batches, and before it the");
    println!("minimum where that differs\n");
    print!("{}", counts::table(&runs));
    println!();
    if !left_out.is_empty() {
        let names: Vec<_> = left_out.iter().map(String::as_str).collect();
        println!("not compared, because --levels leaves it out: {}", names.join(", "));
    }
    let verdicts = rules.judge(&runs, &left_out);
    summarise(&verdicts);
    let broken = verdicts.iter().filter(|verdict| !verdict.holds).count();
    if broken > 0 {
        return Err(Failure::new(
            format!("{broken} of {} rules in {} are broken", verdicts.len(), app.dir.join("bench.toml").display()),
            "look for what the last change added to the path of what is named above",
        ));
    }
    Ok(())
}

/// A line for each kind of rule and one for each that is broken; those that hold can be read off the table.
fn summarise(verdicts: &[Verdict]) {
    let kinds = [
        (Kind::Order, "comparisons of levels"),
        (Kind::Limit, "limits"),
        (Kind::Ledger, "comparisons of ordinary processes on the two kernels"),
    ];
    for (kind, what) in kinds {
        let of_kind = || verdicts.iter().filter(|verdict| verdict.kind == kind);
        println!("{} of {} {what} hold", of_kind().filter(|verdict| verdict.holds).count(), of_kind().count());
    }
    for verdict in verdicts.iter().filter(|verdict| !verdict.holds) {
        println!("BROKEN {}: {}", verdict.count, verdict.text);
    }
}
