# The ordinary user space beside the application: one static busybox.
{
  part,
  pin,
  glibc,
  bzip2,
}:
part {
  name = "busybox";
  description = "The user space of the virtual machine";
  product = "busybox";
  paths = [ "guest" ];
  needs = [ (pin ./busybox.toml) ];
  tools = [
    bzip2
    glibc.static
  ];
}
