// Package livetest helps to test backends that count on live interfaces. It opens a backend on an
// interface of package testnet, and adds up what the backend counts.
package livetest

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/netif/iface"
	"github.com/pktstat/pktstat/internal/test/testnet"
	"github.com/pktstat/pktstat/plugintest/sourcetest"
	"github.com/pktstat/pktstat/registry"
)

// MaxFlows is the size of the tables.
const MaxFlows = 1000

// Source is an open backend.
type Source struct {
	tb   testing.TB
	src  registry.Source
	host *testnet.Host // nil: the calling thread's namespace
	said lines
}

// Setup returns how to open a backend on interfaces.
func Setup(args []string, on ...*testnet.Iface) sourcetest.Setup {
	env := registry.BackendEnv{
		MaxFlows: MaxFlows, Now: time.Now,
		Notify: func(string, ...any) {}, Debugf: func(string, ...any) {},
	}
	if len(on) > 0 && on[0].Host != nil {
		env.NetNS = &registry.NetNS{Name: on[0].NetNS(), Do: on[0].Do}
	}
	for _, i := range on {
		env.Interfaces = append(env.Interfaces, flow.Interface{Index: uint32(i.Index), Name: i.Name})
	}
	return sourcetest.Setup{Args: args, Env: env}
}

// TryOpen opens a backend with its options on interfaces of one host. The end of the test closes
// it, if the test did not.
func TryOpen(tb testing.TB, backend string, args []string, on ...*testnet.Iface) (*Source, error) {
	tb.Helper()
	env, h := Setup(args, on...).Env, on[0].Host
	if len(on) > 1 && h != nil { // several threads may attach to them
		env.NetNS = &registry.NetNS{Name: h.NetNS(), Do: h.Do}
	}
	return tryOpen(tb, backend, args, h, env)
}

// OpenMatching opens a backend in a host's network namespace as the command line does. specs are
// names and patterns of interfaces (see iface.Resolve).
func OpenMatching(tb testing.TB, backend string, args []string, h *testnet.Host, specs ...string) *Source {
	tb.Helper()
	env := Setup(args).Env
	env.NetNS = &registry.NetNS{Name: h.NetNS(), Do: h.Do}
	var found iface.Selection
	err := h.Do(func() (err error) { found, err = iface.Resolve(specs); return err })
	if err != nil {
		tb.Fatal(err)
	}
	env.Interfaces, env.Follow = found.Interfaces, found.Follow
	s, err := tryOpen(tb, backend, args, nil, env)
	if err != nil {
		tb.Fatalf("open %s %q on %q: %v", backend, args, specs, err)
	}
	return s
}

func tryOpen(tb testing.TB, backend string, args []string, from *testnet.Host, env registry.BackendEnv) (*Source, error) {
	tb.Helper()
	b, err := registry.Backends.Lookup(backend)
	if err != nil {
		tb.Fatal(err)
	}
	c := b.New()
	fs := flag.NewFlagSet(backend, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	c.Flags(fs)
	if err := fs.Parse(args); err != nil {
		tb.Fatal(err)
	}
	s := &Source{tb: tb, host: from}
	env.Notify, env.Debugf = s.said.add, func(f string, a ...any) { tb.Logf(f, a...) }
	err = s.inside(func() (err error) {
		s.src, err = c.Open(context.Background(), env)
		return err
	})
	if err != nil {
		return nil, err
	}
	tb.Cleanup(s.Close)
	return s, nil
}

// Open is TryOpen that fails the test on an error.
func Open(tb testing.TB, backend string, args []string, on ...*testnet.Iface) *Source {
	tb.Helper()
	s, err := TryOpen(tb, backend, args, on...)
	if err != nil {
		tb.Fatalf("open %s %q on %s: %v", backend, args, on[0].Name, err)
	}
	return s
}

func (s *Source) inside(f func() error) error {
	if s.host == nil {
		return f()
	}
	return s.host.Do(f)
}

// Close closes the source. It may be called twice.
func (s *Source) Close() {
	s.tb.Helper()
	if err := s.inside(s.src.Close); err != nil {
		s.tb.Errorf("close: %v", err)
	}
}

// Attachment returns the source's attachment, without the note that names the host.
func (s *Source) Attachment() registry.Attachment {
	a := s.src.(registry.Attached).Attachment()
	if s.host != nil {
		a.Notes = slices.DeleteFunc(slices.Clone(a.Notes), func(n string) bool { return n == "in network namespace "+s.host.NetNS() })
	}
	return a
}

// Registered returns the source itself.
func (s *Source) Registered() registry.Source { return s.src }

// Said returns the source's messages to the user.
func (s *Source) Said() []string { return s.said.all() }

// Collect calls f with the records since the previous Collect.
func (s *Source) Collect(f func([]flow.Record)) (other, lost flow.Counters) {
	s.tb.Helper()
	b := flow.NewBatch(flow.BatchHooks{Records: func(rs []flow.Record) error { f(rs); return nil }})
	if err := s.src.Collect(context.Background(), b); err != nil {
		s.tb.Fatalf("collect: %v", err)
	}
	if err := b.Flush(); err != nil {
		s.tb.Fatal(err)
	}
	return b.Overflow.Total(), b.Lost
}

// Records collects, and adds up the records of each flow, which may come from several CPUs. It
// fails if overflow or lost is not zero.
func (s *Source) Records() []flow.Record {
	s.tb.Helper()
	var all []flow.Record
	other, lost := s.Collect(func(rs []flow.Record) {
		for _, r := range rs {
			i := slices.IndexFunc(all, func(a flow.Record) bool { return a.Key == r.Key })
			if i < 0 {
				all = append(all, r)
			} else {
				all[i].Counters.Add(r.Counters)
				all[i].Health.Add(r.Health)
			}
		}
	})
	if !other.IsZero() || !lost.IsZero() {
		s.tb.Errorf("other %+v, lost %+v", other, lost)
	}
	return all
}

// Sum adds up the flows with the addresses, ports and protocol of k. A zero k means all flows.
func Sum(records []flow.Record, k flow.Key) (c flow.Counters) {
	for i := range records {
		r := records[i].Key.Key()
		if k == (flow.Key{}) || r.Src == k.Src && r.Dst == k.Dst && r.Proto == k.Proto {
			c.Add(records[i].Counters)
		}
	}
	return c
}

// WaitSaid waits until a message of the source contains text.
func (s *Source) WaitSaid(text string) {
	s.tb.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		said := s.said.all()
		if slices.ContainsFunc(said, func(l string) bool { return strings.Contains(l, text) }) {
			return
		}
		if time.Now().After(end) {
			s.tb.Fatalf("no message contains %q, only %q", text, said)
		}
	}
}

// WaitNote waits until a note of the source contains text.
func (s *Source) WaitNote(text string) {
	s.tb.Helper()
	for end := time.Now().Add(30 * time.Second); !s.HasNote(text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.tb.Fatalf("no note contains %q, only %q", text, s.Attachment().Notes)
		}
	}
}

// HasNote reports whether a note of the source contains text.
func (s *Source) HasNote(text string) bool {
	return slices.ContainsFunc(s.Attachment().Notes, func(n string) bool { return strings.Contains(n, text) })
}

// lines are the source's messages to the user.
type lines struct {
	mu   sync.Mutex
	said []string
}

func (l *lines) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, fmt.Sprintf(format, args...))
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.said)
}
