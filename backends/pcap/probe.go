package pcap

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/pktstat/pktstat/registry"
)

// Probe opens the capture as Open does, unless that would wait for somebody or
// take away what is in a pipe.
func (c *config) Probe(ctx context.Context) registry.ProbeResult {
	if c.file == "" {
		return no(errors.New("no capture is named"), "--pcap-file FILE")
	}
	if c.file != stdinName {
		if st, err := os.Stat(c.file); err != nil || st.Mode().IsRegular() || st.IsDir() {
			src, err := c.Open(ctx, registry.BackendEnv{})
			if err != nil {
				return no(err, "name a readable capture with --pcap-file FILE")
			}
			_ = src.Close()
		}
	}
	return registry.ProbeResult{Checks: []registry.Check{{Name: "capture file"}}}
}

func no(err error, remedy string) registry.ProbeResult {
	if !errors.Is(err, registry.ErrPermission) {
		err = fmt.Errorf("%w: %w: %s", registry.ErrUnsupported, err, remedy)
	}
	return registry.ProbeResult{
		Verdict: registry.No,
		Err:     err,
		Checks: []registry.Check{{
			Name: "capture file", Verdict: registry.No, Reason: err.Error(), Remedy: remedy,
		}},
	}
}
