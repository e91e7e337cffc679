package main

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// allowed stands for the comment before a sentence that may be long.
const allowed = "\x00"

// block is text whose sentences belong together: a paragraph, a list item, a table cell, a
// comment. Its text keeps the line breaks of the file.
type block struct {
	line int // of the first character
	text string
}

// word is a word with the punctuation around it, and the line that has it.
type word struct {
	text string
	line int
}

// bare is the word in lower case, without punctuation around it and without 's.
func (w word) bare() string {
	text := strings.TrimFunc(strings.ToLower(w.text), func(r rune) bool { return !isLetter(r) })
	return strings.TrimSuffix(text, "'s")
}

// closes reports whether a comma or another mark follows the word: no phrase goes across it.
func (w word) closes() bool {
	last, _ := utf8.DecodeLastRuneInString(w.text)
	return !isLetter(last) && last != '*' && last != '_'
}

func isLetter(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

var (
	codeSpan     = regexp.MustCompile("(?s)``.+?``|`[^`]+`")
	mdLink       = regexp.MustCompile(`(?s)!?\[([^\]]*)\]\([^)\s]*\)`)
	autoLink     = regexp.MustCompile(`<?https?://[^\s>)]+>?`)
	tag          = regexp.MustCompile(`(?s)</?[A-Za-z][^>]*>`)
	sentenceEnd  = regexp.MustCompile(`[.!?][)"'”*_]*$`)
	abbreviation = regexp.MustCompile(`(?i)^\(?(e\.g|i\.e|vs|cf|no|approx|incl)\.$`)
)

// plain replaces each code span and address by one word, and links by their text.
func plain(text string) string {
	one := func(name string) func(string) string {
		return func(s string) string { return name + strings.Repeat("\n", strings.Count(s, "\n")) }
	}
	text = codeSpan.ReplaceAllStringFunc(text, one("Code"))
	text = mdLink.ReplaceAllString(text, "$1")
	text = autoLink.ReplaceAllStringFunc(text, one("Address"))
	return tag.ReplaceAllStringFunc(text, one(" "))
}

// sentence is what a full stop ends, or the end of a block.
type sentence struct {
	words   []word
	allowed bool // a comment before it says why it is long
}

// sentences splits a block.
func (b block) sentences() []sentence {
	var all []sentence
	var s sentence
	for i, line := range strings.Split(plain(b.text), "\n") {
		for _, text := range strings.Fields(line) {
			if strings.HasPrefix(text, allowed) {
				text = strings.TrimPrefix(text, allowed)
				s.allowed = true
			}
			if strings.IndexFunc(text, isLetter) < 0 && !sentenceEnd.MatchString(text) {
				continue // a dash, an arrow
			}
			s.words = append(s.words, word{text, b.line + i})
			if sentenceEnd.MatchString(text) && !strings.HasSuffix(text, "...") && !abbreviation.MatchString(text) {
				all, s = append(all, s), sentence{}
			}
		}
	}
	if len(s.words) > 0 || s.allowed {
		all = append(all, s)
	}
	return all
}
