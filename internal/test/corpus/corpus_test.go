package corpus

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
)

// ruleSections maps the sections of docs/accounting.md to their names in cases. If the section
// numbers its rules, a case adds the number.
var ruleSections = map[string]string{
	"The frame": "frame", "Headers before layer 3": "before", "IPv4": "ipv4", "IPv6": "ipv6", "Transport": "transport", "GSO and GRO": "gso",
}

// rules returns the rules of docs/accounting.md.
func rules(t *testing.T) map[string]bool {
	dir, err := Dir()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "..", "..", "docs", "accounting.md"))
	if err != nil {
		t.Fatal(err)
	}
	numbered := regexp.MustCompile(`^(\d+)\. `)
	rules := map[string]bool{}
	section := ""
	for line := range strings.Lines(string(text)) {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			section = ruleSections[strings.TrimSpace(title)]
			if section == "transport" || section == "gso" {
				rules[section] = true
			}
		}
		if m := numbered.FindStringSubmatch(line); m != nil && section != "" {
			rules[fmt.Sprintf("%s %s", section, m[1])] = true
		}
		if section == "frame" && strings.HasPrefix(line, `"There" means`) {
			rules["there"] = true
		}
	}
	return rules
}

// TestRules: every rule has a case, and every case names an existing rule.
func TestRules(t *testing.T) {
	cases, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	rules := rules(t)
	const atLeast = 7 + 1 + 4 + 4 + 4 + 2
	if len(rules) < atLeast {
		t.Fatalf("found %d rules in docs/accounting.md, not %d: %v", len(rules), atLeast, rules)
	}
	shown := map[string]bool{}
	names := map[string]bool{}
	for _, c := range cases {
		if !rules[c.Rule] {
			t.Errorf("%s: no rule %q in docs/accounting.md", c.Name, c.Rule)
		}
		if names[c.Name] {
			t.Errorf("%s: more than one case has this name", c.Name)
		}
		shown[c.Rule], names[c.Name] = true, true
	}
	for r := range rules {
		if !shown[r] {
			t.Errorf("rule %q has no case", r)
		}
	}
}

func TestWhole(t *testing.T) {
	cases, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	whole := map[string]bool{}
	for _, c := range cases {
		whole[c.Name] = c.Whole()
	}
	for name, want := range map[string]bool{
		"ipv4/fragment-first": true, "raw/ipv4": true, "gso/tcp4-1-segment": true,
		"gso/tcp4": false, "snaplen/tcp-96": false, "sll/ethernet-ipv4": false, "vlan-offload/tag": false,
	} {
		if got, ok := whole[name]; !ok || got != want {
			t.Errorf("%s: Whole() = %v (found %v), want %v", name, got, ok, want)
		}
	}
}

func TestTruthErrors(t *testing.T) {
	for _, tr := range []truth{
		{Proto: "TPC"}, {Proto: ""}, {Proto: "ETH"}, {Proto: "ETH", EtherType: "0x12345"}, {Proto: "GRE", Subtype: Subtype{GREProto: "x"}},
	} {
		if r, err := tr.record(); err == nil {
			t.Errorf("%+v: no error, but %+v", tr, r)
		}
	}
	r, err := (&truth{Proto: "ETH", EtherType: "0x88cc", VLAN: 7, Packets: 1, FrameBytes: 60}).record()
	want := flow.Record{Key: flow.Packed{EtherType: 0x88cc, VLAN: 7}, Counters: flow.Counters{Packets: 1, FrameBytes: 60}}
	if err != nil || r != want {
		t.Errorf("got %+v, %v, want %+v", r, err, want)
	}
}
