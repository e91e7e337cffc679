package sinktest

import (
	"context"
	"errors"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testtty"
	"github.com/pktstat/pktstat/registry"
)

// onTerminals checks an output that takes over a terminal.
func (s *suite) onTerminals(t *testing.T) {
	for _, c := range []check{
		{"registration", checkRegistration}, {"flags", checkFlags}, {"configs are independent", checkIndependence},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := s.try(c.run); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("needs a terminal", func(t *testing.T) {
		if _, err := s.openOn(t, nil); !errors.Is(err, registry.ErrUsage) {
			t.Errorf("open without a terminal returned %q, want an ErrUsage", text(err))
		}
	})
	for _, g := range append(Goldens(), Golden{Name: "no report"}) {
		t.Run(g.Name, func(t *testing.T) { s.runOn(t, g.Reports) })
	}
	t.Run("a stalled terminal stalls nothing", s.stalled)
}

// openOn opens the output on a terminal.
func (s *suite) openOn(tb testing.TB, tty *registry.TTY) (*opened, error) {
	tb.Helper()
	out, err := s.output()
	if err != nil {
		return nil, err
	}
	config := out.New()
	if err := setFlags(config, s.variant.Args); err != nil {
		return nil, err
	}
	sink, err := config.Open(tb.Context(), registry.OutputEnv{
		TTY: tty, Terminal: registry.Terminal{IsTTY: true, Width: 80, Color: true},
		Now: func() time.Time { return testStart }, Notify: func(string, ...any) {}, Stop: func() {},
	})
	if err != nil {
		return nil, err
	}
	return &opened{Sink: sink, when: out.When}, nil
}

func ttyOf(t *testtty.Terminal) *registry.TTY {
	return &registry.TTY{In: t.TTY, Out: t.TTY, Environ: []string{"TERM=xterm-256color"}}
}

// runOn writes a run to a terminal. The output must not change a report, nor read it after Write
// has returned. Names must not reach the terminal unescaped. Close must restore the terminal's
// mode.
func (s *suite) runOn(t *testing.T, reports []*flow.Report) {
	terminal := testtty.New(t, 80, 24)
	o, err := s.openOn(t, ttyOf(terminal))
	if err != nil {
		t.Fatal(err)
	}
	before, mine := clone(reports), clone(reports)
	for i, r := range mine {
		if err := o.writeAll(mine[i : i+1]); err != nil {
			t.Fatalf("write: %v", err)
		}
		if !reflect.DeepEqual(r, before[i]) {
			t.Error("the report was changed")
		}
		overwrite(r)
	}
	if len(reports) > 0 {
		terminal.Wait(t, "anything", func(s string) bool { return s != "" })
	}
	for i := range 2 {
		if err := o.Close(); err != nil {
			t.Errorf("close, call %d: %v", i+1, err)
		}
	}
	if terminal.Raw(t) {
		t.Error("the terminal's mode is not as it was")
	}
	written := terminal.Written()
	if strings.Contains(written, "overwritten") {
		t.Error("reports that change after write has returned change the output")
	}
	for _, name := range hostileNames {
		if isHostile(name) && strings.Contains(written, name) {
			t.Errorf("%q reached the terminal unescaped", name)
		}
	}
}

func isHostile(s string) bool {
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return true
		}
	}
	return false
}

// stalled: no program reads the terminal. Write must return, and Close must give up. The test's
// time limit ends a call that hangs.
func (s *suite) stalled(t *testing.T) {
	_, tty := testtty.Open(t, 250, 100)
	// The output may still wait for the terminal after the test. The garbage collector closes its
	// descriptor.
	fd, err := unix.FcntlInt(tty.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	its := os.NewFile(uintptr(fd), tty.Name())
	o, err := s.openOn(t, &registry.TTY{In: its, Out: its, Environ: []string{"TERM=xterm-256color"}})
	if err != nil {
		t.Fatal(err)
	}
	late := time.Now().Add(time.Minute)
	for i := 0; testtty.Takes(t, tty); i++ {
		if time.Now().After(late) {
			t.Fatal("the output does not draw enough to fill a terminal's buffer")
		}
		r := ManyFlows(100)
		r.Seq, r.Final = uint64(i+1), false
		for j, p := range r.Packed {
			p.Delta.FrameBytes = uint64(i*7919+j*104729) % 1_000_003 // another position and another number for every row
		}
		if err := o.Write(context.Background(), r); err != nil {
			t.Fatalf("write: %v", err)
		}
		time.Sleep(time.Millisecond) // the output may draw now
	}
	for range 100 {
		if err := o.Write(context.Background(), ManyFlows(100)); err != nil {
			t.Fatalf("write: %v", err)
		}
	}
	_ = o.Close() // it may return that the terminal did not take everything
}
