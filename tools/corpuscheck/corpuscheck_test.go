package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pktstat/pktstat/internal/test/testenv"
)

// pktstat builds the command.
func pktstat(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "pktstat")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../../cmd/pktstat").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

func TestTestdata(t *testing.T) {
	tshark := testenv.Tool(t, "tshark", "tshark")
	opt := options{pktstat: pktstat(t), tshark: tshark, jobs: 2, limit: time.Minute}
	var out bytes.Buffer
	ok, err := check(t.Context(), opt, []string{"../../testdata"}, &out)
	if err != nil || !ok {
		t.Errorf("ok %v, error %v\n%s", ok, err, &out)
	}
}

// TestDifferenceIsFound: corpuscheck finds a row with one packet too many, and names the file.
func TestDifferenceIsFound(t *testing.T) {
	bin := pktstat(t)
	dir := t.TempDir()
	wrong := filepath.Join(dir, "wrong")
	script := "#!/bin/sh\n" + bin + ` "$@" | sed 's/"packets":308,/"packets":307,/'` + "\n"
	if err := os.WriteFile(wrong, []byte(script), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	captures := filepath.Join(dir, "captures")
	if err := os.Mkdir(captures, 0o755); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("../../testdata/mix.pcap")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(captures, "mix.pcap"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for program, want := range map[string]bool{bin: true, wrong: false} {
		var out bytes.Buffer
		ok, err := check(t.Context(), options{pktstat: program, jobs: 1, limit: time.Minute}, []string{captures}, &out)
		if err != nil || ok != want {
			t.Errorf("%s: ok %v, want %v, error %v\n%s", program, ok, want, err, &out)
		}
		if !want && !strings.Contains(out.String(), "mix.pcap:") {
			t.Errorf("the output does not name the file:\n%s", &out)
		}
	}
}
