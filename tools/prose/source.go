package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
)

// goSource returns the comments of a Go file and, outside tests, the text of its strings.
func goSource(path, text string) ([]block, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	if ast.IsGenerated(file) {
		return nil, nil
	}
	var blocks []block
	for _, group := range file.Comments {
		var lines []string
		for _, c := range group.List {
			lines = append(lines, uncommented(c.Text)...)
		}
		blocks = append(blocks, paragraphs(files.Position(group.Pos()).Line, lines)...)
	}
	if strings.HasSuffix(path, "_test.go") {
		return blocks, nil
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			return n.Tag == nil
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				blocks = append(blocks, literal(n.Value, files.Position(n.Pos()).Line)...)
			}
		}
		return true
	})
	return blocks, nil
}

// literal returns the lines of a string literal, each on its own: they may be code.
func literal(quoted string, line int) (blocks []block) {
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return nil
	}
	text = strings.ReplaceAll(text, allowed, " ") // only a document allows long sentences
	for _, l := range strings.Split(text, "\n") {
		blocks = append(blocks, block{line, l})
		if quoted[0] == '`' {
			line++
		}
	}
	return blocks
}

var (
	cComment = regexp.MustCompile(`(?ms)/\*.*?\*/|(?:^|[ \t])//[^\n]*(?:\n[ \t]*//[^\n]*)*`)
	hashes   = regexp.MustCompile(`(?m)^[ \t]*#[^!][^\n]*(?:\n[ \t]*#[^\n]*)*`)
)

// comments returns the comments of a file in which a pattern finds them.
func comments(pattern *regexp.Regexp, text string) (blocks []block) {
	for _, at := range pattern.FindAllStringIndex(text, -1) {
		line := 1 + strings.Count(text[:at[0]], "\n")
		blocks = append(blocks, paragraphs(line, uncommented(text[at[0]:at[1]]))...)
	}
	return blocks
}

var (
	marks     = regexp.MustCompile(`^\s*(/\*+|//|\*/|\*|#+)?`)
	directive = regexp.MustCompile(`^\s*//[a-z]+:`) // //go:build, //nolint:
)

// uncommented returns the lines of a comment without its marks.
func uncommented(comment string) []string {
	lines := strings.Split(strings.TrimSuffix(comment, "*/"), "\n")
	for i, line := range lines {
		if directive.MatchString(line) {
			line = ""
		}
		lines[i] = strings.TrimPrefix(line, marks.FindString(line))
	}
	return lines
}

// paragraphs splits the lines of a comment or text. Indented lines are code, except in lists.
func paragraphs(line int, lines []string) []block {
	var p paragraph
	for i, text := range lines {
		indented := strings.HasPrefix(text, "\t") || strings.HasPrefix(text, "   ")
		switch {
		case strings.TrimSpace(text) == "":
			p.end()
			p.list = false
		case listItem.MatchString(text):
			p.end()
			p.list = true
			p.add(line+i, listItem.ReplaceAllString(text, ""))
		case indented && !p.list:
			p.end()
		default:
			p.add(line+i, text)
		}
	}
	p.end()
	return p.blocks
}
