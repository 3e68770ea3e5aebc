# What this repository uses of nixpkgs' lib.
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    elem
    elemAt
    filter
    foldl'
    functionArgs
    genList
    head
    intersectAttrs
    isFunction
    isString
    length
    listToAttrs
    map
    mapAttrs
    match
    replaceStrings
    split
    stringLength
    substring
    ;
in
rec {
  inherit
    concatMap
    concatStringsSep
    filter
    head
    isString
    length
    map
    mapAttrs
    replaceStrings
    ;

  any = builtins.any;
  optional = condition: value: if condition then [ value ] else [ ];
  optionals = condition: values: if condition then values else [ ];
  optionalString = condition: text: if condition then text else "";
  unique = foldl' (seen: value: if elem value seen then seen else seen ++ [ value ]) [ ];
  concatLists = builtins.concatLists;
  flatten = value: if builtins.isList value then concatMap flatten value else [ value ];

  nameValuePair = name: value: { inherit name value; };
  mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
  mapAttrs' = f: set: listToAttrs (mapAttrsToList f set);
  filterAttrs = keep: set: removeAttrs set (filter (name: !keep name set.${name}) (attrNames set));
  genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
  concatMapAttrs = f: set: foldl' (all: one: all // one) { } (mapAttrsToList f set);

  concatStrings = concatStringsSep "";
  concatMapStrings = f: values: concatStrings (map f values);
  hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
  hasSuffix =
    suffix: text:
    let
      start = stringLength text - stringLength suffix;
    in
    start >= 0 && substring start (-1) text == suffix;
  hasInfix = part: text: length (splitString part text) > 1;
  removePrefix =
    prefix: text: if hasPrefix prefix text then substring (stringLength prefix) (-1) text else text;
  removeSuffix =
    suffix: text:
    if hasSuffix suffix text then substring 0 (stringLength text - stringLength suffix) text else text;
  splitString =
    separator: text:
    filter isString (
      split (replaceStrings [ "." "+" "*" "{" "}" ] [ "[.]" "[+]" "[*]" "[{]" "[}]" ] separator) text
    );
  trim = text: head (match "[ \t\r\n]*(.*[^ \t\r\n]|)[ \t\r\n]*" text);
  escapeShellArg = text: "'${replaceStrings [ "'" ] [ "'\\''" ] (toString text)}'";
  escapeShellArgs = concatMapStrings' " " escapeShellArg;
  concatMapStrings' =
    separator: f: values:
    concatStringsSep separator (map f values);
  makeBinPath = concatMapStrings' ":" (package: "${package}/bin");
  versions.pad =
    n: version:
    let
      parts = splitString "." version;
      part = at: if at < length parts then elemAt parts at else "0";
    in
    concatStringsSep "." (genList part n);

  cleanSourceWith =
    {
      name,
      src,
      filter,
    }:
    {
      _isLibCleanSourceWith = true;
      origSrc = src;
      inherit name filter;
      outPath = builtins.path {
        inherit name filter;
        path = src;
      };
    };

  getExe =
    package:
    "${package}/bin/${package.meta.mainProgram or (throw "${package.name} has no meta.mainProgram")}";
  licenses.gpl2Only.spdxId = "GPL-2.0-only";
  platforms.linux = [ "x86_64-linux" ];

  # Calls a function with those of its arguments that the set has, and the ones given.
  callWith =
    set: function: given:
    let
      f = if isFunction function then function else import function;
    in
    makeOverridable f (intersectAttrs (functionArgs f) set // given);
  makeOverridable =
    f: arguments:
    let
      result = f arguments;
    in
    if builtins.isAttrs result then
      result
      // {
        override =
          change: makeOverridable f (arguments // (if isFunction change then change arguments else change));
      }
    else
      result;

  # A package set that can be extended by overlays, `final` being the outcome.
  packageSet =
    f:
    let
      final = f final // {
        extend = overlay: packageSet (last: f last // overlay last (f last));
        callPackage = callWith final;
        newScope = more: callWith (final // more);
      };
    in
    final;
  makeScope =
    newScope: f:
    let
      self = f self // {
        callPackage = newScope self;
      };
    in
    self;

  # Enough of modules to evaluate one whose options are declared in it.
  mkOption = declaration: declaration;
  mkIf = condition: content: if condition then content else { };
  mkForce = value: value;
  types = {
    str = "string";
    attrsOf = type: { attrs = type; };
    listOf = type: { list = type; };
    submodule = type: { inherit type; };
  };
}
