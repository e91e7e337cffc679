package iface

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/pktstat/pktstat/registry"
)

// follow returns a function that matches interfaces that appear later. It returns nil if each
// spec is the name of an existing interface.
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

// waiting returns the patterns that match no interface yet.
func waiting(all []link, specs []string) []string {
	wanted, _ := split(specs)
	return slices.DeleteFunc(wanted, func(spec string) bool {
		_, err := find(all, spec)
		return !isOpen(spec) || !errors.Is(err, errNone)
	})
}

// split returns the wanted specs, and the excluded ones without "!".
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

// isOpen reports whether a spec may match interfaces that appear later.
func isOpen(spec string) bool { return spec == Any || strings.ContainsAny(spec, "*?[") }

// matches reports whether spec is one of the names, or a pattern that matches one.
func matches(spec string, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		ok, err := path.Match(spec, name) // find has checked the pattern
		return name == spec || ok && err == nil
	})
}
