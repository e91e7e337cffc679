// Package kernels keeps what the backends' probes say on each kernel of the matrix
// (tools/vmtest), and writes docs/kernels.md from it. Its test compares that with
// what they say now, in every machine.
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

// Record is what was found on one kernel. Reasons and details are left out: they
// name programs and errors that change without anything being different.
type Record struct {
	Version  string    `json:"version"` // major and minor, when it was recorded
	Auto     string    `json:"auto"`    // the backend that --backend=auto takes on a veth link
	Attach   string    `json:"attach"`  // and its method
	Backends []Backend `json:"backends"`
}

// Backend is what one backend's probe says with default options.
type Backend struct {
	Name    string  `json:"name"`
	Verdict string  `json:"verdict"`
	Checks  []Check `json:"checks"`
}

// Check is one thing that a probe tried.
type Check struct {
	Name    string `json:"name"`
	Since   string `json:"since,omitempty"` // Linux version; empty if not bound to one
	Verdict string `json:"verdict"`
}

// Probe asks every backend for live traffic in the registry, in name order.
func Probe(ctx context.Context) []Backend {
	var all []Backend
	for name, b := range registry.Backends.All() {
		if !b.Caps.Has(registry.CapLive) {
			continue // any kernel has files
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

// File is the name of a kernel's record. The kernel's name is that in the matrix:
// what the newest one is changes.
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

var errEmpty = errors.New("there is no version or no backend in it")

// Write writes one record.
func (r *Record) Write(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
