package process

import (
	"testing"
	"time"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/plugintest/labeltest"
)

// TestConformance checks the label's interface. internal/owner/process and test/ test which process
// a flow belongs to.
func TestConformance(t *testing.T) {
	testenv.Privileged(t)
	labeltest.Run(t, labeltest.Options{Name: "process", Now: time.Now})
}
