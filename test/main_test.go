// Package test checks the built binary, and its path through registries and engine, on real links
// and captures. It compares with the counters of interfaces, senders and tshark.
package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// root is the root of the repository.
const root = ".."

func TestMain(m *testing.M) {
	if addr := os.Getenv(talkTo); addr != "" {
		os.Exit(asClient(addr))
	}
	// Ignore the configuration of the user who runs the tests.
	if err := os.Setenv("PKTSTAT_CONFIG", "none"); err != nil {
		panic(err)
	}
	code := m.Run()
	if buildDir != "" {
		_ = os.RemoveAll(buildDir)
	}
	os.Exit(code)
}

var buildDir string

// buildOnce builds pktstat as `make build` does.
var buildOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pktstat-test-")
	if err != nil {
		return "", err
	}
	buildDir = dir
	if err := os.Chmod(dir, 0o755); err != nil { // for tests that run it as another user
		return "", err
	}
	bin := filepath.Join(dir, "pktstat")
	// Without the commit it has the version that "go run" gives: transcripts show both.
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", bin, "./cmd/pktstat")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return bin, nil
})

// pktstat returns the path of a fresh pktstat.
func pktstat(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("PKTSTAT_BIN"); bin != "" { // a machine of tools/vmtest cannot build
		return bin
	}
	bin, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}
