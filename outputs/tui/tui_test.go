package tui

import (
	"testing"

	"github.com/pktstat/pktstat/plugintest/sinktest"
)

func TestConformance(t *testing.T) {
	sinktest.Run(t, sinktest.Options{Name: "tui", Variants: []sinktest.Variant{
		{Name: "si", Args: []string{"units=si", "octets=true", "view=hosts", "cumulative=true", "mouse=false"}},
	}})
}
