// Command vmtest runs the tests of packages on the kernels of the matrix:
//
//	go run ./tools/vmtest/cmd/vmtest                            all of it
//	go run ./tools/vmtest/cmd/vmtest -kernel 5.10 -run TestX    one test on one kernel
//	go run ./tools/vmtest/cmd/vmtest -kernel 6.1 ./internal/test/testnet
//	go run ./tools/vmtest/cmd/vmtest -kernel 6.1 -exec 'bpftool feature'
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/pktstat/pktstat/tools/vmtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, vmtest.ErrFailed):
		os.Exit(1) // the failures are printed already
	case err != nil:
		fmt.Fprintln(os.Stderr, "vmtest:", err)
		os.Exit(2)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("vmtest", flag.ContinueOnError)
	flags.Usage = func() {
		_, _ = fmt.Fprintln(flags.Output(), "usage: vmtest [flags] [package directory ...]")
		flags.PrintDefaults()
	}
	m := vmtest.Matrix{Out: os.Stdout, Packages: vmtest.Packages, Kernels: vmtest.Kernels}
	var kernels, results string
	var verbose bool
	flags.StringVar(&kernels, "kernel", "", "`names` of kernels, separated by commas: "+strings.Join(names(vmtest.Kernels), ", ")+"; or all; default all but those that are by name only: "+strings.Join(names(byName()), ", "))
	flags.StringVar(&m.Run, "run", "", "run only tests that match this `regexp`, whatever the package's own filter is")
	flags.StringVar(&m.Command, "exec", "", "run this shell `command` instead of tests and show what it prints")
	flags.Func("env", "`NAME=VALUE` for the tests' environment; repeatable", func(s string) error {
		m.Env = append(m.Env, s)
		return nil
	})
	flags.BoolVar(&verbose, "v", false, "show all output of the tests as it comes")
	flags.BoolVar(&m.Refresh, "refresh", false, "look for newer kernels now; otherwise twice a day")
	flags.StringVar(&m.Accel, "accel", "", "QEMU's `accelerator`, for example kvm where that can run stock kernels; default emulation")
	flags.IntVar(&m.Parallel, "j", 0, "`machines` at a time; default what this host has processors for")
	flags.IntVar(&m.MemoryMB, "memory", 2048, "of each machine, in `MiB`")
	flags.StringVar(&m.CacheDir, "cache", "", "`directory` of kernels and logs; default .cache/vmtest in the repository")
	flags.StringVar(&results, "results", "", "write all results to this `file`, as JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if m.Root, err = root(ctx); err != nil {
		return err
	}
	if m.CacheDir == "" {
		m.CacheDir = filepath.Join(m.Root, ".cache", "vmtest")
	}
	if m.Kernels, err = chooseKernels(kernels); err != nil {
		return err
	}
	if m.Packages, err = choosePackages(flags.Args(), m.Kernels); err != nil {
		return err
	}
	if verbose || m.Command != "" {
		m.Live = os.Stdout
	}
	got, err := m.Test(ctx)
	if results != "" {
		err = errors.Join(err, writeResults(results, got))
	}
	return err
}

// root returns the directory of the module that contains the working directory.
func root(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("go list -m: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

func names(kernels []vmtest.Kernel) []string {
	var all []string
	for _, k := range kernels {
		all = append(all, k.Name)
	}
	return all
}

func byName() []vmtest.Kernel {
	return slices.DeleteFunc(slices.Clone(vmtest.Kernels), func(k vmtest.Kernel) bool { return !k.ByName })
}

func chooseKernels(list string) ([]vmtest.Kernel, error) {
	switch list {
	case "":
		return slices.DeleteFunc(slices.Clone(vmtest.Kernels), func(k vmtest.Kernel) bool { return k.ByName }), nil
	case "all":
		return vmtest.Kernels, nil
	}
	var chosen []vmtest.Kernel
	for name := range strings.SplitSeq(list, ",") {
		i := slices.Index(names(vmtest.Kernels), name)
		if i < 0 {
			return nil, fmt.Errorf("kernel %q: choose from %s", name, strings.Join(names(vmtest.Kernels), ", "))
		}
		chosen = append(chosen, vmtest.Kernels[i])
	}
	return chosen, nil
}

// choosePackages returns all rows of the matrix for a directory. On a kernel that none of the rows
// is for, all of them run. A package outside of the matrix runs without settings.
func choosePackages(dirs []string, kernels []vmtest.Kernel) ([]vmtest.Package, error) {
	if len(dirs) == 0 {
		return vmtest.Packages, nil
	}
	var chosen []vmtest.Package
	for _, dir := range dirs {
		dir = filepath.ToSlash(filepath.Clean(dir))
		if !filepath.IsLocal(dir) {
			return nil, fmt.Errorf("package %q: name its directory from the repository's root", dir)
		}
		rows := slices.DeleteFunc(slices.Clone(vmtest.Packages), func(p vmtest.Package) bool { return p.Dir != dir })
		if len(rows) == 0 {
			rows = []vmtest.Package{{Dir: dir}}
		}
		chosen = append(chosen, rowsOn(kernels, rows)...)
	}
	return chosen, nil
}

// rowsOn returns the rows that run on some of the kernels, with the names of these.
func rowsOn(kernels []vmtest.Kernel, rows []vmtest.Package) []vmtest.Package {
	var chosen []vmtest.Package
	for _, p := range rows {
		p.Kernels = names(slices.DeleteFunc(slices.Clone(kernels), func(k vmtest.Kernel) bool {
			isFor := func(p vmtest.Package) bool { return p.RunsOn(k) }
			return !isFor(p) && slices.ContainsFunc(rows, isFor)
		}))
		if p.Arch = ""; len(p.Kernels) > 0 {
			chosen = append(chosen, p)
		}
	}
	return chosen
}

func writeResults(file string, results []vmtest.Result) error {
	b, err := json.MarshalIndent(results, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}
