# Every application at every level, and a user's own.
{
  lib,
  runCommand,
  writeText,
  writeShellApplication,
  linkFarm,
  binutils,
  e2fsprogs,
  passt,
  qemu,
  part,
  pin,
  tree,
  meta,
  xtask,
  counter,
  loadgen,
  app-runtime,
  libraries,
  guest,
  kernel,
}:
let
  inherit (kernel) levels;

  # `set.NAME`, or an error that says what there is.
  lookUp =
    kind: folder: set: name:
    set.${name}
      or (throw "ukl: ${kind} `${name}` is not in ${folder}; use one of: ${lib.concatStringsSep ", " (builtins.attrNames set)}");

  # What the user's program needs is the command's; QEMU and the rest are these.
  program =
    name: description: needs: repo: text:
    writeShellApplication {
      inherit name;
      runtimeInputs = [
        xtask
        binutils
        e2fsprogs
        passt
        qemu
      ];
      text = ''
        export UKL_PREBUILT=${lib.concatStringsSep ":" needs} UKL_REPO=${repo}
        ${text}
      '';
      meta = meta description;
    };

  # What `xtask` reads of an application when it boots it.
  files = [
    "kernel/kernel.toml"
    "kernel/levels"
    "guest"
  ];

  # An application from a checkout, `repo`, that has its folder; the images by level.
  application =
    {
      name,
      manifest,
      owner,
      repo,
      booted,
    }:
    let
      words = lib.concatLists ((manifest.build.configure or [ ]) ++ manifest.build.commands);
      isCxx = lib.any (lib.hasInfix "{cxx}") words;
      uses = map (lookUp "library" "apps/libraries" libraries) (manifest.libraries or [ ]);
      built = part {
        name = "app/${name}";
        description = manifest.summary;
        product = "app.o";
        inherit repo;
        needs = [
          app-runtime
        ]
        ++ uses
        ++ lib.optional (manifest ? source) (pin owner)
        ++ lib.optional isCxx app-runtime.cxx;
      };
      object =
        level:
        part {
          name = "object/${name}/${level.name}";
          description = "${name} for the kernel, bound to level ${level.name}";
          product = "app.o";
          inherit repo;
          needs = [
            app-runtime
            built
            kernel.sources.ukl
          ];
        };
      image =
        level:
        let
          bound = object level;
          # An ordinary process needs no object in its kernel.
          linkedIn = if level.kernel == "vanilla" then null else "${bound}/${bound.file}";
          linked = kernel.kernelWith {
            flavour = level.kernel;
            app = linkedIn;
          };
          title = if level.kernel == "vanilla" then "${level.name}-${name}" else "ukl-${name}-${level.name}";
          # The kernel as the part image/APP/LEVEL.
          parts = linkFarm "${title}-parts" [
            {
              name = "image/${name}/${level.name}/bzImage";
              path = "${linked}/bzImage";
            }
            {
              name = "image/${name}/${level.name}/vmlinux";
              path = "${linked.symbols}/vmlinux";
            }
          ];
          needs = [
            parts
            built
            guest
          ];
          run =
            program "run-${title}" "Boots ${name} at level ${level.name}" needs booted
              ''exec xtask run ${name} --level ${level.name} "$@"'';
        in
        lib.nameValuePair title (
          runCommand title
            {
              meta = meta "${manifest.summary}; ${level.summary}" // {
                mainProgram = "run-${title}";
              };
              passthru = {
                kernel = linked;
                app = name;
                object = linkedIn;
                inherit level needs built;
              };
            }
            ''
              mkdir -p $out/bin
              ln -s ${linked}/bzImage ${linked.symbols}/vmlinux $out/
              ln -s ${lib.getExe run} $out/bin/
              test -s $out/bzImage
            ''
        );
      wanted = lib.filterAttrs (level: _: !(manifest.skip_levels or { } ? ${level})) levels;
    in
    {
      inherit built manifest;
      byLevel = lib.mapAttrs (_: image) wanted;
    };

  # But those in Rust: with them cargo compiles the standard library, whose crates are named by a file of the toolchain. To read
  # it here would be an import from a derivation.
  names = builtins.attrNames (
    lib.filterAttrs (
      name: type:
      type == "directory"
      && builtins.pathExists (./. + "/${name}/app.toml")
      && !builtins.pathExists (./. + "/${name}/Cargo.toml")
    ) (builtins.readDir ./.)
  );
  ours = lib.genAttrs names (
    name:
    let
      owner = ./. + "/${name}/app.toml";
      manifest = builtins.fromTOML (builtins.readFile owner);
      own = [
        "apps/${name}"
      ]
      ++ map (library: "apps/libraries/${library}.toml") (manifest.libraries or [ ]);
    in
    application {
      inherit name manifest owner;
      repo = tree (
        [
          "kernel/kernel.toml"
          "kernel/levels"
          "app-runtime/exports.txt"
        ]
        ++ own
      );
      booted = tree (files ++ own);
    }
  );

  imagesOf = app: builtins.listToAttrs (builtins.attrValues app.byLevel);
  image =
    app: level:
    let
      known = lookUp "application" "apps" ours app;
      named = builtins.seq (lookUp "level" "kernel/levels" levels level) known.byLevel.${level} or null;
    in
    if named == null then
      throw "ukl: application `${app}` does not run at level `${level}`: ${
        known.manifest.skip_levels.${level}
      }"
    else
      named.value;
in
{
  inherit image;
  # `linux-redis`, `ukl-redis-byb`, ...
  images = lib.concatMapAttrs (_: imagesOf) ours;

  # The images of a program of the user's own. `manifest` has the fields of an app.toml, `src` the sources.
  mkUklApp =
    {
      name,
      src,
      summary ? "The application ${name}",
      # Commands, a list of words each, with the placeholders of app.toml: [ [ "make" "CC={cc}" ] ].
      build,
      # The program that they make, relative to `src`.
      entry,
      # The table `[guest]`.
      guest ? {
        ready = "exit";
      },
    }:
    let
      manifest = {
        inherit summary;
        build = {
          commands = build;
          executable = entry;
        };
        inherit guest;
      };
      # JSON's strings, numbers and arrays are TOML's; a table is not.
      value =
        v:
        if builtins.isAttrs v then
          "{ ${
            lib.concatStringsSep ", " (lib.mapAttrsToList (key: v: "${builtins.toJSON key} = ${value v}") v)
          } }"
        else
          builtins.toJSON v;
      owner = writeText "app.toml" (
        lib.concatStrings (lib.mapAttrsToList (key: v: "${key} = ${value v}\n") manifest)
      );
      repo = runCommand "ukl-files-${name}" { } ''
        cp -r ${tree (files ++ [ "app-runtime/exports.txt" ])} $out
        chmod -R u+w $out
        mkdir -p $out/apps
        cp -r ${src} $out/apps/${name}
        chmod -R u+w $out/apps
        cp ${owner} $out/apps/${name}/app.toml
      '';
    in
    imagesOf (application {
      inherit
        name
        manifest
        owner
        repo
        ;
      booted = repo;
    });

  # `cargo xtask bench` over images that are built already.
  bench =
    let
      measured = lib.filter (name: builtins.pathExists (./. + "/${name}/bench.toml")) names;
      needs = lib.concatMap (
        name: lib.concatMap (image: image.needs) (builtins.attrValues (imagesOf ours.${name}))
      ) measured;
    in
    program "ukl-bench" "Counts instructions at every level"
      (
        lib.unique needs
        ++ [
          counter
          loadgen
        ]
      )
      (tree (
        files
        ++ [
          "docs"
          "apps/libraries"
        ]
        ++ map (name: "apps/${name}") measured
      ))
      ''exec xtask bench "$@"'';
}
