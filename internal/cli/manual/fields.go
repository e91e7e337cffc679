package manual

import (
	"fmt"
	"strings"

	"github.com/pktstat/pktstat/internal/cli/describe"
)

// fields returns the page on the fields of rows.
func fields(p *describe.Program) string {
	var m page
	m.name(p.Name+"-fields", "fields of the rows of reports")
	m.heading("DESCRIPTION")
	m.para("A row of a report has these fields. Every output, `--by`, `--sort` and `columns=` know them by the same names.")
	m.para("A dimension is read from packets, and rows are grouped by it. A measure adds up. " +
		"A mark is what the packets of a row have in common. A rate is a measure over the length of the report. " +
		"A label is known from outside the packets.")
	m.heading("FIELDS")
	for _, f := range p.Fields {
		facts := []string{f.Role.String(), f.Kind.String()}
		if f.Dim != 0 {
			facts = append(facts, "`--by` takes it")
		}
		if len(f.Aliases) > 0 {
			facts = append(facts, "also `"+strings.Join(f.Aliases, "`, `")+"`")
		}
		if f.IPFIX != 0 {
			facts = append(facts, fmt.Sprintf("IPFIX element %d", f.IPFIX))
		}
		m.entry(bold(f.Name), f.Title+": "+f.Help+" ("+strings.Join(facts, ", ")+").")
	}
	m.heading("SEE ALSO")
	m.WriteString(bold(p.Name) + "(1)\n")
	return m.String()
}
