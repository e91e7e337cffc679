// Package attach is the source of backends that attach programs or sockets to network interfaces.
// It attaches to each interface, follows changes, and collects from one table for all.
//
// It works in one network namespace: the process's own, or the namespace of the environment.
package attach

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/kernel/held"
	"github.com/pktstat/pktstat/internal/netif/coverage"
	"github.com/pktstat/pktstat/internal/netif/stack"
	"github.com/pktstat/pktstat/registry"
)

// Table holds the counters of all ports.
type Table interface {
	// Collect closes the window and returns its records, by the rules of registry.Source.
	Collect(b *flow.Batch) error
	// Decrypted returns the number of IPsec packets that passed a hook again after decryption,
	// until the last Collect. They count once. It works after Close too.
	Decrypted() uint64
	// Notes are notes on what the table had no room for. It works after Close too.
	Notes() []string
	// Wake implements registry.Waker.
	Wake() <-chan struct{}
	// Close frees the table, after every port is detached. It may be called twice.
	Close() error
}

// Hook attaches a backend's programs or sockets. Its methods are not called concurrently, except
// Attach and Detach if [Options.AtOnce] allows it.
type Hook interface {
	// Attach attaches to p. If it fails, it leaves nothing attached.
	Attach(p *Port) (Attached, error)
	// Close frees everything that attachments share. It is called after they are detached, and
	// may be called twice.
	Close() error
}

// Attached describes how a backend is attached to one port.
type Attached struct {
	Method         string // Method, PacketsInexact and Notes as in registry.Attachment
	PacketsInexact bool
	Notes          []string

	Kept   []Kept // attachments that other programs can remove
	Detach func() error
}

// Options are the arguments of [Open].
type Options[T Table] struct {
	Env   registry.BackendEnv
	Point registry.Point // where the backend captures
	// Load creates the table, and loads the programs if there are any. The programs must work on
	// any port: an interface that vanished may return as another kind.
	Load func() (T, error)
	// NewHook is called after Load.
	NewHook func(T) (Hook, error)
	// AtOnce is the number of concurrent calls of Attach and Detach. More than one helps if they
	// wait for the kernel without holding a lock that serializes them. 0: one.
	AtOnce int
	// Notes are notes for every report.
	Notes []string
	// Remarks returns notes that change during the run; nil: there are none. It is called after
	// Close, too.
	Remarks func(T) []string
	// Explain adds the kind of an error: [registry.ErrPermission], [registry.ErrUnsupported] or
	// none.
	Explain func(error) error
}

// source is an open source.
type source struct {
	Env     registry.BackendEnv // Env, Point, Notes and Explain are from Options
	Point   registry.Point
	Notes   []string
	Explain func(error) error
	atOnce  int

	load    func() error    // sets table, hook and remarks
	remarks func() []string // nil: none
	table   Table
	hook    Hook
	watcher *watcher
	meter   *coverage.Meter // nil: the interfaces' counters cannot be read
	looking func()          // stops the goroutine that calls look; nil if it does not run

	named []string // names from the user; the source attaches again when they return

	mu        sync.Mutex // the watcher's goroutine changes the fields below
	ports     []*Port    // includes vanished ports, whose names rows still need
	refused   map[uint32]string
	stack     stack.Stack
	described *registry.Attachment // cache; nil if it is outdated
	keeper    *held.Keeper
}

var (
	_ registry.Source   = (*source)(nil)
	_ registry.Attached = (*source)(nil)
	_ registry.Waker    = (*source)(nil)
)

// Open creates the table and attaches to every interface of the environment. If it fails, it
// leaves nothing attached.
func Open[T Table](ctx context.Context, o Options[T]) (registry.Source, error) {
	if len(o.Env.Interfaces) == 0 && o.Env.Follow == nil {
		return nil, fmt.Errorf("%w: no interface to count on", registry.ErrUsage)
	}
	s := &source{
		Env: o.Env, Point: o.Point, Notes: o.Notes, Explain: o.Explain, atOnce: o.AtOnce,
		keeper: held.New(held.TakenOff, o.Env.Now, o.Env.Notify, o.Env.Debugf),
	}
	s.load = func() error {
		t, err := o.Load()
		if err != nil {
			return err
		}
		s.table = t
		if o.Remarks != nil {
			s.remarks = func() []string { return o.Remarks(t) }
		}
		s.hook, err = o.NewHook(t)
		return err
	}
	if err := s.Env.NetNS.Inside(func() error { return s.open(ctx) }); err != nil {
		return nil, o.Explain(errors.Join(err, s.Close()))
	}
	s.looking = held.Start(s.look)
	return s, nil
}

func (s *source) open(ctx context.Context) (err error) {
	s.mu.Lock() // the watcher starts first, so that it misses no change; it waits for the lock
	defer s.mu.Unlock()
	if s.watcher, err = watch(s); err != nil {
		return err
	}
	if s.meter, err = coverage.New(s.Env.Debugf); err != nil {
		s.Env.Debugf("no coverage: %v", err)
	}
	for _, iface := range s.Env.Interfaces {
		if s.Env.Follow.Means(iface) {
			continue // attaching to it may fail; see openOthers
		}
		p, err := newPort(s.Point, iface, iface.Name, s.Env.Follow)
		if err != nil {
			return err
		}
		s.ports = append(s.ports, p)
		s.named = append(s.named, p.wanted)
	}
	if err := s.load(); err != nil {
		return err
	}
	if err := s.openNamed(ctx); err != nil {
		return err
	}
	return s.openOthers(ctx)
}

// openNamed attaches to the interfaces named by the user. It fails if it cannot attach to one of
// them.
func (s *source) openNamed(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	s.sideBySide(attaching, len(s.ports), func(i int) error {
		if ctx.Err() != nil {
			return nil
		}
		err := s.measured(s.ports[i])
		if err != nil {
			fail(err)
		}
		return err
	})
	return context.Cause(ctx)
}

// openOthers attaches to the interfaces that "any" or a pattern matches, including those that
// have appeared meanwhile. It notifies the user of interfaces that it cannot attach to. It fails
// if there is no other interface.
func (s *source) openOthers(ctx context.Context) error {
	var failed []error
	refuse := func(iface flow.Interface, err error) {
		if !hasGone(err) {
			s.refuse(iface)
			failed = append(failed, err)
		}
	}
	var ports []*Port
	for _, iface := range s.Env.Interfaces {
		if !s.Env.Follow.Means(iface) {
			continue
		}
		if p, err := newPort(s.Point, iface, "", s.Env.Follow); err != nil {
			refuse(iface, err)
		} else {
			ports = append(ports, p)
		}
	}
	errs := s.sideBySide(attaching, len(ports), func(i int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return s.measured(ports[i])
	})
	for i, p := range ports {
		if errs[i] == nil {
			s.ports = append(s.ports, p)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, p := range ports {
		switch err := errs[i]; {
		case err == nil:
		case errors.Is(s.Explain(err), registry.ErrPermission):
			return err
		default:
			refuse(p.Interface, err)
		}
	}
	if len(failed) > 0 && len(s.ports) == 0 {
		return failed[0]
	}
	for _, err := range failed {
		s.Env.Notify("not counted: %v", s.Explain(err))
	}
	links, err := list()
	if err != nil {
		return err
	}
	for _, l := range links {
		s.changed(l)
	}
	return nil
}

func (s *source) attach(p *Port) error {
	a, err := s.hook.Attach(p)
	if err != nil {
		return fmt.Errorf("attach %s: %w", p.Name, err)
	}
	p.attached = a
	s.keep(p)
	return nil
}

// Collect implements [registry.Source]. It then checks whether other programs have detached the
// source in the window.
func (s *source) Collect(_ context.Context, b *flow.Batch) error {
	err := s.collect(b)
	s.look()
	return err
}

// Wake implements [registry.Waker].
func (s *source) Wake() <-chan struct{} { return s.table.Wake() }

// Attachment implements [registry.Attached]. It works after Close too.
func (s *source) Attachment() registry.Attachment {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restack()
	if s.described == nil {
		a := s.describe()
		s.described = &a
	}
	a := *s.described
	if s.table != nil {
		a.Notes = slices.Concat(a.Notes, NotesOnDecrypted(s.table.Decrypted()), s.table.Notes())
	}
	if s.remarks != nil {
		a.Notes = slices.Concat(a.Notes, s.remarks())
	}
	return a
}

// NotesOnDecrypted returns a note on n packets that passed a hook again after decryption.
func NotesOnDecrypted(n uint64) []string {
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("IPsec: %d packets passed again after decryption: they count once, encrypted", n)}
}

// describe returns a new attachment. The caller must not change it later.
func (s *source) describe() registry.Attachment {
	a := registry.Attachment{Notes: slices.Clone(s.Notes)}
	if s.Env.NetNS != nil {
		a.Notes = append(a.Notes, "in network namespace "+s.Env.NetNS.Name)
	}
	var methods []string
	names := map[string][]string{} // by method
	seen := map[flow.Interface]bool{}
	for _, p := range s.ports {
		if !seen[p.Interface] {
			seen[p.Interface] = true
			a.Interfaces = append(a.Interfaces, p.Interface)
		}
		if len(p.below) > 0 {
			if a.StackedOn == nil {
				a.StackedOn = map[uint32][]uint32{}
			}
			a.StackedOn[p.Index] = p.below
		}
		if !slices.Contains(methods, p.attached.Method) {
			methods = append(methods, p.attached.Method)
		}
		names[p.attached.Method] = append(names[p.attached.Method], p.Name)
		a.PacketsInexact = a.PacketsInexact || p.attached.PacketsInexact
		for _, n := range append(slices.Clone(p.attached.Notes), p.notes...) {
			if !slices.Contains(a.Notes, n) {
				a.Notes = append(a.Notes, n)
			}
		}
	}
	a.Notes = append(a.Notes, s.keeper.Notes()...)
	a.Method = strings.Join(methods, "+")
	if len(methods) > 1 {
		for _, m := range methods {
			a.Notes = append(a.Notes, fmt.Sprintf("%s: %s", m, strings.Join(slices.Compact(names[m]), ", ")))
		}
	}
	return a
}

// Close implements [registry.Source].
func (s *source) Close() error { return s.Env.NetNS.Inside(s.close) }

func (s *source) close() error {
	var errs []error
	if s.watcher != nil {
		s.watcher.stop() // before taking s.mu, because the watcher may wait for it
		s.watcher = nil
	}
	if s.looking != nil {
		s.looking() // for the same reason
		s.looking = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	attached := slices.DeleteFunc(slices.Clone(s.ports), func(p *Port) bool { return p.attached.Detach == nil })
	errs = append(errs, s.sideBySide(detaching, len(attached), func(i int) error {
		if err := attached[i].detach(); err != nil {
			return fmt.Errorf("detach %s: %w", attached[i].Name, err)
		}
		return nil
	})...)
	if s.hook != nil {
		errs = append(errs, s.hook.Close())
	}
	if s.table != nil {
		errs = append(errs, s.table.Close())
	}
	if s.meter != nil {
		s.meter.Close()
	}
	return errors.Join(errs...)
}
