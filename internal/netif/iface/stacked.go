package iface

import (
	"cmp"
	"slices"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/netif/stack"
)

// Stacked is an interface whose packets other interfaces see too.
type Stacked struct {
	flow.Interface
	On []flow.Interface // the other interfaces, by index
}

// AllStacked returns the stacked interfaces in the calling thread's network namespace, by index.
func AllStacked() ([]Stacked, error) {
	nls, err := listAll()
	if err != nil {
		return nil, err
	}
	var s stack.Stack
	names := map[uint32]string{}
	for _, l := range nls {
		s.Set(l)
		names[uint32(l.Attrs().Index)] = l.Attrs().Name
	}
	var all []Stacked
	for index, below := range s.Below(slices.Collect(s.All())) {
		one := Stacked{Interface: flow.Interface{Index: index, Name: names[index]}}
		for _, b := range below {
			one.On = append(one.On, flow.Interface{Index: b, Name: names[b]})
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Stacked) int { return cmp.Compare(a.Index, b.Index) })
	return all, nil
}
