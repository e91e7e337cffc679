package vmtest

import (
	"fmt"
	"regexp"

	"github.com/pktstat/pktstat/internal/test/linuxversion"
)

// problems returns why a run does not count as passed. mayBeEmpty says that
// there need not be a test in it: the user chose some by name.
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

// maxProblems is how many are told of a package: what breaks everything would
// otherwise fill the screen several times.
const maxProblems = 12

// problem returns why a test does not count as passed, or "".
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

// skipReason is how testenv.Feature says why it skips a test.
var skipReason = regexp.MustCompile(`needs Linux (\d+\.\d+): `)

// skippedSince returns the kernel that a skipped test needs.
func skippedSince(output string) (linuxversion.Version, bool) {
	m := skipReason.FindStringSubmatch(output)
	if m == nil {
		return linuxversion.Version{}, false
	}
	v, err := linuxversion.Parse(m[1])
	return v, err == nil
}
