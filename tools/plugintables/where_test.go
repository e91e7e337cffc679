package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/registry"
)

// TestWhereHasEveryBackend: every backend of the registry is in the drawing, and so is
// one that is registered later, in each direction that it sees.
func TestWhereHasEveryBackend(t *testing.T) {
	const added = "later"
	for cost := registry.CostDriver; cost <= registry.CostProbe; cost++ {
		drawing := where(func(yield func(string, registry.Backend) bool) {
			for name, b := range registry.Backends.All() {
				if !yield(name, b) {
					return
				}
			}
			yield(added, registry.Backend{Cost: cost, Caps: registry.CapLive | registry.CapIngress | registry.CapEgress})
		})
		want := map[string]int{added: 2}
		for name, b := range registry.Backends.All() {
			want[name] = max(1, len(b.Caps.Strings())-len((b.Caps&^(registry.CapIngress|registry.CapEgress)).Strings()))
		}
		for name, n := range want {
			if got := strings.Count(drawing, fmt.Sprintf(`class="name">%s<`, name)); got != n {
				t.Errorf("with one more at cost %s, the drawing has %s %d times, want %d", cost, name, got, n)
			}
		}
		for d := xml.NewDecoder(strings.NewReader(drawing)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
}
