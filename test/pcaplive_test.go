package test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestPcapLiveWithoutLibpcap: a build without libpcap refuses --pcap-live, and explains how to make
// a build that has it.
func TestPcapLiveWithoutLibpcap(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), pktstat(t), "--pcap-live", "lo")
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
	if text := string(out); strings.Count(text, "\n") != 1 || !strings.Contains(text, "make build-libpcap") {
		t.Errorf("stderr is %q, want one line that names make build-libpcap", text)
	}
}
