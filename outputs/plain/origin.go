package plain

import (
	"strings"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/termsafe"
)

// origin appends the lines about the run and the machine. The command line is quoted for a shell.
func origin(b []byte, r *flow.Report) []byte {
	o := &r.Origin
	kind, names := r.Source()
	b = append(b, "origin"...)
	for _, f := range []struct{ name, value string }{
		{"host", o.Host}, {"kernel", o.Kernel}, {"version", o.Version}, {string(kind), strings.Join(names, ",")},
		{"by", r.GroupedBy()}, {"sort", r.SortedBy()}, {"note", o.Note},
	} {
		if f.value != "" {
			b = append(append(append(b, ' '), f.name...), '=')
			b = termsafe.AppendWord(b, f.value)
		}
	}
	b = append(b, '\n')
	if command := o.CommandLine(); command != "" {
		b = append(termsafe.Append(append(b, "command "...), command), '\n')
	}
	return b
}
