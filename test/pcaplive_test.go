package test

import (
	"os/exec"
	"strings"
	"testing"
)

// A build without libpcap cannot do what --pcap-live asks for, and says how to make one
// that can.
func TestPcapLiveWithoutLibpcap(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), pktstat(t), "--pcap-live", "lo")
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
	if text := string(out); strings.Count(text, "\n") != 1 || !strings.Contains(text, "make build-libpcap") {
		t.Errorf("says %q, want one line that names make build-libpcap", text)
	}
}
