package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// generated are the files that the program itself writes: man pages and completion scripts.
var generated = []struct{ args, tarName, path, only string }{
	{"man pktstat", "man/pktstat.1", "/usr/share/man/man1/pktstat.1.gz", ""},
	{"man fields", "man/pktstat-fields.7", "/usr/share/man/man7/pktstat-fields.7.gz", ""},
	{"completion bash", "completion/pktstat.bash", "/usr/share/bash-completion/completions/pktstat", ""},
	{"completion fish", "completion/pktstat.fish", "/usr/share/fish/vendor_completions.d/pktstat.fish", ""},
	{"completion zsh", "completion/_pktstat", "/usr/share/zsh/vendor-completions/_pktstat", "deb"},
	{"completion zsh", "", "/usr/share/zsh/site-functions/_pktstat", "rpm"},
}

// generate runs a program of this machine's architecture. Its output serves all architectures.
func (s *source) generate(ctx context.Context, work string) ([]file, error) {
	bin := filepath.Join(work, "host", program)
	if err := s.build(ctx, runtime.GOARCH, bin); err != nil {
		return nil, err
	}
	var list []file
	for _, g := range generated {
		text, err := output(ctx, s.repo, []string{fmt.Sprintf("SOURCE_DATE_EPOCH=%d", s.time.Unix())}, bin, strings.Fields(g.args)...)
		if err != nil {
			return nil, err
		}
		text += "\n"
		if g.tarName != "" {
			list = append(list, file{tarName: g.tarName, mode: 0o644, data: []byte(text)})
		}
		data := []byte(text)
		if strings.HasSuffix(g.path, ".gz") {
			if data, err = compressed(data); err != nil {
				return nil, fmt.Errorf("%s: %w", g.path, err)
			}
		}
		list = append(list, file{path: g.path, only: g.only, mode: 0o644, data: data})
	}
	return list, nil
}

// compressed compresses text reproducibly: gzip stores no name and no time.
func compressed(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
