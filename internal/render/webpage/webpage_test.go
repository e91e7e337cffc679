package webpage

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/render/rateseries"
)

// written returns the page of a report, as a file.
func written(t *testing.T, r *flow.Report) string {
	t.Helper()
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	s := rateseries.New(rateseries.Whole)
	s.Finish(r)
	if err := WriteFile(w, r, s); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestNamesAreNoMarkup: names cannot end the element that contains them, even if a writer's buffer
// splits them.
func TestNamesAreNoMarkup(t *testing.T) {
	harmless := written(t, &flow.Report{Final: true, Notes: []string{"x"}, Interfaces: []flow.Interface{{Index: 1, Name: "eth0"}}})
	hostile := "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>&lt;"
	for _, padding := range []int{0, 4090, 65530} {
		name := strings.Repeat("x", padding) + strings.Repeat(hostile, 200)
		page := written(t, &flow.Report{Final: true, Notes: []string{name}, Backend: name, Attach: name, Reason: name, Files: []string{name},
			Origin: flow.Origin{Host: name, Kernel: name, Version: name, Args: []string{name}, Note: name}, Interfaces: []flow.Interface{{Index: 1, Name: name}}})
		for _, mark := range []string{"<", ">", "</script", "<!--", "<img"} {
			if got, want := strings.Count(page, mark), strings.Count(harmless, mark); got != want {
				t.Errorf("%q is %d times in the page, %d times without hostile names", mark, got, want)
			}
		}
	}
}

// TestNothingIsLoaded: the page has no address except XML namespaces.
func TestNothingIsLoaded(t *testing.T) {
	page := written(t, &flow.Report{Final: true})
	for _, m := range regexp.MustCompile(`[a-z]+://[^"'\s]*`).FindAllString(page, -1) {
		if m != "http://www.w3.org/2000/svg" {
			t.Errorf("the page has the address %s", m)
		}
	}
	if n := strings.Count(page, "sha256-"); n != 2 {
		t.Errorf("%d hashes in the policy, want two: style sheet and script", n)
	}
	for _, sheet := range regexp.MustCompile(`(?i)@import|url\(`).FindAllString(Style(), -1) {
		t.Errorf("the style sheet has %s", sheet)
	}
	for _, place := range []string{"<!--HEAD-->", "<!--DATA-->", "<!--SCRIPT-->"} {
		if strings.Contains(page, place) || strings.Contains(Live(), place) {
			t.Errorf("%s is left in the page", place)
		}
	}
	if live := Live(); strings.Count(strings.ReplaceAll(live, dataStart("data-facts"), ""), "<script") != 1 || strings.Contains(live, "<style") || regexp.MustCompile(`\s(style|on[a-z]+)=`).MatchString(live) {
		t.Error("the live page has inline script or style, which its policy forbids")
	}
}

// TestFacts: every page has the facts about all fields and numbers.
func TestFacts(t *testing.T) {
	for name, page := range map[string]string{"file": written(t, &flow.Report{Final: true}), "live": Live()} {
		_, text, found := strings.Cut(page, dataStart("data-facts"))
		text, _, ended := strings.Cut(text, dataEnd)
		var got facts
		if !found || !ended || json.Unmarshal([]byte(text), &got) != nil {
			t.Fatalf("%s: the facts are %q", name, text)
		}
		if strings.ContainsAny(text, "<>&") {
			t.Errorf("%s: the facts are not escaped JSON: %s", name, text)
		}
		if !maps.Equal(got.ICMPTypes["ICMP"], flow.ICMPTypes) || !maps.Equal(got.ICMPTypes["IPv6-ICMP"], flow.ICMPv6Types) {
			t.Errorf("%s: the ICMP types are %v", name, got.ICMPTypes)
		}
		if !maps.Equal(got.ARPOperations, flow.ARPOperations) {
			t.Errorf("%s: the ARP operations are %v", name, got.ARPOperations)
		}
		for typ, word := range flow.EtherTypes {
			if key := fmt.Sprintf("0x%04x", uint16(typ)); got.EtherTypes[key] != word {
				t.Errorf("%s: ethertype %s is %q, want %q", name, key, got.EtherTypes[key], word)
			}
		}
		all := flow.Fields.All()
		if len(got.Fields) != len(all) {
			t.Fatalf("%s: %d fields, want %d", name, len(got.Fields), len(all))
		}
		for i, f := range all {
			g := got.Fields[i]
			if g.Name != f.Name || !slices.Equal(g.Aliases, f.Aliases) || g.Title != f.Title || g.Help != f.Help || g.Role != f.Role.String() ||
				g.Kind != f.Kind.String() || g.Number != f.Kind.IsNumber() || g.Descending != f.Descending() || g.Sparse != f.Sparse {
				t.Errorf("%s: field %+v, want %+v", name, g, *f)
			}
		}
	}
}

// TestScriptMakesNoMarkup: the script uses no function that parses markup.
func TestScriptMakesNoMarkup(t *testing.T) {
	for _, sink := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "setTimeout(\"", "srcdoc", "javascript:"} {
		if strings.Contains(Script(), sink) {
			t.Errorf("the script uses %s", sink)
		}
	}
	if strings.Contains(strings.ToLower(Script()), "</script") || strings.Contains(Script(), "<!--") {
		t.Error("the script ends its own element")
	}
}
