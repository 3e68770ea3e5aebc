{
  description = "ukl: an unmodified application inside the Linux kernel, beside an ordinary user space";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    crane.url = "github:ipetkov/crane";
    rust-overlay = {
      url = "github:oxalica/rust-overlay";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  # Every output is made from what lies in the folders; see their default.nix, and docs/nix.md for the commands.
  outputs =
    {
      self,
      nixpkgs,
      crane,
      rust-overlay,
    }:
    let
      inherit (nixpkgs) lib;
      system = "x86_64-linux";
      scopeFor =
        pkgs:
        import ./. {
          inherit pkgs;
          craneLib = (crane.mkLib pkgs).overrideToolchain (
            p: p.rust-bin.fromRustupToolchainFile ./rust-toolchain.toml
          );
        };
      pkgs = nixpkgs.legacyPackages.${system}.extend rust-overlay.overlays.default;
      ukl = scopeFor pkgs;
      tests = import ./nixos-tests {
        inherit pkgs ukl;
        module = self.nixosModules.ukl;
      };
    in
    {
      packages.${system} = ukl.images // {
        inherit (ukl) xtask app-runtime docs;
        kernel-src = ukl.kernel.sources.ukl;
        kernel = ukl.kernel.kernels.ukl;
        kernel-vanilla = ukl.kernel.kernels.vanilla;
        default = ukl.image "redis" "byb";
      };

      apps.${system} =
        let
          program = description: package: {
            type = "app";
            program = lib.getExe package;
            meta = { inherit description; };
          };
        in
        lib.mapAttrs (_: image: program image.meta.description image) ukl.images
        // {
          default = program "Redis at level byb" (ukl.image "redis" "byb");
          bench = program "Instructions per call, fault, process and switch at every level" ukl.bench;
          xtask = program "The program behind every step" ukl.xtask;
        };

      checks.${system} = ukl.xtask.checks // tests;

      devShells.${system}.default = ukl.shell;

      formatter.${system} = pkgs.nixfmt-tree;

      nixosModules.ukl = import ./kernel/nixos-module.nix { inherit scopeFor rust-overlay; };

      overlays.default = final: _: { ukl = scopeFor (final.extend rust-overlay.overlays.default); };

      lib = { inherit (ukl) mkUklApp image levels; };
    };
}
