// Package registry is the contract between pktstat and its plugins: backends,
// which see packets, labels, which know more of flows, and outputs, which write reports. A plugin imports this
// package and flow, registers itself from one init function, and is part of
// every binary that imports it:
//
//	import _ "example.org/pktstat-foo"
package registry

import (
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/pktstat/pktstat/flow"
)

// Registry holds the plugins of one kind by name. It is safe for concurrent use.
type Registry[T any] struct {
	kind string
	mu   sync.RWMutex
	m    map[string]T
	add  func(T) // what else a registration does; may be nil
}

// New returns an empty registry; kind ("backend") is used in messages.
func New[T any](kind string) *Registry[T] {
	return &Registry[T]{kind: kind, m: map[string]T{}}
}

// The three registries. Nothing else in pktstat is one, but for [flow.Fields], which
// labels and backends add their fields to.
var (
	Backends = withFields("backend", func(b Backend) []flow.Field { return b.Fields })
	Outputs  = New[Output]("output")
	Labels   = withFields("label", func(l Label) []flow.Field { return l.Fields })
)

// withFields returns a registry of plugins that add fields to rows.
func withFields[T any](kind string, fields func(T) []flow.Field) *Registry[T] {
	r := New[T](kind)
	r.add = func(v T) {
		for _, f := range fields(v) {
			f.Role = flow.Label
			flow.Fields.Register(f)
		}
	}
	return r
}

var validName = regexp.MustCompile(`^[a-z][a-z0-9]*$`)

// Register adds v under name: lower-case letters and digits, because names
// become flag prefixes. It panics on a malformed or taken name: both are
// mistakes of whoever built the binary, and show at its first start.
func (r *Registry[T]) Register(name string, v T) {
	if !validName.MatchString(name) {
		panic(fmt.Sprintf("registry: %s name %q is not lower-case letters and digits", r.kind, name))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.m[name]; taken {
		panic(fmt.Sprintf("registry: %s %q is registered twice", r.kind, name))
	}
	r.m[name] = v
	if r.add != nil {
		r.add(v)
	}
}

// Lookup returns the plugin of that name, or an [ErrUsage] that lists what there is.
func (r *Registry[T]) Lookup(name string) (T, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	v, ok := r.m[name]
	if !ok {
		return v, fmt.Errorf("%w: unknown %s %q: there are %s", ErrUsage, r.kind, name, strings.Join(r.names(), ", "))
	}
	return v, nil
}

// All iterates over the plugins in name order.
func (r *Registry[T]) All() iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		r.mu.RLock()
		names := r.names()
		r.mu.RUnlock()
		for _, n := range names {
			r.mu.RLock()
			v := r.m[n]
			r.mu.RUnlock()
			if !yield(n, v) {
				return
			}
		}
	}
}

func (r *Registry[T]) names() []string {
	names := make([]string, 0, len(r.m))
	for n := range r.m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
