package cmd

import (
	"fmt"
	"strings"

	"github.com/pktstat/pktstat/flow"
)

// fieldList is the listing of `pktstat fields`.
type fieldList struct {
	fields []listedField
	width  int
}

type listedField struct {
	Name    string   `json:"name"`
	Aliases []string `json:"aliases,omitempty"` // other names that options accept
	Title   string   `json:"title"`
	Kind    string   `json:"kind"`
	Role    string   `json:"role"`
	IPFIX   uint16   `json:"ipfix,omitempty"` // number of the information element
	By      bool     `json:"by"`              // whether --by accepts it
	Help    string   `json:"help"`
}

func (s *session) listFields(*commandLine) listing {
	l := fieldList{width: s.textWidth()}
	for _, f := range flow.Fields.All() {
		l.fields = append(l.fields, listedField{
			Name: f.Name, Aliases: f.Aliases, Title: f.Title, Kind: f.Kind.String(), Role: f.Role.String(),
			IPFIX: f.IPFIX, By: f.Dim != 0, Help: f.Help,
		})
	}
	return l
}

func (l fieldList) json() any { return l.fields }

// text returns a table with a wrapped last column.
func (l fieldList) text() string {
	name := len("NAME")
	for i := range l.fields {
		name = max(name, len(l.fields[i].Name))
	}
	h := helpText{width: l.width}
	line := func(cells ...any) string {
		return fmt.Sprintf("%-*s  %-11s  %-9s  %5s  %-3s  ", append([]any{name}, cells...)...)
	}
	h.line(line("NAME", "KIND", "ROLE", "IPFIX", "BY") + "WHAT IT IS")
	for i := range l.fields {
		f := &l.fields[i]
		number, by := "", ""
		if f.IPFIX != 0 {
			number = fmt.Sprint(f.IPFIX)
		}
		if f.By {
			by = "yes"
		}
		lead := line(f.Name, f.Kind, f.Role, number, by)
		for _, text := range wrap(f.what(), max(l.width-len(lead), 20)) {
			h.line(strings.TrimRight(lead+text, " "))
			lead = strings.Repeat(" ", len(lead))
		}
	}
	return h.String()
}

// what returns the field in words: "Source port: source port; also sport".
func (f *listedField) what() string {
	text := f.Title + ": " + f.Help
	if len(f.Aliases) > 0 {
		text += "; also " + strings.Join(f.Aliases, ", ")
	}
	return text
}
