package main

import (
	"regexp"
	"strings"
)

var (
	fence     = regexp.MustCompile("^\\s*(```+|~~~+)")
	listItem  = regexp.MustCompile(`^\s*([-*+]|\d+[.)])\s+`)
	heading   = regexp.MustCompile(`^#+ `)
	tableLine = regexp.MustCompile(`^\s*\|`)
	ruler     = regexp.MustCompile(`^[\s|:-]+$`)
	comment   = regexp.MustCompile(`(?s)<!--.*?-->`)
	allowance = regexp.MustCompile(`(?s)^<!--\s*long:\s*(.*?)\s*-->$`)
)

// markdown returns the prose of a document: no code, no comments, each table cell on its own.
func markdown(text string) []block {
	text = comment.ReplaceAllStringFunc(text, func(c string) string {
		m := allowance.FindStringSubmatch(c)
		lines := strings.Repeat("\n", strings.Count(c, "\n"))
		if len(m) == 2 && m[1] != "" {
			return allowed + lines
		}
		return lines
	})
	var p paragraph
	fenced, code, bare := "", false, true // bare: the line before is blank, or no prose
	for i, line := range strings.Split(text, "\n") {
		mark := strings.TrimSpace(fence.FindString(line))
		switch {
		case mark != "" && fenced == "":
			fenced = mark
			p.end()
			continue
		case mark != "" && strings.HasPrefix(mark, fenced):
			fenced = ""
			continue
		}
		blank := strings.TrimSpace(line) == ""
		indented := strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "\t")
		code = !blank && indented && (code || bare && !p.list) || blank && code
		switch {
		case fenced != "" || code:
			p.end()
		case blank:
			p.end()
		case tableLine.MatchString(line):
			p.end()
			if !ruler.MatchString(line) {
				p.blocks = append(p.blocks, cells(i+1, line)...)
			}
		case heading.MatchString(line):
			p.end()
			p.add(i+1, heading.ReplaceAllString(line, ""))
			p.end()
		case listItem.MatchString(line):
			p.end()
			p.list = true
			p.add(i+1, listItem.ReplaceAllString(line, ""))
		default:
			p.list = p.list && (indented || strings.HasPrefix(line, " ") || !bare)
			p.add(i+1, strings.TrimLeft(line, "> \t"))
		}
		bare = blank
	}
	p.end()
	return p.blocks
}

// paragraph collects the lines of a block.
type paragraph struct {
	blocks []block
	open   *block
	list   bool // inside a list, in which indented text is no code
}

func (p *paragraph) add(line int, text string) {
	if p.open == nil {
		p.open = &block{line: line, text: text}
		return
	}
	p.open.text += "\n" + text
}

func (p *paragraph) end() {
	if p.open != nil {
		p.blocks, p.open = append(p.blocks, *p.open), nil
	}
}

// cells splits a line of a table. A bar in a code span, or behind a backslash, splits nothing.
func cells(line int, row string) (all []block) {
	row = codeSpan.ReplaceAllStringFunc(row, func(s string) string { return strings.ReplaceAll(s, "|", "/") })
	row = strings.ReplaceAll(row, `\|`, "/")
	for _, cell := range strings.Split(strings.Trim(strings.TrimSpace(row), "|"), "|") {
		if strings.TrimSpace(cell) != "" {
			all = append(all, block{line, cell})
		}
	}
	return all
}
