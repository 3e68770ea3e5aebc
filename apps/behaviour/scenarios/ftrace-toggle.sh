#!/bin/sh
# The kernel patches its own text while an application runs in it: the function tracer goes on and off 20 times.
# $1: the program, /usr/bin/behaviour by default.
program=${1:-/usr/bin/behaviour}
tracing=/sys/kernel/tracing

[ -d $tracing ] || { echo "compared: DIFFERS: $tracing does not exist, expected a kernel with ftrace"; exit 1; }
[ -e $tracing/current_tracer ] || mount -t tracefs tracefs $tracing
grep -qw function $tracing/available_tracers ||
	{ echo "compared: DIFFERS: available tracers are $(cat $tracing/available_tracers), expected function among them"; exit 1; }
# A few functions suffice to patch text; tracing all of them would only measure the emulator.
echo 'vfs_*' > $tracing/set_ftrace_filter

$program run signal-storm > /tmp/ftrace-toggle.out 2>&1 &
storm=$!
on=0
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	echo function > $tracing/current_tracer && [ "$(cat $tracing/current_tracer)" = function ] && on=$((on + 1))
	usleep 20000 2>/dev/null
	echo nop > $tracing/current_tracer
done
wait $storm
status=$?
events=$(grep -vc '^#' $tracing/trace)
echo > $tracing/set_ftrace_filter
cat /tmp/ftrace-toggle.out
echo "compared: function tracer switched on $on times, expected 20; signal-storm beside it ended with $status, expected 0"
[ $on -eq 20 ] && [ $status -eq 0 ]
