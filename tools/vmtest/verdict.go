package vmtest

import (
	"fmt"
	"regexp"

	"github.com/pktstat/pktstat/internal/test/linuxversion"
)

// problems returns why a run has not passed. mayBeEmpty means that a run without a test may pass,
// because the user selected tests by name.
func (p *PackageResult) problems(kernel linuxversion.Version, mayBeEmpty bool) []string {
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	switch {
	case !p.Ended:
		add("did not end")
	case p.Reason != "":
		add("%s", p.Reason)
	case len(p.Tests) == 0 && !mayBeEmpty:
		add("no test ran: does the filter match any?")
	}
	more := 0
	for _, t := range p.Tests {
		switch text := t.problem(kernel); {
		case text == "":
		case len(found) < maxProblems:
			add("%s %s", t.Name, text)
		default:
			more++
		}
	}
	if more > 0 {
		add("and %d more", more)
	}
	return found
}

// maxProblems limits the problems that are printed for a package, because one fault may break every
// test.
const maxProblems = 12

// problem returns why a test has not passed, or "".
func (t *Test) problem(kernel linuxversion.Version) string {
	switch t.Outcome {
	case "pass":
		return ""
	case "fail":
		return "failed"
	case "skip":
		since, ok := skippedSince(t.Output)
		switch {
		case !ok:
			return "was skipped, but not for a feature of a later kernel"
		case !kernel.Before(since):
			return "was skipped for a feature that Linux has since " + since.String()
		}
		return ""
	default:
		return "did not end"
	}
}

// skipReason matches the text with which testenv.Feature skips a test.
var skipReason = regexp.MustCompile(`needs Linux (\d+\.\d+): `)

// skippedSince returns the kernel version that a skipped test needs.
func skippedSince(output string) (linuxversion.Version, bool) {
	m := skipReason.FindStringSubmatch(output)
	if m == nil {
		return linuxversion.Version{}, false
	}
	v, err := linuxversion.Parse(m[1])
	return v, err == nil
}
