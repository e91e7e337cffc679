package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const program = "pktstat"

// source is a source tree, with the name of its release.
type source struct {
	repo    string
	version string    // without "v": 0.1.0, or 0.1.0~20261127.2a4cd7500000
	time    time.Time // of the commit
	commit  string
}

// describe asks git. A commit without a tag gets a version before the next one in CHANGELOG.md. The
// commit's time orders such versions.
func describe(ctx context.Context, repo string) (*source, error) {
	stamp, err := git(ctx, repo, "log", "-1", "--format=%ct")
	if err != nil {
		return nil, err
	}
	sec, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("time of the commit: %w", err)
	}
	commit, err := git(ctx, repo, "rev-parse", "HEAD")
	if err != nil {
		return nil, err
	}
	s := &source{repo: repo, time: time.Unix(sec, 0).UTC(), commit: commit}
	if tag, err := git(ctx, repo, "describe", "--tags", "--exact-match", "--match", "v[0-9]*"); err == nil {
		s.version = strings.TrimPrefix(tag, "v")
		return s, nil
	}
	next, err := nextVersion(repo)
	if err != nil {
		return nil, err
	}
	s.version = next + "~" + s.time.Format("20060102150405") + "." + commit[:12]
	return s, nil
}

// nextVersion returns the newest version in CHANGELOG.md.
func nextVersion(repo string) (string, error) {
	log, err := os.ReadFile(filepath.Join(repo, "CHANGELOG.md"))
	if err != nil {
		return "", fmt.Errorf("version: %w", err)
	}
	for line := range bytes.Lines(log) {
		title, ok := strings.CutPrefix(string(line), "## ")
		if !ok {
			continue
		}
		if f := strings.Fields(title); len(f) > 0 && f[0][0] >= '0' && f[0][0] <= '9' {
			return f[0], nil
		}
	}
	return "", fmt.Errorf("version: no heading of CHANGELOG.md begins with a version")
}

func git(ctx context.Context, repo string, args ...string) (string, error) {
	return output(ctx, repo, nil, "git", args...)
}

// output runs a command and returns its output, without the last newline.
func output(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(msg.String()))
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// build makes the static binary.
func (s *source) build(ctx context.Context, arch, bin string) error {
	if err := os.MkdirAll(filepath.Dir(bin), 0o755); err != nil {
		return fmt.Errorf("build for %s: %w", arch, err)
	}
	// Remove the linker's build id, which depends on the path of Go.
	_, err := output(ctx, s.repo, []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch, "GOFLAGS=", "GOAMD64=v1"},
		"go", "build", "-trimpath", "-ldflags", "-s -w -buildid=", "-o", bin, "./cmd/pktstat")
	return err
}
