package attach

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// slowHook takes 0.9 s to attach to a port or to detach from it.
type slowHook struct {
	refuse             uint32 // Attach fails for the port with this index
	now, most          atomic.Int32
	attached, detached atomic.Int32
}

var errRefused = errors.New("refused")

func (h *slowHook) Attach(p *Port) (Attached, error) {
	defer h.busy()()
	if p.Index == h.refuse {
		return Attached{}, errRefused
	}
	h.attached.Add(1)
	return Attached{Method: "slow", Detach: func() error {
		defer h.busy()()
		h.detached.Add(1)
		return nil
	}}, nil
}

func (h *slowHook) busy() (done func()) {
	if n := h.now.Add(1); n > h.most.Load() {
		h.most.Store(n)
	}
	time.Sleep(900 * time.Millisecond)
	return func() { h.now.Add(-1) }
}

func (h *slowHook) Close() error { return nil }

// many returns a source with n ports that are not attached yet.
func many(h *slowHook, n, atOnce int, notify func(string, ...any)) *source {
	s := &source{hook: h, atOnce: atOnce, Explain: func(err error) error { return err }}
	s.Env = registry.BackendEnv{Notify: notify, Debugf: func(string, ...any) {}}
	for i := range n {
		s.ports = append(s.ports, &Port{Interface: flow.Interface{Index: uint32(i + 1), Name: fmt.Sprint("p", i+1)}})
	}
	return s
}

// TestSideBySide: the source attaches to each port once, with up to AtOnce calls at a time, and
// detaches the same way. The user gets progress messages if it takes long.
func TestSideBySide(t *testing.T) {
	for _, tt := range []struct {
		n, atOnce, most int
		said            []string
	}{
		{n: 14, most: 1, said: []string{
			"attaching to 14 interfaces: 1 done", "attaching to 14 interfaces: 6 done", "attaching to 14 interfaces: 12 done",
			"detaching from 14 interfaces: 1 done", "detaching from 14 interfaces: 6 done", "detaching from 14 interfaces: 12 done",
		}},
		{n: 60, atOnce: 20, most: 20, said: []string{"attaching to 60 interfaces: 20 done", "detaching from 60 interfaces: 20 done"}},
		{n: 3, atOnce: 20, most: 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var said []string
			h := &slowHook{}
			s := many(h, tt.n, tt.atOnce, func(f string, a ...any) {
				mu.Lock()
				defer mu.Unlock()
				said = append(said, fmt.Sprintf(f, a...))
			})
			if err := s.openNamed(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if n := int32(tt.n); h.attached.Load() != n || h.detached.Load() != n || int(h.most.Load()) != tt.most {
				t.Errorf("%d ports, %d at once: attached %d, detached %d, %d at a time", tt.n, tt.atOnce, h.attached.Load(), h.detached.Load(), h.most.Load())
			}
			if !slices.Equal(said, tt.said) {
				t.Errorf("%d ports, %d at once: messages %q, want %q", tt.n, tt.atOnce, said, tt.said)
			}
		})
	}
}

// TestAttachingEnds: an error on one port, or the end of the run, stops attaching to the other
// ports. Attached ports are detached.
func TestAttachingEnds(t *testing.T) {
	for _, atOnce := range []int{1, 4} {
		for _, refuse := range []uint32{0, 10} {
			synctest.Test(t, func(t *testing.T) {
				h := &slowHook{refuse: refuse}
				s := many(h, 100, atOnce, func(string, ...any) {})
				ctx, cancel := context.WithCancel(t.Context())
				want := errRefused
				if refuse == 0 {
					want = context.Canceled
					time.AfterFunc(2500*time.Millisecond, cancel)
				}
				defer cancel()
				if err := s.openNamed(ctx); !errors.Is(err, want) {
					t.Errorf("%d at once: error %v, want %v", atOnce, err, want)
				}
				if n := h.attached.Load(); n == 0 || n > 16 {
					t.Errorf("%d at once, %v: attached to %d", atOnce, want, n)
				}
				if err := s.Close(); err != nil || h.detached.Load() != h.attached.Load() {
					t.Errorf("%d at once, %v: attached %d, detached %d, %v", atOnce, want, h.attached.Load(), h.detached.Load(), err)
				}
			})
		}
	}
}
