// Package kernels records the results of the backends' probes on each kernel of the matrix
// (tools/vmtest), and writes docs/kernels.md from them. In every machine, its test compares the
// records with the current results.
package kernels

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pktstat/pktstat/registry"
	"github.com/pktstat/pktstat/tools/vmtest"
)

// Record is the results on one kernel. It omits reasons and details, because names of programs and
// error texts may change without meaning.
type Record struct {
	Version  string    `json:"version"` // major and minor number, at the time of the record
	Auto     string    `json:"auto"`    // the backend that --backend=auto chooses on a veth link
	Attach   string    `json:"attach"`  // its attach method
	Backends []Backend `json:"backends"`
}

// Backend is the result of a backend's probe with default options.
type Backend struct {
	Name    string  `json:"name"`
	Verdict string  `json:"verdict"`
	Checks  []Check `json:"checks"`
}

// Check is one check of a probe.
type Check struct {
	Name    string `json:"name"`
	Since   string `json:"since,omitempty"` // Linux version; empty if it does not depend on one
	Verdict string `json:"verdict"`
}

// Probe probes every live backend in the registry, in name order.
func Probe(ctx context.Context) []Backend {
	var all []Backend
	for name, b := range registry.Backends.All() {
		if !b.Caps.Has(registry.CapLive) {
			continue // every kernel can read files
		}
		r := b.New().Probe(ctx)
		found := Backend{Name: name, Verdict: r.Verdict.String(), Checks: []Check{}}
		for _, c := range r.Checks {
			found.Checks = append(found.Checks, Check{c.Name, c.Since, c.Verdict.String()})
		}
		all = append(all, found)
	}
	return all
}

// File returns the file name of a kernel's record. It takes the name in the matrix, because the
// version of a kernel such as "newest" changes.
func File(name string) string { return name + ".json" }

// Load reads the records of a directory, in the order of the matrix.
func Load(dir string) ([]Record, error) {
	var all []Record
	for _, k := range vmtest.Kernels {
		r, err := Read(filepath.Join(dir, File(k.Name)))
		if err != nil {
			return nil, err
		}
		all = append(all, *r)
	}
	return all, nil
}

// Read reads one record.
func Read(file string) (*Record, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := &Record{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if r.Version == "" || len(r.Backends) == 0 {
		return nil, fmt.Errorf("%s: %w", file, errEmpty)
	}
	return r, nil
}

var errEmpty = errors.New("it has no version or no backend")

// Write writes one record.
func (r *Record) Write(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
