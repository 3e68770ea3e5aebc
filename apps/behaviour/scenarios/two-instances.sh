#!/bin/sh
# Two instances started from a shell at the same time, with different data, and a pipeline of three.
# $1: the program, /usr/bin/behaviour by default.
program=${1:-/usr/bin/behaviour}

$program helper storm 21 2000 > /tmp/two.1 & first=$!
$program helper storm 63 2000 > /tmp/two.2 & second=$!
wait $first; one=$?
wait $second; two=$?
wrong1=$(cut -d' ' -f1 /tmp/two.1)
wrong2=$(cut -d' ' -f1 /tmp/two.2)
lines=$($program --list | $program helper hold 5 | wc -l)
echo "compared: exit codes $one and $two, expected 0 and 0; mismatches $wrong1 and $wrong2, expected 0 and 0;" \
	"lines out of a pipeline of two instances $lines, expected 2"
[ $one -eq 0 ] && [ $two -eq 0 ] && [ "$wrong1" = 0 ] && [ "$wrong2" = 0 ] && [ "$lines" -eq 2 ]
