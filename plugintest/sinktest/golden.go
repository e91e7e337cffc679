package sinktest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// golden compares the output of each run with a golden file.
func (s *suite) golden(t *testing.T) {
	for _, g := range Goldens() {
		if s.variant.Goldens != nil && !slices.Contains(s.variant.Goldens, g.Name) {
			continue
		}
		t.Run(g.Name, func(t *testing.T) {
			got, err := s.render(g.Reports)
			if err != nil {
				t.Fatal(err)
			}
			if s.Compared != nil {
				got = s.Compared(got)
			}
			name := g.Name + ".golden"
			if s.variant.Name != "" {
				name = g.Name + "." + s.variant.Name + ".golden"
			}
			file := filepath.Join("testdata", name)
			if *update {
				if err := os.MkdirAll("testdata", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v (go test -update writes it)", err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("differs from %s (go test -update accepts it). Got\n%s\nwant\n%s", file, got, want)
			}
		})
	}
}
