// Package vmtest runs the project's tests on other kernels than the host's: it
// boots Debian's cloud kernels, from the oldest supported one to the newest that
// there is, in QEMU's emulation, which needs neither KVM nor root.
//
// Each machine has one initramfs and nothing else: the tests, compiled, with their
// testdata at the same place in the tree; the host's ip, tc and so on; the kernel's
// modules; and a first process (cmd/guest) that runs them. The kernel's messages
// come over one serial line, the tests' output over another. A run fails for a
// failed test, for a test that did not end, for trouble in the kernel's log, and
// for a test that was skipped although the kernel is new enough (testenv.Feature).
package vmtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pktstat/pktstat/internal/test/linuxversion"
	"github.com/pktstat/pktstat/tools/vmtest/debian"
)

// Matrix is what to run where.
type Matrix struct {
	Root     string // of the repository
	CacheDir string // keeps the kernels, the logs and the files that the tests sent
	Kernels  []Kernel
	Packages []Package
	Run      string   // overrides the packages' filters
	Command  string   // for the shell, instead of the packages
	Env      []string // for the tests, NAME=VALUE
	Accel    string   // QEMU's -accel; empty is emulation
	Parallel int      // machines at a time; 0 is as many as the host has processors for
	MemoryMB int
	Refresh  bool      // look for newer kernels, however fresh the lists are
	Out      io.Writer // progress and failures
	Live     io.Writer // all output of the tests as it comes, unless nil; then one machine at a time

	mu sync.Mutex // of Out
}

// Result is what one kernel's machine gave.
type Result struct {
	Kernel   string           `json:"kernel"`  // its name in the matrix
	Version  string           `json:"version"` // major and minor
	Release  string           `json:"release"`
	Boot     float64          `json:"boot_s"`  // until the first test could start
	Seconds  float64          `json:"total_s"` // of the whole machine
	Packages []*PackageResult `json:"packages"`
	Problems []string         `json:"problems"`
}

// ErrFailed is returned when the matrix ran and something in it failed.
var ErrFailed = errors.New("vmtest: failed")

// Test runs the matrix. The results are those of the machines that ran, also beside
// an error.
func (m *Matrix) Test(ctx context.Context) ([]Result, error) {
	work, err := os.MkdirTemp("", "vmtest-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(work) }()
	system := filepath.Join(work, "system.cpio")
	if err := m.buildSystem(ctx, system); err != nil {
		return nil, err
	}
	accel, threads, err := emulation(ctx)
	if err != nil {
		return nil, err
	}
	if m.Accel != "" {
		accel, threads = m.Accel, processors
	}
	all := make([]*Result, len(m.Kernels))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(m.parallel(threads))
	for i, k := range m.Kernels {
		group.Go(func() (err error) {
			all[i], err = m.testOn(groupCtx, k, accel, system)
			return err
		})
	}
	err = group.Wait()
	var results []Result
	failed := false
	for _, r := range all {
		if r != nil {
			results = append(results, *r)
			failed = failed || len(r.Problems) > 0
		}
	}
	switch {
	case err != nil:
		return results, err
	case m.Run != "" && testCount(results) == 0:
		return results, fmt.Errorf("no package has a test that matches %q", m.Run)
	case failed:
		return results, ErrFailed
	}
	return results, nil
}

// parallel returns how many machines run at a time when each keeps so many
// processors busy.
func (m *Matrix) parallel(threads int) int {
	switch {
	case m.Live != nil:
		return 1
	case m.Parallel > 0:
		return m.Parallel
	default:
		return max(1, runtime.NumCPU()/threads)
	}
}

// testOn runs all packages on one kernel. What goes wrong inside the machine is in
// the result; an error means that it could not be tried. system is the file that
// buildSystem wrote.
func (m *Matrix) testOn(ctx context.Context, k Kernel, accel, system string) (*Result, error) {
	cache := debian.Cache{Dir: filepath.Join(m.CacheDir, "kernels"), Refresh: m.Refresh, Logf: m.logf}
	kernel, err := cache.Kernel(ctx, k.Suite)
	if err != nil {
		return nil, err
	}
	v, err := linuxversion.Parse(kernel.Release)
	if err != nil {
		return nil, err
	}
	r := &Result{Kernel: k.Name, Version: v.String(), Release: kernel.Release}
	start := time.Now()
	plan := m.plan(k.Name, r.Version)
	outDir := filepath.Join(m.CacheDir, "out", k.Name)
	if err := os.RemoveAll(outDir); err != nil {
		return nil, err
	}
	file := system + "-" + k.Name
	defer func() { _ = os.Remove(file) }()
	if err := writeInitramfs(file, system, kernel.Modules, plan); err != nil {
		return nil, fmt.Errorf("%s: %w", kernel.Release, err)
	}
	logs, err := m.openLogs(r.Version)
	if err != nil {
		return nil, err
	}
	defer func() { _ = logs.Close() }()

	bootCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dog := watchdog{cancel: cancel}
	defer dog.stop()
	s := session{
		plan: plan, isTest: m.Command == "", live: m.Live, outDir: outDir,
		onNext: dog.expect,
		onEnd:  func(p *PackageResult) { m.report(v, p) },
	}
	computer := machine{image: kernel.Image, initramfs: file, accel: accel, memoryMB: m.MemoryMB}
	runErr := computer.run(bootCtx, logs.console, func(line io.Reader) error { return s.read(io.TeeReader(line, logs.tests)) })
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	r.Boot, r.Packages, r.Seconds = s.boot, s.results, time.Since(start).Seconds()
	r.Problems = s.problems(kernel.Release, v, m.mayBeEmpty())
	if runErr != nil {
		r.Problems = append(r.Problems, runErr.Error())
	}
	r.Problems = append(r.Problems, logs.trouble()...)
	m.conclude(r, logs)
	return r, nil
}

// problems returns why a machine does not count as passed.
func (s *session) problems(release string, v linuxversion.Version, mayBeEmpty bool) []string {
	var found []string
	if s.release != "" && s.release != release {
		found = append(found, fmt.Sprintf("kernel %s runs instead of %s", s.release, release))
	}
	for _, p := range s.results {
		for _, text := range p.problems(v, mayBeEmpty) {
			found = append(found, p.Package+": "+text)
		}
	}
	switch {
	case s.release == "":
		found = append(found, "the machine did not come up")
	case !s.done:
		found = append(found, fmt.Sprintf("the machine stopped after %d of %d runs", len(s.results), len(s.plan.Runs)))
	}
	return found
}

// mayBeEmpty reports whether a run without a test is as it should be.
func (m *Matrix) mayBeEmpty() bool { return m.Run != "" || m.Command != "" }

func testCount(results []Result) (n int) {
	for _, r := range results {
		for _, p := range r.Packages {
			n += len(p.Tests)
		}
	}
	return n
}
