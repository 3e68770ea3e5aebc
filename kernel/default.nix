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
      dontConfigure = true;
      dontBuild = true;
      dontFixup = true;
      installPhase = ''
        mkdir -p $out/kernel-source
        cp -a . $out/kernel-source/${flavour}
        test -s $out/kernel-source/${flavour}/MAINTAINERS
      '';
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
      paths = [ "kernel/config" ];
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
        # Not the build ID's removal, which would make another image than the same sources do without Nix.
        postPatch = "patchShebangs scripts";
        env = old.env or { } // {
          KBUILD_BUILD_USER = manifest.stamp.user;
          KBUILD_BUILD_HOST = manifest.stamp.host;
          KBUILD_BUILD_VERSION = "1";
          LC_ALL = "C";
        };
        preConfigure = ''
          ${old.preConfigure or ""}
          export SOURCE_DATE_EPOCH=${toString manifest.stamp.time_s}
        '';
        makeFlags = old.makeFlags ++ [ "LOCALVERSION=" ];
        buildFlags = [
          "bzImage"
          "vmlinux"
        ]
        ++ lib.optional (app != null) "UKL_APP=${app}";
        passthru = old.passthru // {
          configuration = config;
        };
        preBuild = ''
          ${old.preBuild or ""}
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
