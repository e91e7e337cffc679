// Package manual writes the man pages and the tables of options from the description of the command
// line.
package manual

import (
	"regexp"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"

	"github.com/pktstat/pktstat/internal/cli/describe"
)

// Page is a man page.
type Page struct {
	Name    string // "pktstat-fields"
	Section string // of the manual: "1"
	text    func(*describe.Program) string
}

// Pages returns all man pages of a program, by the argument of `pktstat man`.
func Pages(program string) map[string]Page {
	return map[string]Page{
		program:  {Name: program, Section: "1", text: command},
		"fields": {Name: program + "-fields", Section: "7", text: fields},
	}
}

// Roff returns the page in the macros of man(7).
func (m Page) Roff(p *describe.Program) []byte {
	date := ""
	if !p.Date.IsZero() {
		date = p.Date.UTC().Format("2006-01-02")
	}
	// md2man reads the title from a line of this form.
	head := []string{strings.ToUpper(m.Name), m.Section, date, p.Name + " " + plain(p.Version), p.Name + " manual"}
	return tidy(md2man.Render([]byte(`% "` + strings.Join(head, `" "`) + "\"\n" + m.text(p))))
}

var (
	code     = regexp.MustCompile(`\\fB.*?\\f[RP]`)
	examples = regexp.MustCompile(`(?s)\n\.EX\n.*?\.EE\n`)
	blank    = regexp.MustCompile(`\n{2,}`)
)

// tidy replaces hyphens in code by minus signs, so that users can copy the code from a terminal
// (groff_char(7)). It also breaks long lines, because mandoc warns of them.
func tidy(roff []byte) []byte {
	minus := func(s string) string { return strings.ReplaceAll(s, "-", `\-`) }
	text := code.ReplaceAllStringFunc(string(roff), minus)
	text = examples.ReplaceAllStringFunc(text, minus)
	var b strings.Builder
	literal := false
	for line := range strings.Lines(blank.ReplaceAllString(text, "\n")) {
		literal = line == ".EX\n" || literal && line != ".EE\n"
		if !literal && !strings.HasPrefix(line, ".") && len(line) > lineWidth {
			line = broken(line)
		}
		b.WriteString(line)
	}
	return []byte(b.String())
}

// lineWidth is the limit for a line of text in a page.
const lineWidth = 78

// broken breaks a line at spaces. At the beginning of a line, roff would read a full stop or an
// apostrophe as a request.
func broken(line string) string {
	var b strings.Builder
	length := 0
	for i, word := range strings.Fields(line) {
		switch {
		case i == 0:
		case length+1+len(word) < lineWidth:
			b.WriteString(" ")
			length++
		default:
			b.WriteString("\n")
			length = 0
			if word[0] == '.' || word[0] == '\'' {
				b.WriteString(`\&`)
			}
		}
		b.WriteString(word)
		length += len(word)
	}
	return b.String() + "\n"
}

// markup matches the characters that are special in Markdown.
var markup = regexp.MustCompile(`[\\*_{}\[\]()#+!|<>~]`)

// plain escapes text for Markdown.
func plain(s string) string { return markup.ReplaceAllString(s, `\$0`) }

// prose escapes text for Markdown, but keeps code in backquotes.
func prose(s string) string {
	parts := strings.Split(s, "`")
	for i, part := range parts {
		if i%2 == 0 || i == len(parts)-1 {
			parts[i] = plain(part)
		}
	}
	return strings.Join(parts, "`")
}

// page is a man page in Markdown.
type page struct{ strings.Builder }

func (p *page) heading(s string)  { p.WriteString("\n# " + s + "\n\n") }
func (p *page) sub(s string)      { p.WriteString("\n### " + plain(s) + "\n\n") }
func (p *page) para(s string)     { p.WriteString(prose(s) + "\n\n") }
func (p *page) example(s string)  { p.WriteString("```\n" + s + "\n```\n\n") }
func (p *page) name(n, is string) { p.heading("NAME"); p.para(n + " - " + is) }

// entry writes a term, which is already Markdown, and its explanation.
func (p *page) entry(term, text string) { p.WriteString(term + "\n: " + prose(text) + "\n\n") }

func bold(s string) string { return "**" + plain(s) + "**" }

func italic(s string) string { return "*" + plain(s) + "*" }
