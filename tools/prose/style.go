package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// style is what the section "Style" of CONTRIBUTING.md demands.
type style struct {
	phrases []phrase
	// A sentence has fewer words.
	documents, comments int
}

// phrase is a worn phrase and what to write in its place.
type phrase struct {
	words   []string
	instead string
}

func (p phrase) String() string { return strings.Join(p.words, " ") }

var (
	limits    = regexp.MustCompile(`fewer than (\d+) words in a document, and fewer than (\d+) in a comment`)
	phraseRow = regexp.MustCompile("(?m)^\\| (`[^|]+`) \\| ([^|]+) \\|$")
	quoted    = regexp.MustCompile("`([^`]+)`")
)

// readStyle reads the limits and the table of worn phrases from a document.
func readStyle(doc string) (style, error) {
	text, err := os.ReadFile(doc)
	if err != nil {
		return style{}, err
	}
	s, err := parseStyle(string(text))
	if err != nil {
		return style{}, fmt.Errorf("%s: %w", doc, err)
	}
	return s, nil
}

func parseStyle(text string) (style, error) {
	_, section, ok := strings.Cut(text, "\n## Style\n")
	if !ok {
		return style{}, errors.New("no section Style")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	limit := limits.FindStringSubmatch(section)
	if limit == nil {
		return style{}, errors.New(`the section Style does not limit sentences ("fewer than N words in a document, and fewer than M in a comment")`)
	}
	var s style
	s.documents, _ = strconv.Atoi(limit[1]) // digits
	s.comments, _ = strconv.Atoi(limit[2])
	for _, row := range phraseRow.FindAllStringSubmatch(section, -1) {
		for _, q := range quoted.FindAllStringSubmatch(row[1], -1) {
			s.phrases = append(s.phrases, phrase{strings.Fields(q[1]), row[2]})
		}
	}
	if len(s.phrases) == 0 {
		return style{}, errors.New("the section Style has no table of phrases")
	}
	return s, nil
}

// check returns what is wrong with the blocks of a file, whose sentences have fewer words than a limit.
func (s style) check(blocks []block, limit int) (wrong []finding) {
	for _, b := range blocks {
		for _, sentence := range b.sentences() {
			words := sentence.words
			for i := range words {
				for _, p := range s.phrases {
					if p.at(words[i:]) {
						wrong = append(wrong, finding{words[i].line, fmt.Sprintf("worn phrase %q: %s", p, p.instead)})
					}
				}
			}
			switch long := len(words) >= limit; {
			case long && !sentence.allowed:
				wrong = append(wrong, finding{words[0].line, fmt.Sprintf("%d words in a sentence, fewer than %d are allowed: %s", len(words), limit, beginning(words))})
			case sentence.allowed && !long:
				wrong = append(wrong, finding{b.line, "a comment allows a long sentence, but the sentence after it is short"})
			}
		}
	}
	return wrong
}

// beginning quotes the first words of a sentence.
func beginning(words []word) string {
	var texts []string
	for _, w := range words[:min(6, len(words))] {
		texts = append(texts, w.text)
	}
	return strconv.Quote(strings.Join(texts, " ") + " ...")
}

// at reports whether words begin with the phrase.
func (p phrase) at(words []word) bool {
	if len(words) < len(p.words) {
		return false
	}
	for i, w := range p.words {
		if words[i].bare() != w || i < len(p.words)-1 && words[i].closes() {
			return false
		}
	}
	return true
}
