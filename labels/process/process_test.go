package process

import (
	"testing"
	"time"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/plugintest/labeltest"
)

// Which process a flow belongs to is tested in internal/owner/process and in test/.
func TestConformance(t *testing.T) {
	testenv.Privileged(t)
	labeltest.Run(t, labeltest.Options{Name: "process", Now: time.Now})
}
