{
  description = "Stands in for nixpkgs, crane and rust-overlay where they cannot be fetched; see README.md";

  outputs =
    _:
    let
      lib = import ./lib.nix;
      crane = import ./crane.nix;
    in
    {
      inherit lib;
      legacyPackages.x86_64-linux = lib.packageSet (import ./packages.nix { inherit lib; });
      inherit (crane) mkLib;
      overlays.default = crane.overlay;
    };
}
