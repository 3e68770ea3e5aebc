# The program behind every step, and what holds for the Rust code of the repository.
{
  lib,
  craneLib,
  tree,
  meta,
  binutils,
  gnumake,
  patch,
}:
let
  workspace = (builtins.fromTOML (builtins.readFile ../Cargo.toml)).workspace;
  members = [
    "Cargo.toml"
    "Cargo.lock"
    "rustfmt.toml"
  ]
  # What a pattern names lies below the member `xtask`.
  ++ lib.filter (member: !lib.hasInfix "*" member) workspace.members;
  common = {
    pname = "ukl";
    inherit (workspace.package) version;
    src = tree members;
    strictDeps = true;
  };
  built = common // {
    cargoArtifacts = craneLib.buildDepsOnly common;
  };
in
craneLib.buildPackage (
  built
  // {
    pname = "xtask";
    # With the linker that the toolchain takes a copy of.
    cargoExtraArgs = "--locked --package xtask --package ukl-ld";
    # The tests are a check of their own.
    doCheck = false;
    postInstall = "test -x $out/bin/xtask && test -x $out/bin/ukl-ld";
    meta = meta "Configures, links, boots and measures Unikernel Linux images" // {
      mainProgram = "xtask";
    };
    passthru = {
      # For tools/counter and tools/loadgen, which are crates of the same workspace.
      crate = built;
      checks = {
        fmt = craneLib.cargoFmt common;
        clippy = craneLib.cargoClippy (
          built
          // {
            cargoClippyExtraArgs = "--workspace --all-targets -- --deny warnings";
          }
        );
        # Over the whole checkout, because some of them look after its files.
        unit = craneLib.cargoTest (
          built
          // {
            src = tree (builtins.attrNames (builtins.readDir ../.));
            cargoExtraArgs = "--locked --workspace";
            nativeBuildInputs = [
              binutils
              gnumake
              patch
            ];
            env.INSTA_UPDATE = "no";
          }
        );
      };
    };
  }
)
