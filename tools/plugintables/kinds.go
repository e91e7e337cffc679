package main

import (
	"fmt"
	"strings"

	"github.com/pktstat/pktstat/internal/netif/device"
	"github.com/pktstat/pktstat/registry"
)

// kinds returns the table of interfaces that not every backend sees, by kind.
func kinds() string {
	var points []registry.Point
	head, rule := "| interface |", "|---|"
	for name, b := range registry.Backends.All() {
		if b.Point != registry.PointUnknown {
			points = append(points, b.Point)
			head, rule = head+" "+name+" |", rule+"---|"
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s |\n%s---|\n", head, rule)
	for _, k := range device.Kinds {
		if len(k.Sees) == 0 {
			continue
		}
		fmt.Fprintf(&b, "| %s |", k.Name)
		for _, p := range points {
			fmt.Fprintf(&b, " %s |", k.Sees[p])
		}
		fmt.Fprintf(&b, " %s |\n", k.Because)
	}
	return b.String()
}
