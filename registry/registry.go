// Package registry is the contract between pktstat and its plugins: backends capture packets,
// labels add data to flows, and outputs write reports. A plugin imports this package and flow,
// and registers itself from one init function. A binary has every plugin that it imports:
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
	add  func(T) // called by Register; may be nil
}

// New returns an empty registry. kind ("backend") is the word for a plugin in messages.
func New[T any](kind string) *Registry[T] {
	return &Registry[T]{kind: kind, m: map[string]T{}}
}

// The three registries. The only other one in pktstat is [flow.Fields], to which labels and
// backends add their fields.
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

// Register adds v under a name of lower-case letters and digits, because names become flag
// prefixes. It panics on a malformed or taken name: both are errors in how the binary was built.
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

// Lookup returns the plugin of that name, or an [ErrUsage] that lists all names.
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
