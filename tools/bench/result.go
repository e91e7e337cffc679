package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Result is the result of a run of the protocol.
type Result struct {
	Time    time.Time `json:"time"`
	Took    float64   `json:"took_s"`
	Machine Machine   `json:"machine"`
	Scale   Scale     `json:"scale"`
	Peers   []string  `json:"peers"`

	Groups  []Group  `json:"groups"`
	Floods  []Flood  `json:"floods"`
	Notes   []string `json:"notes,omitempty"`   // what was not measured, and why
	Targets []Target `json:"targets,omitempty"` // set by Judge
}

// Machine describes the machine of a result.
type Machine struct {
	Kernel string `json:"kernel"`
	Model  string `json:"model"`
	CPUs   int    `json:"cpus"`
	Go     string `json:"go"`
}

func newResult(c *Config) *Result {
	r := &Result{Time: time.Now().UTC().Truncate(time.Second), Machine: thisMachine(), Scale: c.Scale}
	for _, p := range c.Peers {
		if !slices.Contains(r.Peers, p.Name) {
			r.Peers = append(r.Peers, p.Name)
		}
	}
	return r
}

func (r *Result) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// WriteJSON writes the result with all rounds.
func (r *Result) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

func thisMachine() Machine {
	m := Machine{CPUs: runtime.NumCPU(), Go: runtime.Version(), Model: runtime.GOARCH}
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	// Some architectures have no model name in this file.
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
			if k, v, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(k) == "model name" {
				m.Model = strings.TrimSpace(v)
				break
			}
		}
	}
	return m
}
