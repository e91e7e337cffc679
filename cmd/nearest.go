package cmd

// nearest returns the option that is most like a mistyped name, with dashes, or
// "" if none is near.
func nearest(name string, options []*option) string {
	const near = 2 // typing mistakes
	best, found := near+1, ""
	for _, o := range options {
		for _, n := range o.names() {
			if d := distance(name, n); d < best && d < len(n) && d < len(name) {
				best, found = d, dashed(o.name)
			}
		}
	}
	return found
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
