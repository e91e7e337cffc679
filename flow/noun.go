package flow

import "strings"

// Nouns returns the name of rows grouped by d, in singular and plural: "flow" and "flows",
// "source" and "sources".
func (d Dims) Nouns() (one, many string) {
	one = d.noun()
	return one, plural(one)
}

func (d Dims) noun() string {
	noun := ""
	for _, g := range Groupings {
		switch {
		case d.Has(g.Dims) && g.Dims != DimEnds:
			return g.Noun
		case d.Has(g.Dims): // a pair and something else is no pair
			noun = g.Noun
		}
	}
	for _, f := range Fields.All() {
		if f.Dim&d == 0 || f.In(d&^f.Dim) { // a field that follows from the others adds nothing to the name
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

// plural returns the regular English plural.
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
