package kprobe

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/bpfflow"
	"github.com/pktstat/pktstat/internal/kernel/held"
	"github.com/pktstat/pktstat/internal/kernel/retransmit"
	"github.com/pktstat/pktstat/internal/netif/attach"
	"github.com/pktstat/pktstat/registry"
)

// source counts at a hook.
type source struct {
	hook    *hook
	table   *bpfflow.Table
	probes  []*attached
	resends *retransmit.Counter
	keeper  *held.Keeper // of the hook's switches
}

var (
	_ registry.Source   = (*source)(nil)
	_ registry.Attached = (*source)(nil)
	_ registry.Waker    = (*source)(nil)
)

// Collect implements [registry.Source]. Packets for which the kernel has not called a program are
// lost, and their bytes are not known.
func (s *source) Collect(_ context.Context, b *flow.Batch) error {
	err := s.resends.Rows(b, s.table.Collect)
	s.keeper.Look()
	for _, a := range s.probes { // after an error, too: the last report has what was lost
		missed, merr := a.newlyMissed()
		if merr != nil {
			return errors.Join(err, merr)
		}
		if missed > 0 {
			b.Lost.Packets += missed
			b.LostBytesUnknown = true
		}
	}
	return err
}

// Wake implements [registry.Waker].
func (s *source) Wake() <-chan struct{} { return s.table.Wake() }

// Attachment implements [registry.Attached].
func (s *source) Attachment() registry.Attachment {
	notes := slices.Concat(s.hook.notes, s.keeper.Notes(), attach.NotesOnDecrypted(s.table.Decrypted()), s.table.Notes(), s.resends.Notes())
	return registry.Attachment{Method: s.hook.name, PacketsInexact: s.hook.inexact, Notes: notes}
}

// Close implements [registry.Source].
func (s *source) Close() error {
	var errs []error
	for _, a := range s.probes {
		if err := a.link.Close(); err != nil {
			errs = append(errs, fmt.Errorf("detach: %w", err))
		}
	}
	s.probes = nil
	if s.resends != nil {
		errs = append(errs, s.resends.Close())
	}
	if s.table != nil {
		errs = append(errs, s.table.Close())
	}
	return errors.Join(errs...)
}

// attached is a program at its function.
type attached struct {
	program *ebpf.Program
	link    link.Link
	missed  uint64 // at the last look
}

// newlyMissed is how often the kernel has skipped the program since the last call. A program
// cannot interrupt itself (counted since 5.12), and a kprobe cannot interrupt another one
// (counted since 6.7).
func (a *attached) newlyMissed() (uint64, error) {
	stats, err := a.program.Stats()
	if err != nil {
		return 0, fmt.Errorf("missed packets: %w", err)
	}
	missed := stats.RecursionMisses
	// Older kernels do not report misses of a link.
	if info, err := a.link.Info(); err == nil {
		if perf := info.PerfEvent(); perf != nil && perf.Kprobe() != nil {
			missed += perf.Kprobe().Missed
		}
	}
	n := missed - a.missed
	a.missed = missed
	return n, nil
}
