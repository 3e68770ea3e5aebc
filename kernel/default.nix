# The kernels: sources, configurations, and what applications are linked into. A flavour is what a level names as its `kernel`.
{
  lib,
  stdenv,
  linuxManualConfig,
  part,
  pin,
  tomlFiles,
  meta,
  bc,
  bison,
  elfutils,
  flex,
  perl,
}:
let
  manifest = builtins.fromTOML (builtins.readFile ./kernel.toml);
  tarball = pin ./kernel.toml;
  inherit (tarball) version;

  levels = lib.mapAttrs (
    name: file:
    {
      inherit name;
      options = { };
    }
    // builtins.fromTOML (builtins.readFile file)
  ) (tomlFiles ./levels);
  flavours = lib.unique (lib.mapAttrsToList (_: level: level.kernel) levels);
  perFlavour = lib.genAttrs flavours;

  lines = file: lib.splitString "\n" (builtins.readFile file);
  # As xtask reads it: one name a line, `#` starts a comment.
  series = lib.filter (name: name != "") (
    map (line: lib.trim (builtins.head (lib.splitString "#" line))) (lines ./patches/series)
  );

  tools = [
    bc
    bison
    elfutils
    flex
    perl
  ];

  sources = perFlavour (
    flavour:
    stdenv.mkDerivation {
      pname = "linux-source-${flavour}";
      inherit version;
      src = tarball.tarball;
      patches = lib.optionals (flavour != "vanilla") (map (name: ./patches + "/${name}") series);
      # A patch that fits elsewhere by chance is worse than an error.
      patchFlags = [
        "-p1"
        "--fuzz=0"
        "--no-backup-if-mismatch"
      ];
      # Unpacked where it stays: some 80,000 files to copy and to remove otherwise.
      preUnpack = "mkdir -p $out/kernel-source && cd $out/kernel-source";
      postUnpack = ''
        mv "$sourceRoot" ${flavour}
        sourceRoot=${flavour}
      '';
      postPatch = "patchShebangs scripts";
      dontConfigure = true;
      dontBuild = true;
      dontFixup = true;
      installPhase = "test -s $out/kernel-source/${flavour}/MAINTAINERS";
      meta = meta "Linux ${version}${
        lib.optionalString (flavour != "vanilla") " with the patches of ukl"
      }";
    }
  );

  headers = part {
    name = "kernel-headers";
    description = "Linux ${version}'s headers for user space";
    product = "include/linux/version.h";
    needs = [ sources.vanilla ];
    inherit tools;
  };

  configuration =
    flavour: fragments:
    part {
      name = "config/${flavour}";
      description = "Complete configuration of the ${flavour} kernel";
      product = "config";
      # The series is part of the configuration's name in the cache of `xtask`.
      paths = [
        "kernel/config"
        "kernel/patches"
      ];
      needs = [ sources.${flavour} ];
      options = lib.concatMap (name: [
        "--fragment"
        name
      ]) fragments;
      inherit tools;
    };

  # What the fragments ask for; a request that Kconfig does not grant stops `configuration`. Known without building it, so
  # nothing is imported from a derivation.
  requests =
    flavour: fragments:
    let
      files = [ "base" ] ++ lib.optional (flavour != "vanilla") flavour ++ fragments;
      request = builtins.match "(CONFIG_[A-Z0-9_]+)=([^ #]+).*";
      all = lib.concatMap (name: lines (./config + "/${name}.config")) files;
    in
    builtins.listToAttrs (
      map (found: lib.nameValuePair (builtins.elemAt found 0) (builtins.elemAt found 1)) (
        lib.filter (found: found != null) (map request all)
      )
    );

  # A kernel of nixpkgs' own making. With `app`, an application's object, it is linked into it, from the objects of the
  # kernel without one: only the last steps are made again.
  kernelWith =
    {
      flavour,
      fragments ? [ ],
      app ? null,
    }:
    let
      config = configuration flavour fragments;
      plain = kernelWith { inherit flavour fragments; };
    in
    (linuxManualConfig {
      inherit version;
      modDirVersion = lib.versions.pad 3 version;
      src = "${sources.${flavour}}/kernel-source/${flavour}";
      configfile = "${config}/${config.file}";
      config = requests flavour fragments;
      extraMeta = meta "Linux ${version} of ukl (${flavour})";
    }).overrideAttrs
      (old: {
        # `tree` has the objects for those that link, `symbols` has vmlinux.
        outputs = old.outputs or [ "out" ] ++ [ "symbols" ] ++ lib.optional (app == null) "tree";
        nativeBuildInputs = old.nativeBuildInputs ++ tools;
        # The sources are read where they lie, patched already, as without Nix: nothing that would make another image.
        dontUnpack = true;
        patches = [ ];
        postPatch = "";
        env = old.env or { } // {
          KBUILD_BUILD_USER = manifest.stamp.user;
          KBUILD_BUILD_HOST = manifest.stamp.host;
          LC_ALL = "C";
        };
        preConfigure = ''
          ${old.preConfigure or ""}
          export SOURCE_DATE_EPOCH=${toString manifest.stamp.time_s}
          # Behind the flags of nixpkgs, which name a version and, in another form, a time of their own.
          buildFlagsArray+=(
            KBUILD_BUILD_VERSION=1
            "KBUILD_BUILD_TIMESTAMP=$(LC_ALL=C date --utc --date=@$SOURCE_DATE_EPOCH '+%a %b %e %H:%M:%S UTC %Y')"
          )
        '';
        makeFlags = old.makeFlags ++ [
          "-C"
          "${sources.${flavour}}/kernel-source/${flavour}"
          "LOCALVERSION="
          # As in xtask/crates/kernel/src/kernel.rs: the configuration does not tell which of these there are.
          "RUSTC=absent"
          "BINDGEN=absent"
          "PAHOLE=absent"
        ];
        buildFlags = [
          "bzImage"
          "vmlinux"
        ]
        ++ lib.optional (app != null) "UKL_APP=${app}";
        passthru = old.passthru // {
          configuration = config;
        };
        # Before `make prepare`, which then finds its tools, too.
        postConfigure = ''
          ${old.postConfigure or ""}
          ${lib.optionalString (app != null) ''
            tar --extract --file ${plain.tree}/objects.tar --directory "$buildRoot"
            rm -f "$buildRoot/vmlinux"
          ''}
        '';
        postInstall = ''
          ${old.postInstall or ""}
          test -s $out/bzImage
          mkdir -p $symbols
          cp "$buildRoot/vmlinux" $symbols/
          ${lib.optionalString (app == null) ''
            mkdir -p $tree
            tar --create --sort=name --owner=0 --group=0 --file $tree/objects.tar --directory "$buildRoot" .
          ''}
        '';
      });
in
{
  inherit
    levels
    sources
    headers
    tools
    kernelWith
    ;
  kernels = perFlavour (flavour: kernelWith { inherit flavour; });
}
