# crane and rust-overlay, over the toolchain that the sandbox has at /rust.
{
  overlay = final: _: {
    rust-bin.fromRustupToolchainFile =
      file:
      let
        asked = (builtins.fromTOML (builtins.readFile file)).toolchain;
      in
      final.runCommand "rust-${asked.channel}" { } ''
        mkdir -p $out/bin
        ln -s /rust/bin/* $out/bin/
        PATH=$out/bin:$PATH
        rustc --version | grep --fixed-strings ' ${asked.channel} '
        for target in ${toString asked.targets}; do test -d /rust/lib/rustlib/$target/lib; done
      '';
  };

  mkLib =
    pkgs:
    let
      inherit (pkgs) lib stdenv;

      vendor =
        src:
        let
          lock = builtins.fromTOML (builtins.readFile (src.origSrc + "/Cargo.lock"));
          crates = lib.filter (package: package ? checksum) lock.package;
          crate =
            {
              name,
              version,
              checksum,
              ...
            }:
            let
              tarball = pkgs.fetchurl {
                name = "${name}-${version}.crate";
                # The sandbox has it by its name, from the cache of cargo.
                urls = [ ];
                sha256 = checksum;
              };
            in
            ''
              tar --extract --file ${tarball} --directory $out
              echo '{"files":{},"package":"${checksum}"}' > $out/${name}-${version}/.cargo-checksum.json
            '';
        in
        pkgs.runCommand "vendored-crates" { } ("mkdir $out\n" + lib.concatMapStrings crate crates);

      forToolchain =
        toolchain:
        let
          cargo =
            suffix: command: attrs:
            stdenv.mkDerivation (
              builtins.removeAttrs attrs [
                "cargoArtifacts"
                "strictDeps"
              ]
              // {
                pname = "${attrs.pname}${suffix}";
                nativeBuildInputs = [ toolchain ] ++ attrs.nativeBuildInputs or [ ];
                configurePhase = ''
                  export CARGO_HOME=$NIX_BUILD_TOP/cargo HOME=$NIX_BUILD_TOP
                  mkdir $CARGO_HOME
                  echo '[source.crates-io]
                  replace-with = "vendored"
                  [source.vendored]
                  directory = "${vendor attrs.src}"' > $CARGO_HOME/config.toml
                '';
                buildPhase = command;
                installPhase = ''
                  mkdir -p $out
                  ${attrs.installPhaseCommand or ""}
                  runHook postInstall
                '';
              }
            );
          extra = attrs: attrs.cargoExtraArgs or "--locked";
        in
        {
          cargo = toolchain;
          overrideToolchain = f: forToolchain (f pkgs);
          # Compiles the dependencies once for all; here each build compiles its own.
          buildDepsOnly = attrs: attrs;
          buildPackage =
            attrs:
            cargo "" "${attrs.cargoBuildCommand or "cargo build --release"} ${extra attrs}" (
              {
                installPhaseCommand = ''
                  mkdir -p $out/bin
                  find target/release -maxdepth 1 -type f -executable -exec cp {} $out/bin/ \;
                '';
              }
              // attrs
            );
          cargoFmt = cargo "-fmt" "cargo fmt --all --check";
          cargoClippy =
            attrs: cargo "-clippy" "cargo clippy --release ${extra attrs} ${attrs.cargoClippyExtraArgs}" attrs;
          cargoTest = attrs: cargo "-test" "cargo test --release ${extra attrs}" attrs;
        };
    in
    forToolchain (throw "name a toolchain with overrideToolchain");
}
