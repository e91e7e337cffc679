package cmd

import (
	"fmt"
	"strings"
)

// nearestOption returns the option that is most like a mistyped name, with dashes, or
// "" if none is near.
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

// nearest returns the name that is most like a mistyped one, or "" if none is near. A name
// that was cut short or has something behind it is nearer than one with other letters.
func nearest(typed string, names []string) string {
	const (
		short = 3 // letters that begin too many names
		near  = 2 // typing mistakes
	)
	best, found := len(typed)+1, ""
	for _, n := range names {
		cut := len(typed) >= short && strings.HasPrefix(n, typed)
		longer := len(n) >= short && strings.HasPrefix(typed, n)
		if d := max(len(n), len(typed)) - min(len(n), len(typed)); (cut || longer) && (found == "" || d < best) {
			best, found = d, n
		}
	}
	if found != "" {
		return found
	}
	best = near + 1
	for _, n := range names {
		if d := distance(typed, n); d < best && d < len(n) && d < len(typed) {
			best, found = d, n
		}
	}
	return found
}

// withGuess adds to an error about a name the one that may have been meant.
func withGuess(err error, typed string, names []string) error {
	if near := nearest(typed, names); near != "" {
		return fmt.Errorf("%w; is %s meant?", err, near)
	}
	return err
}

// distance is the Levenshtein distance of two strings.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(cost, diag+1, row[j]+1)
		}
	}
	return row[len(b)]
}
