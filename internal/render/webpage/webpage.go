// Package webpage makes the web page of a report, in a file or live: a style sheet, a script and
// data.
//
// The script builds the page from JSON with text nodes only, so data from the network is never
// markup. A content security policy is the second defence: the page loads nothing, and runs only
// its own script.
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

// Script returns the script: its files in this order, in one scope.
var Script = sync.OnceValue(func() string {
	files := []string{formatScript, fieldsScript, modelScript, chartScript, summaryScript, tableScript, liveScript, appScript}
	return "\"use strict\";\n(() => {\n" + strings.Join(files, "\n") + "})();\n"
})

// Live returns the live page. It loads style.css and app.js from the server, and asks the server
// for reports.
var Live = sync.OnceValue(func() string {
	return strings.NewReplacer(
		"<!--HEAD-->", `<link rel="stylesheet" href="style.css">`,
		"<!--FACTS-->\n", factsData(),
		"<!--DATA-->\n", "",
		"<!--SCRIPT-->", `<script src="app.js"></script>`,
	).Replace(skeleton)
})

// parts are the page before and after the data.
type parts struct{ before, after string }

var file = sync.OnceValue(func() parts {
	// A meta element cannot set frame-ancestors. A file has no origin to protect.
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

// hash returns the CSP source expression (CSP level 2) for an inline element's text.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// WriteFile writes a self-contained page with r and its history.
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
	_, err := w.WriteString(file().after) // w returns an earlier error again
	return err
}

// inert escapes <, > and & in JSON, so that the JSON cannot end its element. These characters occur
// only inside strings.
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
