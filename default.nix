# Every package of the repository, each from the default.nix of its folder, with what they share.
{ pkgs, craneLib }:
let
  inherit (pkgs) lib;

  # `names` without their extension, of the TOML files in a folder.
  tomlFiles =
    dir:
    lib.mapAttrs' (file: _: lib.nameValuePair (lib.removeSuffix ".toml" file) (dir + "/${file}")) (
      lib.filterAttrs (file: _: lib.hasSuffix ".toml" file) (builtins.readDir dir)
    );

  # The checkout's files at and below these paths, without those of Nix. A change of any other rebuilds nothing.
  tree =
    paths:
    lib.cleanSourceWith {
      name = "ukl-files";
      src = ./.;
      filter =
        path: _:
        let
          here = lib.removePrefix "${toString ./.}/" path;
        in
        !lib.hasSuffix ".nix" here
        && lib.any (
          wanted: here == wanted || lib.hasPrefix "${wanted}/" here || lib.hasPrefix "${here}/" wanted
        ) paths;
    };
in
lib.makeScope pkgs.newScope (scope: {
  inherit craneLib tomlFiles tree;
  rustToolchain = craneLib.cargo;

  meta = description: {
    inherit description;
    license = lib.licenses.gpl2Only;
    platforms = [ "x86_64-linux" ];
  };

  # A pinned tarball, by the `[source]` block of its owner, in the layout that xtask takes it from.
  pin = scope.callPackage ./xtask/pin.nix { };
  # A part of an image, built by `xtask part`.
  part = scope.callPackage ./xtask/part.nix { };
  xtask = scope.callPackage ./xtask { };
  counter = scope.callPackage ./xtask/tools/counter { };
  loadgen = scope.callPackage ./xtask/tools/loadgen { };
  shell = scope.callPackage ./xtask/shell.nix { };

  kernel = scope.callPackage ./kernel { };
  inherit (scope.kernel) levels;
  app-runtime = scope.callPackage ./app-runtime { };
  libraries = scope.callPackage ./apps/libraries { };
  guest = scope.callPackage ./guest { };
  apps = scope.callPackage ./apps { };
  inherit (scope.apps)
    images
    image
    mkUklApp
    bench
    ;

  docs = pkgs.runCommand "ukl-docs" { meta = scope.meta "How ukl works and what it promises"; } ''
    mkdir -p $out/share/doc/ukl
    cp -r ${
      tree [
        "README.md"
        "docs"
      ]
    }/. $out/share/doc/ukl
    test -s $out/share/doc/ukl/docs/architecture.md
  '';
})
