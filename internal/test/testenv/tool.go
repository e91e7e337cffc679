package testenv

import (
	"os/exec"
	"testing"
)

// Tool returns the path of a program that the test needs. Without it, Tool ends the test as
// [Missing] does. pkg is the Debian package with the program.
func Tool(tb testing.TB, name, pkg string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(tb, "needs "+name+": apt-get install "+pkg)
	}
	return path
}
