package vmtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	root        = "../.."
	cacheDir    = root + "/.cache/vmtest"
	selftestDir = "tools/vmtest/selftest"
)

// failure returns the run of one part of the self-test's TestFailure.
func failure(name string) Package {
	return Package{Dir: selftestDir, Run: "^TestFailure$/^" + name + "$"}
}

// boot runs packages in a machine with the newest kernel.
func boot(t *testing.T, packages ...Package) Result {
	t.Helper()
	if os.Getenv("PKTSTAT_VMTEST") == "" {
		t.Skip("boots machines, which takes a minute: make test-vm sets PKTSTAT_VMTEST=1")
	}
	var out strings.Builder
	m := Matrix{
		Root: root, CacheDir: cacheDir, Kernels: Kernels[len(Kernels)-1:], Packages: packages,
		Env: []string{"VMTEST_FAILURE=1"}, MemoryMB: 512, Out: &out,
	}
	results, err := m.Test(t.Context())
	t.Logf("%s", &out)
	if (err != nil) != (len(results) == 1 && len(results[0].Problems) > 0) || err != nil && !errors.Is(err, ErrFailed) {
		t.Fatalf("Test returned %v", err)
	}
	return results[0]
}

// A machine says that something failed in every way in which it can.
func TestFailuresAreSeen(t *testing.T) {
	hang := failure("hang")
	hang.Timeout = 2 * time.Second
	r := boot(t, failure("none"), failure("stray"), failure("afterstray"), failure("skiplater"), failure("skipnow"),
		failure("skipwhatever"), failure("error"), failure("panic"), failure("kill"), hang, failure("warn"),
		Package{Dir: selftestDir, Run: "^TestNoSuch"}, failure("crash"), failure("none"))
	want := []string{
		"TestFailure/skipnow was skipped for a feature that Linux has since 4.18",
		"TestFailure/skipwhatever was skipped, but not for a feature of a later kernel",
		"exit status 1", "TestFailure failed", "TestFailure/error failed",
		"exit status 2", "TestFailure did not end", "TestFailure/panic failed",
		"signal: killed", "TestFailure did not end", "TestFailure/kill did not end",
		"exit status 2", "TestFailure did not end", "TestFailure/hang did not end",
		"no test ran: does the filter match any?",
		"did not end",
	}
	for i := range want {
		want[i] = selftestDir + ": " + want[i]
	}
	want = append(want, "the machine stopped after 13 of 14 runs")
	// How much of the last line arrives when the kernel crashes is a matter of luck.
	got := slices.DeleteFunc(slices.Clone(r.Problems), func(p string) bool {
		return strings.HasPrefix(p, "kernel: ") || strings.HasSuffix(p, "TestFailure/crash did not end")
	})
	if n := len(got); n > 1 && strings.HasSuffix(got[n-2], "TestFailure did not end") {
		got = slices.Delete(got, n-2, n-1)
	}
	if !slices.Equal(got, want) {
		t.Errorf("problems:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	kernel := strings.Join(r.Problems, "\n")
	for _, text := range []string{"BUG: on purpose", "Kernel panic - not syncing"} {
		if !strings.Contains(kernel, text) {
			t.Errorf("no %q among the problems:\n%s", text, kernel)
		}
	}
	report := filepath.Join(cacheDir, "out", r.Kernel, "sub", "report")
	if content, err := os.ReadFile(report); err != nil || string(content) != "TestFailure/none" {
		t.Errorf("the file that a test sent: %q, %v", content, err)
	}
}

func TestWatchdog(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	d := watchdog{cancel: cancel}
	d.expect("first", time.Hour)
	d.expect("second", time.Millisecond)
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the watchdog sleeps")
	}
	if err := context.Cause(ctx); err == nil || err.Error() != "second: no end after 1ms" {
		t.Errorf("cause: %v", err)
	}
	d.stop()
}

func TestEmulationOf(t *testing.T) {
	for version, want := range map[string]string{
		"QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright (c)": "tcg,thread=single",
		"QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2+deb13u1)\nCopyright (c)":    "tcg,thread=multi",
		"": "tcg,thread=single",
	} {
		if got, threads := emulationOf(version); got != want || (threads == 1) != strings.HasSuffix(want, "single") {
			t.Errorf("%q: %s with %d threads, want %s", version, got, threads, want)
		}
	}
}
