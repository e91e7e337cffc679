package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// name returns the first part of the file names of an architecture.
func (s *source) name(arch string) string {
	return program + "_" + s.version + "_linux_" + arch
}

// suffixes are the last parts of the names of a release's files, except files for all
// architectures.
var suffixes = []string{".tar.gz", ".deb", ".rpm", ".spdx.json"}

const sums = "SHA256SUMS"

// ofRelease reports whether a file name belongs to a release.
func ofRelease(name string) bool {
	for _, s := range suffixes {
		if strings.HasPrefix(name, program) && strings.HasSuffix(name, s) {
			return true
		}
	}
	return name == sums
}

// tarball writes the files in one directory, owned by root, with the time of the commit.
func (s *source) tarball(out, arch string, files []file) error {
	var buf bytes.Buffer
	packed, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("tarball: %w", err)
	}
	w := tar.NewWriter(packed)
	for _, f := range files {
		if f.tarName == "" {
			continue
		}
		err := w.WriteHeader(&tar.Header{
			Name: s.name(arch) + "/" + f.tarName, Mode: int64(f.mode), Size: int64(len(f.data)),
			ModTime: s.time, Uname: "root", Gname: "root", Format: tar.FormatPAX,
		})
		if err == nil {
			_, err = w.Write(f.data)
		}
		if err != nil {
			return fmt.Errorf("tarball: %s: %w", f.tarName, err)
		}
	}
	if err := errors.Join(w.Close(), packed.Close()); err != nil {
		return fmt.Errorf("tarball: %w", err)
	}
	return os.WriteFile(filepath.Join(out, s.name(arch)+".tar.gz"), buf.Bytes(), 0o644)
}

// checksums writes SHA256SUMS in the format of sha256sum -c.
func checksums(out string) error {
	entries, err := os.ReadDir(out)
	if err != nil {
		return fmt.Errorf("checksums: %w", err)
	}
	var b strings.Builder
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(out, e.Name()))
		if err != nil {
			return fmt.Errorf("checksums: %w", err)
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(raw), e.Name())
	}
	return os.WriteFile(filepath.Join(out, sums), []byte(b.String()), 0o644)
}
