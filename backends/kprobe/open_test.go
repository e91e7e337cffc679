package kprobe

import (
	"context"
	"flag"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/registry"
)

// maxFlows is large, because the backend counts all traffic of the machine.
const maxFlows = 1 << 17

// eachHook runs a test at every hook of the kernel. The matrix of tools/vmtest has kernels with
// all hooks, but opening takes ten seconds there.
func eachHook(t *testing.T, f func(t *testing.T, s *source)) {
	testenv.Privileged(t)
	for i := range hooks {
		h := &hooks[i]
		t.Run(h.name, func(t *testing.T) {
			s, err := open(context.Background(), h.name, bpfflow.Options{MaxFlows: maxFlows, Now: time.Now, Debugf: t.Logf})
			if err != nil && h.name == "tracepoint" {
				t.Fatal(err) // every kernel has it
			}
			if err != nil {
				testenv.Feature(t, h.name, h.since, func() error { return err })
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			s.watch(registry.BackendEnv{Now: time.Now, Notify: t.Logf, Debugf: t.Logf})
			f(t, s)
		})
	}
}

// collect calls f with the counts in some network namespaces.
func (s *source) collect(tb testing.TB, f func(flow.Key, flow.Counters), in ...*testnet.Host) (other, lost flow.Counters) {
	tb.Helper()
	namespaces := map[uint32]bool{}
	for _, h := range in {
		namespaces[inode(tb, h)] = true
	}
	b := flow.NewBatch(flow.BatchHooks{Records: func(rs []flow.Record) error {
		for i := range rs {
			if k := rs[i].Key.Key(); namespaces[k.NetNS] {
				f(k, rs[i].Counters)
			}
		}
		return nil
	}})
	if err := s.Collect(context.Background(), b); err != nil {
		tb.Fatal(err)
	}
	if err := b.Flush(); err != nil {
		tb.Fatal(err)
	}
	return b.Overflow.Total(), b.Lost
}

// inode is the number of a network namespace in rows.
func inode(tb testing.TB, h *testnet.Host) uint32 {
	tb.Helper()
	var st unix.Stat_t
	if err := unix.Stat("/run/netns/"+h.NetNS(), &st); err != nil {
		tb.Fatal(err)
	}
	return uint32(st.Ino)
}

func newFlagSet(b registry.Backend) *flag.FlagSet {
	fs := flag.NewFlagSet("kprobe", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	b.New().Flags(fs)
	return fs
}
