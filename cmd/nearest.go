package cmd

import (
	"fmt"
	"slices"
	"strings"
)

// nearestOption returns the option that is nearest to a mistyped name, with dashes; "" if none is
// near.
func nearestOption(name string, options []*option) string {
	var names []string
	main := map[string]string{}
	for _, o := range options {
		for _, n := range o.names() {
			names = append(names, n)
			main[n] = dashed(o.name)
		}
	}
	return main[nearest(name, names)]
}

// nearest returns the name that is nearest to a mistyped one; "" if none is near. One wrong letter
// is nearest. Then come a name that was cut short and one with letters after it, then two wrong
// letters. Case, and - or _, make no difference.
func nearest(typed string, names []string) string {
	const short = 3     // too many names begin with fewer letters
	if len(typed) < 2 { // -T does not mean -t
		if slices.Contains(names, typed) {
			return typed
		}
		return ""
	}
	typed = folded(typed)
	best, found := 0, ""
	consider := func(n string, d int) {
		if found == "" || d < best {
			best, found = d, n
		}
	}
	within := func(most int) {
		for _, n := range names {
			// Two different letters of four make another word.
			if d, length := distance(typed, folded(n)), min(len(n), len(typed)); d <= most && d <= length/2 && (d < 2 || length > 4) {
				consider(n, d)
			}
		}
	}
	if within(1); found != "" {
		return found
	}
	for _, n := range names {
		cut := len(typed) >= short && strings.HasPrefix(folded(n), typed)
		longer := len(n) >= short && strings.HasPrefix(typed, folded(n))
		if cut || longer {
			consider(n, max(len(n), len(typed))-min(len(n), len(typed)))
		}
	}
	if found == "" {
		within(2)
	}
	return found
}

func folded(name string) string { return strings.ReplaceAll(strings.ToLower(name), "-", "_") }

// withGuess adds the nearest name to an error about a name.
func withGuess(err error, typed string, names []string) error {
	if near := nearest(typed, names); near != "" {
		return fmt.Errorf("%w; is %s meant?", err, near)
	}
	return err
}

// distance returns the number of different letters; an exchange of neighbours counts once (optimal
// string alignment).
func distance(a, b string) int {
	var before []int // the last row but one
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			same := row[j]
			if a[i] != b[j] {
				same++
			}
			next[j+1] = min(same, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
