package csv

import (
	"unicode/utf8"

	"github.com/pktstat/pktstat/internal/render/termsafe"
)

// appendText appends untrusted text as a cell. It escapes invisible characters, which also keeps a
// record on one line. It prevents formulas in spreadsheets (OWASP "CSV Injection"): = + - @ at the
// start of a cell get an apostrophe before them. That includes full-width forms, and ones after
// spaces or quotes. It also includes the start of a cell for a reader that splits at other
// characters than commas.
func appendText(b []byte, s string) []byte {
	start := true // of a cell, for some reader
	for _, r := range termsafe.String(s) {
		switch r {
		case '=', '+', '-', '@', '＝', '＋', '－', '＠':
			if start {
				b = append(b, '\'')
			}
			start = false
		case ',', ';', '|', ':':
			start = true
		case ' ', '"': // readers skip these, so the cell may still start
		default:
			start = false
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}
