package pcap

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/pktstat/pktstat/registry"
)

// Probe opens the capture, or the device, like Open. It does not open a pipe: it would wait for a
// writer, or take bytes away.
func (c *config) Probe(ctx context.Context) registry.ProbeResult {
	if c.live != "" {
		return c.probeLive()
	}
	works := registry.ProbeResult{Checks: []registry.Check{{Name: "capture file"}}}
	if c.files == nil {
		works.Checks[0].Detail = "any that is named: reading takes no privileges"
	}
	for _, name := range c.files {
		if name == stdinName {
			continue
		}
		if st, err := os.Stat(name); err != nil || st.Mode().IsRegular() || st.IsDir() {
			src, err := (&config{files: files{name}}).Open(ctx, registry.BackendEnv{})
			if err != nil {
				return no(err)
			}
			_ = src.Close()
		}
	}
	return works
}

// probeLive opens the device and closes it. That changes nothing.
func (c *config) probeLive() registry.ProbeResult {
	check := registry.Check{Name: "libpcap device"}
	err := tryLive(c.live)
	if err == nil {
		return registry.ProbeResult{Checks: []registry.Check{check}}
	}
	check.Reason = err.Error()
	var missing *registry.CapsError
	switch {
	case errors.As(err, &missing):
		check.Verdict, check.Caps = registry.Inconclusive, missing.Caps
	case errors.Is(err, registry.ErrUnsupported):
		check.Verdict = registry.No
	default:
		check.Verdict, err = registry.No, fmt.Errorf("%w: %w", registry.ErrUnsupported, err)
	}
	return registry.ProbeResult{Verdict: check.Verdict, Err: err, Checks: []registry.Check{check}}
}

// no is the result for a capture that Open refuses. Without permission to read the file, it is
// inconclusive.
func no(err error) registry.ProbeResult {
	const remedy = "name a readable capture: pktstat FILE"
	r := registry.ProbeResult{Verdict: registry.Inconclusive, Err: err}
	if !errors.Is(err, registry.ErrPermission) {
		r.Verdict, r.Err = registry.No, fmt.Errorf("%w: %w: %s", registry.ErrUnsupported, err, remedy)
	}
	r.Checks = []registry.Check{{Name: "capture file", Verdict: r.Verdict, Reason: err.Error(), Remedy: remedy}}
	return r
}
