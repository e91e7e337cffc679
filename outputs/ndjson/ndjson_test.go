package ndjson

import (
	"testing"

	"github.com/pktstat/pktstat/plugintest/sinktest"
)

func TestConformance(t *testing.T) {
	sinktest.Run(t, sinktest.Options{Name: "ndjson"})
}
