// Command dist builds the release of a source tree (make dist). For amd64 and arm64, it makes a
// static binary in a tar.gz, a deb and an rpm. For all of them, it makes checksums, an SPDX list of
// the binary's modules, and the licences.
//
// Equal commits and Go versions give equal bytes, because all times are the commit's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

// arches are the architectures of a release, by Go's names.
var arches = []string{"amd64", "arm64"}

func main() {
	repo := flag.String("repo", ".", "source `tree`")
	out := flag.String("out", "dist", "`directory` that becomes the release; what it had is removed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *repo, *out); err != nil {
		fmt.Fprintln(os.Stderr, "dist:", err)
		os.Exit(1) //nolint:gocritic // stop only restores the signal's handler
	}
}

func run(ctx context.Context, repo, out string) error {
	src, err := describe(ctx, repo)
	if err != nil {
		return err
	}
	if err := empty(out); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "pktstat-dist-")
	if err != nil {
		return fmt.Errorf("working directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()

	own, err := src.generate(ctx, work)
	if err != nil {
		return err
	}
	for _, arch := range arches {
		bin := filepath.Join(work, arch, program)
		if err := src.build(ctx, arch, bin); err != nil {
			return err
		}
		deps, err := dependencies(ctx, repo, bin)
		if err != nil {
			return err
		}
		files, err := src.files(bin, deps)
		if err != nil {
			return err
		}
		files = append(files, own...)
		if err := errors.Join(
			src.tarball(out, arch, files),
			src.packages(out, arch, files),
			src.spdx(out, arch, deps),
		); err != nil {
			return err
		}
	}
	return checksums(out)
}

// empty empties the directory out. It refuses a directory with other files than a release's.
func empty(out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	old, err := os.ReadDir(out)
	if err != nil {
		return fmt.Errorf("release: %w", err)
	}
	for _, e := range old {
		if !ofRelease(e.Name()) {
			return fmt.Errorf("release: %s has a file that is not a release's: %s", out, e.Name())
		}
	}
	for _, e := range old {
		if err := os.Remove(filepath.Join(out, e.Name())); err != nil {
			return fmt.Errorf("release: %w", err)
		}
	}
	return nil
}
