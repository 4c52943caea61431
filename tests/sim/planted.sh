#!/bin/sh
# Plants each bug of tests/sim/planted in a copy of the sources ($SOURCES: what the simulation is made of) and requires that the simulation
# finds it within a few seeds.
set -eu
cd "$(dirname "$0")/../.."
seeds="1 2 3 4 5 6 7 8"
steps=20000
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
missed=0

build() {
	# shellcheck disable=SC2086  # a list of words
	(cd "$copy" && ${CC:-cc} -std=c11 -D_GNU_SOURCE -I. -O1 -o sim $SOURCES)
}

# Prints the seed and what was found; 1 if no seed finds it.
hunt() {
	for seed in $seeds; do
		if ! "$copy/sim" --steps "$steps" --seed "$seed" >"$copy/out" 2>&1; then
			step=$(sed -n 's/^FAILED: .*step \([0-9]*\).*/\1/p' "$copy/out")
			what=$(tail -n 2 "$copy/out" | sed -n '1s/^ *[0-9]* *[0-9.]* *//p')
			echo "seed $seed, step ${step:-?}: $what"
			return 0
		fi
	done
	return 1
}

for patch in none tests/sim/planted/*.patch; do
	rm -rf "${copy:?}"/*
	mkdir -p "$copy/tests"
	cp -r vassals supervisor "$copy"
	cp -r tests/sim "$copy/tests"
	[ "$patch" = none ] || patch -s -p1 -d "$copy" <"$patch"
	build
	name=$(basename "$patch" .patch)
	if found=$(hunt); then
		[ "$patch" = none ] && { echo "without a planted bug: $found" >&2; exit 1; }
		printf '%-32s found    %s\n' "$name" "$found"
	elif [ "$patch" = none ]; then
		printf '%-32s nothing  (%s steps, seeds %s)\n' "unchanged" "$steps" "$seeds"
	else
		printf '%-32s MISSED\n' "$name"
		missed=1
	fi
done
exit $missed
