package csv

import (
	"unicode/utf8"

	"github.com/pktstat/pktstat/internal/render/termsafe"
)

// appendText appends a cell of text that somebody else chose. Invisible
// characters are escaped, which also keeps every record on one line, and nothing
// in it starts a formula in a spreadsheet (OWASP "CSV Injection"): a leading
// = + - @, also full-width or behind spaces and quotes, gets an apostrophe before
// it. So does one that would start a cell where the reader splits at other
// characters than commas.
func appendText(b []byte, s string) []byte {
	start := true // of what some reader takes for a cell
	for _, r := range termsafe.String(s) {
		switch r {
		case '=', '+', '-', '@', '＝', '＋', '－', '＠':
			if start {
				b = append(b, '\'')
			}
			start = false
		case ',', ';', '|', ':':
			start = true
		case ' ', '"': // skipped by readers: what follows may still be the start
		default:
			start = false
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}
