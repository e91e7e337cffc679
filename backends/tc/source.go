package tc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cilium/ebpf"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/bpfflow"
	"github.com/pktstat/pktstat/registry"
)

// attacher is a way to attach programs.
type attacher interface {
	// method is its name in the report.
	method() string
	// attach attaches a program and returns how it is detached.
	attach(p *port, dir flow.Direction, prog *ebpf.Program) (detach func() error, err error)
	// notes are what a reader of the report must know.
	notes() []string
	// close frees what attachments share, after they are detached.
	close() error
}

// source counts on its ports.
type source struct {
	env      registry.BackendEnv
	table    *bpfflow.Table
	attacher attacher
	watcher  *watcher

	mu    sync.Mutex // the watcher changes ports
	ports []*port    // those that have gone too: rows name them
}

var (
	_ registry.Source   = (*source)(nil)
	_ registry.Attached = (*source)(nil)
	_ registry.Waker    = (*source)(nil)
)

// choose returns the way to attach. auto is TCX unless the kernel has none.
func choose(method string, env registry.BackendEnv) (attacher, error) {
	switch method {
	case methodTCX:
		return tcx{}, nil
	case methodClsact:
		return newClsact()
	}
	err := haveTCX()
	if err == nil {
		return tcx{}, nil
	}
	env.Debugf("attaching by clsact: %v", err)
	return newClsact()
}

// attach attaches all programs of a port, or none.
func (s *source) attach(p *port) error {
	if err := removeStale(p.Index); err != nil {
		return fmt.Errorf("attach %s: %w", p.Name, err)
	}
	for _, dir := range p.dirs {
		name := program(p, dir)
		prog, ok := s.table.Programs[name]
		if !ok {
			return fmt.Errorf("the object has no program %s", name)
		}
		detach, err := s.attacher.attach(p, dir, prog)
		if err != nil {
			return errors.Join(fmt.Errorf("attach %s %s: %w", p.Name, dir, err), p.release())
		}
		p.detach = append(p.detach, detach)
	}
	return nil
}

// Collect implements [registry.Source].
func (s *source) Collect(_ context.Context, b *flow.Batch) error { return s.table.Collect(b) }

// Wake implements [registry.Waker].
func (s *source) Wake() <-chan struct{} { return s.table.Wake() }

// Attachment implements [registry.Attached]. It answers after Close too.
func (s *source) Attachment() registry.Attachment {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := registry.Attachment{Method: s.attacher.method(), Notes: slices.Clone(s.attacher.notes())}
	for _, p := range s.ports {
		a.Interfaces = append(a.Interfaces, p.Interface)
	}
	return a
}

// Close implements [registry.Source].
func (s *source) Close() error {
	var errs []error
	if s.watcher != nil {
		s.watcher.stop() // before taking the lock: it may be waiting for that
		s.watcher = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.ports {
		if err := p.release(); err != nil {
			errs = append(errs, fmt.Errorf("detach %s: %w", p.Name, err))
		}
	}
	if s.attacher != nil {
		errs = append(errs, s.attacher.close())
	}
	if s.table != nil {
		errs = append(errs, s.table.Close())
	}
	return errors.Join(errs...)
}
