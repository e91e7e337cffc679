package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/internal/test/corpus"
)

// TestCommitted: the committed captures are what this program writes. The truth files have the same
// packets in the same order.
func TestCommitted(t *testing.T) {
	dir, err := corpus.Dir()
	if err != nil {
		t.Fatal(err)
	}
	cases, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	byGroup := map[string][]string{}
	for _, c := range cases {
		group, name, _ := strings.Cut(c.Name, "/")
		byGroup[group] = append(byGroup[group], name)
	}
	for _, g := range groups() {
		want, err := g.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, g.name+".pcap"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s.pcap differs from the generated file: run go generate ./internal/test/corpus", g.name)
		}
		for i, f := range g.frames {
			if i >= len(byGroup[g.name]) || byGroup[g.name][i] != f.name {
				t.Errorf("%s.json: packet %d is %s", g.name, i+1, f.name)
			}
		}
		delete(byGroup, g.name)
	}
	for g := range byGroup {
		t.Errorf("%s.pcap has no generator", g)
	}
}
