package vmtest

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pktstat/pktstat/internal/test/linuxversion"
)

func TestProblems(t *testing.T) {
	skipped := func(reason string) PackageResult {
		return PackageResult{Ended: true, Tests: []Test{{Name: "T", Outcome: "skip", Output: "    a_test.go:7: " + reason + "\n"}}}
	}
	pass := []Test{{Name: "T", Outcome: "pass"}}
	for name, c := range map[string]struct {
		result     PackageResult
		mayBeEmpty bool
		want       []string
	}{
		"passed":         {result: PackageResult{Ended: true, Tests: pass}},
		"empty":          {result: PackageResult{Ended: true}, want: []string{"no test ran: does the filter match any?"}},
		"rightly empty":  {result: PackageResult{Ended: true}, mayBeEmpty: true},
		"cut off":        {result: PackageResult{Tests: pass}, want: []string{"did not end"}},
		"exit code only": {result: PackageResult{Ended: true, Reason: "exit status 1", Tests: pass}, want: []string{"exit status 1"}},
		"failed":         {result: PackageResult{Ended: true, Tests: []Test{{Name: "T", Outcome: "fail"}}}, want: []string{"T failed"}},
		"test cut off":   {result: PackageResult{Ended: true, Tests: []Test{{Name: "T"}}}, want: []string{"T did not end"}},
		"later feature":  {result: skipped("needs Linux 6.6: TCX: link not supported")},
		"this kernel's feature": {
			result: skipped("needs Linux 6.1: x: no"), want: []string{"T was skipped for a feature that Linux has since 6.1"},
		},
		"old feature": {
			result: skipped("needs Linux 5.18: x: no"), want: []string{"T was skipped for a feature that Linux has since 5.18"},
		},
		"other reason": {
			result: skipped("needs tshark"), want: []string{"T was skipped, but not for a feature of a later kernel"},
		},
	} {
		got := c.result.problems(linuxversion.Version{Major: 6, Minor: 1}, c.mayBeEmpty)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestClip(t *testing.T) {
	if got := clip("a\nb\n"); got != "a\nb\n" {
		t.Errorf("short output becomes %q", got)
	}
	got := clip(strings.Repeat(strings.Repeat("ü", 1000)+"\n", 100))
	if n := strings.Count(got, "\n"); n != maxLines+1 {
		t.Errorf("%d lines, want %d", n, maxLines+1)
	}
	if !utf8.ValidString(got) || len(got) > (maxLines+1)*(maxWidth+10) {
		t.Errorf("%d bytes, valid %v", len(got), utf8.ValidString(got))
	}
}

func TestManyProblems(t *testing.T) {
	p := PackageResult{Ended: true, Tests: make([]Test, 1000)}
	got := p.problems(linuxversion.Version{}, false)
	if n := len(got); n != maxProblems+1 || got[n-1] != "and 988 more" {
		t.Errorf("%d problems: %q", n, got)
	}
}
