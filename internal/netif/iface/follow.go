package iface

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/pktstat/pktstat/registry"
)

// follow returns which interfaces are meant that were not there when specs were
// resolved: nil if only certain ones are, because each was named.
func follow(all []link, specs []string) registry.Follow {
	wanted, excluded := split(specs)
	open := slices.DeleteFunc(wanted, func(spec string) bool {
		_, named := byName(all, spec)
		return named || !isOpen(spec)
	})
	if len(open) == 0 {
		return nil
	}
	return func(l registry.Link) bool {
		names := append([]string{l.Name}, l.AltNames...)
		meant := func(spec string) bool {
			if spec == Any {
				return l.Up
			}
			return matches(spec, names)
		}
		out := func(spec string) bool { return spec == Any || matches(spec, names) }
		return slices.ContainsFunc(open, meant) && !slices.ContainsFunc(excluded, out)
	}
}

// waiting returns the specs that may be met later, and are not yet.
func waiting(all []link, specs []string) []string {
	wanted, _ := split(specs)
	return slices.DeleteFunc(wanted, func(spec string) bool {
		_, err := find(all, spec)
		return !isOpen(spec) || !errors.Is(err, errNone)
	})
}

// split returns what is wanted and, without the "!", what is excluded.
func split(specs []string) (wanted, excluded []string) {
	for _, s := range specs {
		if not, ok := strings.CutPrefix(s, "!"); ok {
			excluded = append(excluded, not)
		} else {
			wanted = append(wanted, s)
		}
	}
	if len(wanted) == 0 {
		wanted = []string{Any}
	}
	return wanted, excluded
}

// isOpen reports whether a spec may mean interfaces that are not there yet.
func isOpen(spec string) bool { return spec == Any || strings.ContainsAny(spec, "*?[") }

// matches reports whether one of an interface's names is spec, or matches it.
func matches(spec string, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		ok, err := path.Match(spec, name) // checked before
		return name == spec || ok && err == nil
	})
}
