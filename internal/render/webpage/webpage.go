// Package webpage is the page on which people look at reports in a browser: one
// style sheet and one script for a report in a file and for a live page.
//
// The script builds the page from JSON with text nodes only; nothing that comes
// from the network is ever markup. A content security policy forbids what could
// still go wrong: the page loads nothing and runs nothing but its own script.
package webpage

import (
	"bufio"
	"crypto/sha256"
	_ "embed" // the files below
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/rateseries"
	"github.com/pktstat/pktstat/internal/render/reportjson"
)

var (
	//go:embed page.html
	skeleton string
	//go:embed style.css
	style string
	//go:embed script/format.js
	formatScript string
	//go:embed script/fields.js
	fieldsScript string
	//go:embed script/model.js
	modelScript string
	//go:embed script/chart.js
	chartScript string
	//go:embed script/summary.js
	summaryScript string
	//go:embed script/table.js
	tableScript string
	//go:embed script/live.js
	liveScript string
	//go:embed script/app.js
	appScript string
)

// Style returns the style sheet.
func Style() string { return style }

// Script returns the script: its files are one scope, in this order.
var Script = sync.OnceValue(func() string {
	files := []string{formatScript, fieldsScript, modelScript, chartScript, summaryScript, tableScript, liveScript, appScript}
	return "\"use strict\";\n(() => {\n" + strings.Join(files, "\n") + "})();\n"
})

// Live returns the page that loads style.css and app.js and asks the server it
// came from for reports.
var Live = sync.OnceValue(func() string {
	return strings.NewReplacer(
		"<!--HEAD-->", `<link rel="stylesheet" href="style.css">`,
		"<!--FACTS-->\n", factsData(),
		"<!--DATA-->\n", "",
		"<!--SCRIPT-->", `<script src="app.js"></script>`,
	).Replace(skeleton)
})

// parts of a page in a file; the data comes between them.
type parts struct{ before, after string }

var file = sync.OnceValue(func() parts {
	// A meta element's policy cannot have frame-ancestors; a file has no origin to protect from.
	policy := "default-src 'none'; img-src data:; style-src " + hash(style) + "; script-src " + hash(Script()) +
		"; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
	page := strings.NewReplacer(
		"<!--HEAD-->", `<meta http-equiv="Content-Security-Policy" content="`+policy+`">`+"\n<style>"+style+"</style>",
		"<!--FACTS-->\n", factsData(),
		"<!--SCRIPT-->", "<script>"+Script()+"</script>",
	).Replace(skeleton)
	before, after, _ := strings.Cut(page, "<!--DATA-->\n")
	return parts{before, after}
})

// hash is a source expression of CSP level 2 for an inline element's text.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// WriteFile writes a page that needs no other file: r and its history.
func WriteFile(w *bufio.Writer, r *flow.Report, s *rateseries.Series) error {
	_, _ = w.WriteString(file().before)
	data := bufio.NewWriter(&inert{w})
	_, _ = w.WriteString(dataStart("data-report"))
	if err := reportjson.Write(data, r, false); err != nil {
		return err
	}
	if err := data.Flush(); err != nil {
		return err
	}
	_, _ = w.WriteString(dataEnd)
	for _, d := range []struct {
		id    string
		value any
	}{
		{"data-series", s.Document()},
		{"data-page", struct {
			Rows Nouns `json:"rows"`
		}{NounsOf(r)}},
	} {
		text, err := json.Marshal(d.value) // escapes <, > and &
		if err != nil {
			return err
		}
		_, _ = w.WriteString(dataElement(d.id, string(text)))
	}
	_, err := w.WriteString(file().after) // an earlier error sticks to w
	return err
}

// inert makes JSON safe inside an element: outside of strings there is none of
// these characters, and inside they may be escaped.
type inert struct{ w *bufio.Writer }

func (i *inert) Write(p []byte) (int, error) {
	start := 0
	for n, c := range p {
		var escaped string
		switch c {
		case '<':
			escaped = `\u003c`
		case '>':
			escaped = `\u003e`
		case '&':
			escaped = `\u0026`
		default:
			continue
		}
		_, _ = i.w.Write(p[start:n])
		_, _ = i.w.WriteString(escaped)
		start = n + 1
	}
	if _, err := i.w.Write(p[start:]); err != nil {
		return 0, err
	}
	return len(p), nil
}
