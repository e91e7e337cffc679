package flow

import "strings"

// Nouns returns what a row that is grouped by d is, and what several are: "flow" and
// "flows", "source" and "sources".
func (d Dims) Nouns() (one, many string) {
	one = d.noun()
	return one, plural(one)
}

func (d Dims) noun() string {
	if d.Has(DimsFlow) {
		return "flow"
	}
	noun := ""
	for _, f := range Fields.All() {
		if f.Dim&d == 0 || f.In(d&^f.Dim) { // what follows from other fields tells no rows apart
			continue
		}
		if noun != "" || f.Noun == "" {
			return "row"
		}
		noun = f.Noun
	}
	if noun == "" {
		return "row"
	}
	return noun
}

// plural is the regular plural of English.
func plural(noun string) string {
	stem, last := noun[:len(noun)-1], noun[len(noun)-1]
	switch {
	case strings.HasSuffix(noun, "s"), strings.HasSuffix(noun, "x"), strings.HasSuffix(noun, "ch"), strings.HasSuffix(noun, "sh"):
		return noun + "es"
	case last == 'y' && !strings.ContainsAny(stem[max(len(stem)-1, 0):], "aeiou"):
		return stem + "ies"
	}
	return noun + "s"
}
