# A bug of the application is a signal to it, as for every process: the behaviour tests' faults, and a kernel that says nothing.
{ ukl, vmTest, ... }:
vmTest {
  name = "crash";
  description = "faults of an application, and the machine lives";
  images = [ (ukl.image "behaviour" "byb") ];
  commands = "xtask test byb/smp1/behaviour/";
}
