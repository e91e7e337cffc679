package flow

import "testing"

func TestTCPFlags(t *testing.T) {
	for f, want := range map[TCPFlags]string{
		0: "", TCPSyn: "S", TCPSyn | TCPAck: "SA", TCPSyn | TCPAck | TCPFin | TCPPsh: "SAPF", TCPAck | TCPRst: "AR", 0xff: "SAPFRUEC",
	} {
		if got := f.String(); got != want {
			t.Errorf("%08b: %q, want %q", f, got, want)
		}
	}
}
