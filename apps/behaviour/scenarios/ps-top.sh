#!/bin/sh
# ps and top list a running instance under its name, with its CPU time.
# $1: the program, /usr/bin/behaviour by default.
program=${1:-/usr/bin/behaviour}
name=${program##*/}

$program helper storm 5 25000 > /dev/null &
pid=$!
sleep 2
listed=$(ps | grep -v grep | grep -c "^ *$pid .*$name helper storm")
# Not every row order shows it on the first screen: a tall one does.
topped=$(top -b -n 1 | grep -c "^ *$pid .*$name")
ticks=$(sed 's/.*) //' /proc/$pid/stat | cut -d' ' -f12)
maps=$(grep -c stack /proc/$pid/maps)
found=$(pidof $name | tr ' ' '\n' | grep -cx $pid)
kill $pid
wait $pid
echo "compared: lines of ps with pid $pid and \"$name helper storm\" $listed, expected 1; lines of top $topped, expected 1;" \
	"pidof $name finds it $found, expected 1; user ticks $ticks, expected at least 1; [stack] in maps $maps, expected 1"
[ "$listed" -eq 1 ] && [ "$topped" -eq 1 ] && [ "$found" -eq 1 ] && [ "$ticks" -ge 1 ] && [ "$maps" -eq 1 ]
