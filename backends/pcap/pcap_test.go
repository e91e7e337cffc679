package pcap

import (
	"bytes"
	"os"
	"testing"

	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/plugintest/sourcetest"
	"github.com/pktstat/pktstat/registry"
)

func TestConformance(t *testing.T) {
	pkts := traffic(20000, 300)
	want := parsed(packet.LinkTypeEthernet, pkts).total()
	classic := classicFile(le, microseconds, 1, pkts)
	failures := []sourcetest.Failure{
		{Name: "no file", Is: registry.ErrUsage},
		{Name: "missing", Setup: sourcetest.Setup{Args: []string{"-file=" + t.TempDir() + "/none"}}, Is: os.ErrNotExist},
		{Name: "no capture", Setup: sourcetest.Setup{Args: []string{"-file=" + write(t, "x", []byte("hello"))}}},
		{Name: "no stdin", Setup: sourcetest.Setup{Args: []string{"-file=-"}}},
	}
	file := func(content []byte) func(testing.TB) sourcetest.Setup {
		name := write(t, "x", content)
		return func(testing.TB) sourcetest.Setup {
			return sourcetest.Setup{Args: []string{"-file=" + name}}
		}
	}
	for name, setup := range map[string]func(testing.TB) sourcetest.Setup{
		"pcap":   file(classic),
		"pcapng": file(ngFile(be, 1, pkts)),
		"gzip":   file(gzipped(t, classic)),
		"zstd":   file(zstded(t, classic)),
		"pipe": func(tb testing.TB) sourcetest.Setup {
			return sourcetest.Setup{Args: []string{"-file=-"}, Env: registry.BackendEnv{Stdin: pipeOf(tb, classic)}}
		},
		"reader": func(testing.TB) sourcetest.Setup {
			return sourcetest.Setup{Args: []string{"-file=-"}, Env: registry.BackendEnv{Stdin: bytes.NewReader(classic)}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			sourcetest.Run(t, sourcetest.Options{Backend: "pcap", Setup: setup, Failures: failures, Want: want})
		})
	}
}

// pipeOf returns the reading end of a pipe that gets content.
func pipeOf(tb testing.TB, content []byte) *os.File {
	r, w, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = w.Write(content) // fails when the test stops reading
		_ = w.Close()
	}()
	tb.Cleanup(func() {
		_ = r.Close()
		<-done
	})
	return r
}
