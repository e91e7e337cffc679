package cmd

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnreadCapture: pktstat reports a capture on standard input that it does not read, and does
// not consume it.
func TestUnreadCapture(t *testing.T) {
	const magic = "capture"
	file := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(file, []byte(magic+" of packets"), 0o600); err != nil {
		t.Fatal(err)
	}
	fromFile := func() *os.File { return open(t, file, os.O_RDONLY) }
	fromPipe := func(content string) func() *os.File {
		return func() *os.File {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = r.Close() })
			if _, err := w.WriteString(content); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			return r
		}
	}
	for _, tc := range []struct {
		name, args string
		stdin      func() *os.File
		said       bool
		left       string
	}{
		{"pipe", "-t 10ms", fromPipe(magic + " of packets"), true, magic + " of packets"},
		{"file", "-t 10ms", fromFile, true, magic + " of packets"},
		{"another pipe", "-t 10ms", fromPipe("text"), false, "text"},
		{"empty pipe", "-t 10ms", fromPipe(""), false, ""},
		{"no file", "-t 10ms", func() *os.File { return open(t, os.DevNull, os.O_RDONLY) }, false, ""},
		{"an interface is named", "-t 10ms -i lo", fromPipe(magic), false, magic},
		{"a backend is named", "-t 10ms -b live", fromPipe(magic), false, magic},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			reader := b.registered["reader"]
			reader.Files, reader.Reads = "file", func(start []byte) bool { return bytes.HasPrefix(start, []byte(magic)) }
			b.registered["reader"] = reader
			in := tc.stdin()
			b.Stdin = in
			if code := b.run(t.Context(), strings.Fields(tc.args)...); code != 0 {
				t.Fatalf("exit code %d: %s", code, b.stderr.String())
			}
			said := strings.Contains(b.stderr.String(), "standard input has a capture, which is not read: pktstat - reads it\n")
			left, err := io.ReadAll(in)
			if said != tc.said || err != nil || string(left) != tc.left {
				t.Errorf("said %t, want %t; left %q, %v: %s", said, tc.said, left, err, b.stderr.String())
			}
		})
	}
}
