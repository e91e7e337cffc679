// Package iface finds the interfaces that the user asks for: by name, by pattern, or by the
// default route.
package iface

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/registry"
)

// Any matches all interfaces that are up.
const Any = "any"

// fallback is the interface if there is no default route.
const fallback = "eth0"

// Selection holds the interfaces that a list of specs selects.
type Selection struct {
	Interfaces []flow.Interface // in the order of the specs; a pattern's interfaces by index
	Down       []string         // names of interfaces that are down

	// Follow matches interfaces that appear later. Nil: each interface was named.
	Follow registry.Follow
	// Waiting are patterns (and [Any]) that match nothing yet.
	Waiting []string
}

// Resolve finds interfaces in the calling thread's network namespace. A spec is a name, an
// alternative name, [Any] or a shell pattern (path.Match: "veth*"). A "!" before it excludes what
// it matches. If all specs are exclusions, they exclude from [Any]. Without specs, Resolve
// selects the interface of the IPv4 default route, else of the IPv6 default route, else eth0.
//
// A name must exist. A pattern may match nothing yet.
func Resolve(specs []string) (Selection, error) {
	all, err := list()
	if err != nil {
		return Selection{}, err
	}
	if len(specs) == 0 {
		l, err := byDefault(all, defaultRoutes)
		return selection(l), err
	}
	chosen, err := match(all, specs)
	if err != nil {
		return Selection{}, err
	}
	s := selection(chosen...)
	s.Follow, s.Waiting = follow(all, specs), waiting(all, specs)
	return s, nil
}

// link holds the used properties of an interface.
type link struct {
	flow.Interface
	up       bool
	altNames []string
}

// list returns all interfaces by index.
func list() ([]link, error) {
	nls, err := listAll()
	if err != nil {
		return nil, err
	}
	links := make([]link, 0, len(nls))
	for _, nl := range nls {
		a := nl.Attrs()
		links = append(links, link{
			Interface: flow.Interface{Index: uint32(a.Index), Name: a.Name},
			up:        a.Flags&net.FlagUp != 0,
			altNames:  a.AltNames,
		})
	}
	slices.SortFunc(links, func(a, b link) int { return cmp.Compare(a.Index, b.Index) })
	return links, nil
}

func listAll() ([]netlink.Link, error) {
	nls, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	return nls, nil
}

func selection(links ...link) Selection {
	var s Selection
	for _, l := range links {
		s.Interfaces = append(s.Interfaces, l.Interface)
		if !l.up {
			s.Down = append(s.Down, l.Name)
		}
	}
	return s
}

// match returns the links that specs select, each once. There may be none if a spec may match
// later.
func match(all []link, specs []string) ([]link, error) {
	wanted, excluded := split(specs)
	var chosen []link
	for _, spec := range wanted {
		found, err := find(all, spec)
		if err != nil && (!errors.Is(err, errNone) || !isOpen(spec)) {
			return nil, err
		}
		for _, l := range found {
			if !slices.ContainsFunc(chosen, func(c link) bool { return c.Index == l.Index }) {
				chosen = append(chosen, l)
			}
		}
	}
	for _, spec := range excluded {
		// The interface of an exclusion need not exist.
		out, err := find(all, spec)
		if err != nil && !errors.Is(err, errNone) {
			return nil, err
		}
		chosen = slices.DeleteFunc(chosen, func(c link) bool {
			return slices.ContainsFunc(out, func(l link) bool { return l.Index == c.Index })
		})
	}
	if len(chosen) == 0 && !slices.ContainsFunc(wanted, isOpen) {
		return nil, fmt.Errorf("%w: %w: --iface %s: there are %s", registry.ErrUsage, errNone, strings.Join(specs, " --iface "), strings.Join(names(all), ", "))
	}
	return chosen, nil
}

var errNone = errors.New("no such interface")

// find returns the links that one spec selects, or an error wrapping errNone.
func find(all []link, spec string) ([]link, error) {
	if i, ok := byName(all, spec); ok {
		return all[i : i+1], nil
	}
	if _, err := path.Match(spec, ""); err != nil {
		return nil, fmt.Errorf("%w: --iface %q: %w", registry.ErrUsage, spec, err)
	}
	var found []link
	for _, l := range all {
		if spec == Any && l.up || spec != Any && matches(spec, append([]string{l.Name}, l.altNames...)) {
			found = append(found, l)
		}
	}
	if found != nil {
		return found, nil
	}
	return nil, &NotFoundError{Name: spec, There: names(all)}
}

// byName finds an interface by its own name, which may contain pattern characters.
func byName(all []link, name string) (i int, ok bool) {
	i = slices.IndexFunc(all, func(l link) bool { return l.Name == name })
	return i, i >= 0
}

// NotFoundError is a [registry.ErrUsage]: no interface has the name.
type NotFoundError struct {
	Name  string
	There []string // names of all interfaces
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("interface %q does not exist: there are %s", e.Name, strings.Join(e.There, ", "))
}

func (e *NotFoundError) Unwrap() []error { return []error{errNone, registry.ErrUsage} }

// byDefault returns the interface to count on if the user names none.
func byDefault(all []link, routes func(family int) ([]netlink.Route, error)) (link, error) {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		rs, err := routes(family)
		if err != nil {
			return link{}, fmt.Errorf("find the default route: %w", err)
		}
		for _, r := range rs {
			if i := slices.IndexFunc(all, func(l link) bool { return l.Index == uint32(outOf(r)) }); i >= 0 {
				return all[i], nil
			}
		}
	}
	if i := slices.IndexFunc(all, func(l link) bool { return l.Name == fallback }); i >= 0 {
		return all[i], nil
	}
	return link{}, fmt.Errorf("there is no default route and no %s: name an interface with --iface: there are %s", fallback, strings.Join(names(all), ", "))
}

// outOf returns the index of a route's interface.
func outOf(r netlink.Route) int {
	if r.LinkIndex == 0 && len(r.MultiPath) > 0 {
		return r.MultiPath[0].LinkIndex
	}
	return r.LinkIndex
}

// names lists the interfaces for a message.
func names(all []link) []string {
	s := make([]string, len(all))
	for i, l := range all {
		s[i] = l.Name
	}
	slices.Sort(s)
	return s
}
