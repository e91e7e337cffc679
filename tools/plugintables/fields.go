package main

import (
	"fmt"
	"strings"

	"github.com/pktstat/pktstat/flow"
)

// The text of docs/fields.md around its table.
const (
	fieldsHead = `# Fields

<!-- Made by tools/plugintables from the table of fields in package flow: run make generate. -->

A row of a report has these fields. Every output, ` + "`--by`, `--sort` and `columns=`" + ` know them by the same names, and options take
the aliases in brackets, too. ` + "`pktstat fields`" + ` prints the table of a build, with the labels that its plugins add.

| field | title | kind | role | IPFIX | ` + "`--by`" + ` | what it is |
|---|---|---|---|---|---|---|
`
	fieldsTail = `
A **dimension** is read from packets, and rows are grouped by it. A **measure** adds up: the lines for rest, overflow, lost and total have it,
too. A **mark** is what the packets of a row have in common. It does not add up, and rows cannot be grouped by it. A **rate** is a measure
over the length of the report. A **label** is known from outside the packets.

IPFIX is the number of the information element in
[IANA's registry](https://www.iana.org/assignments/ipfix/ipfix.xhtml). Addresses and ICMP have the number for IPv4.

| kind | in JSON | in CSV and plain |
|---|---|---|
| ` + "`uint`, `bytes`" + ` | integer | digits |
| ` + "`bit_rate`, `packet_rate`" + ` | number | digits, without an exponent |
| ` + "`hex16`" + ` | string | ` + "`0x88cc`" + ` |
| ` + "`addr`" + ` | string | an IPv4 or IPv6 address |
| ` + "`time`" + ` | string | RFC 3339 in UTC |
| ` + "`text`" + ` | string | text from the system, escaped |
| ` + "`word`" + ` | string | one of a few words |
| ` + "`flags`" + ` | string | a letter for each bit |

A JSON report as a whole is described by [pktstat.report.v1.schema.json](pktstat.report.v1.schema.json) (JSON Schema, draft 2020-12). Its rows have only
the fields of this table. A binary with more plugins has a schema of its own.
`
)

// fields returns docs/fields.md.
func fields(all []*flow.Field) string {
	var b strings.Builder
	b.WriteString(fieldsHead)
	for _, f := range all {
		name := "`" + f.Name + "`"
		if len(f.Aliases) > 0 {
			name += " (`" + strings.Join(f.Aliases, "`, `") + "`)"
		}
		number, by := "", ""
		if f.IPFIX != 0 {
			number = fmt.Sprint(f.IPFIX)
		}
		if f.Dim != 0 {
			by = "yes"
		}
		help := f.Help
		if f.Derived {
			help += "; not in reports for programs"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", name, cell(f.Title), f.Kind, f.Role, number, by, cell(help))
	}
	b.WriteString(fieldsTail)
	return b.String()
}

// cell escapes text for a cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
