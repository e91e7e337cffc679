package ndjson

import (
	"testing"

	"github.com/pktstat/pktstat/internal/sinktest"
)

func TestConformance(t *testing.T) {
	sinktest.Run(t, sinktest.Options{Name: "ndjson"})
}
