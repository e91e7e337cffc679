package pcap

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testtty"
	"github.com/pktstat/pktstat/registry"
)

func env() registry.BackendEnv { return registry.BackendEnv{} }

// tarOf returns a tar archive with one file.
func tarOf(name string, content []byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644})
	_, _ = w.Write(content)
	_ = w.Close()
	return b.Bytes()
}

// Errors of Open as a user sees them, after "backend pcap: ".
func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	old := classicFile(le, microseconds, 1, nil)
	le.PutUint16(old[4:], 1)
	newer := classicFile(le, microseconds, 1, nil)
	le.PutUint16(newer[6:], 5)
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"empty", []byte{}, "empty: not even a file header"},
		{"empty gzip", gzipped(t, nil), "empty: not even a file header"},
		{"three bytes", []byte{0xd4, 0xc3, 0xb2}, "not a pcap or pcapng capture: it begins with d4 c3 b2"},
		{"half a header", old[:20], "cut short: 20 of the 24 bytes of the file header are there"},
		{"version", old, "pcap version 1.4 is not supported, only 2.0 to 2.4 are"},
		{"newer version", newer, "pcap version 2.5 is not supported, only 2.0 to 2.4 are"},
		{"link type", classicFile(be, nanoseconds, 189, nil), "linktype 189 (USB_LINUX) is not supported"},
		{"link type without a name", classicFile(be, nanoseconds, 8224, nil), "linktype 8224 is not supported"},
		{"tar", tarOf("x.pcap", old), "not a pcap or pcapng capture: it is a tar archive: unpack it with tar -xf"},
		{"tar in gzip", gzipped(t, tarOf("x.pcap", old)), "not a pcap or pcapng capture: it is a tar archive inside gzip: unpack it with tar -xzf"},
		{"tar of a long name in gzip", gzipped(t, tarOf(strings.Repeat("directory/", 8), old)), "not a pcap or pcapng capture: it is a tar archive inside gzip: unpack it with tar -xzf"},
		{"tar in zstd", zstded(t, tarOf("x.pcap", old)), "not a pcap or pcapng capture: it is a tar archive inside zstd: unpack it with tar --zstd -xf"},
		{"text", []byte("src,dst,bytes\n192.0.2.1,192.0.2.2,é"), "not a pcap or pcapng capture: it looks like text"},
		{"half a character", []byte("caf\xc3"), "not a pcap or pcapng capture: it looks like text"},
		{"ELF", []byte("\x7fELF\x02\x01\x01"), "not a pcap or pcapng capture: it looks like an ELF program"},
		{"zip", []byte("PK\x03\x04...."), "not a pcap or pcapng capture: it looks like a zip archive"},
		{"xz", []byte("\xfd7zXZ\x00...."), "not a pcap or pcapng capture: it looks like xz compressed: unpack it with xz -d"},
		{"snoop", []byte("snoop\x00\x00\x00\x00\x00\x00\x02"), "not a pcap or pcapng capture: it looks like a snoop capture: convert it with editcap -F pcap"},
		{"gzip twice", gzipped(t, gzipped(t, old)), "not a pcap or pcapng capture: it looks like gzip compressed twice"},
		{"gzip of text", gzipped(t, []byte("hello")), "not a pcap or pcapng capture: it looks like text"},
		{"gzip header", []byte{0x1f, 0x8b, 7, 7, 7, 7, 7, 7, 7, 7}, "gzip: the compressed data is damaged: gzip: invalid header"},
		{"half a gzip header", []byte{0x1f, 0x8b, 8, 0}, "gzip: the compressed data is cut short"},
		{"binary", []byte{1, 2, 3, 4, 5}, "not a pcap or pcapng capture: it begins with 01 02 03 04"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := write(t, "x", c.content)
			src, err := capturesOf(file).Open(t.Context(), env())
			if src != nil || err == nil || err.Error() != file+": "+c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			r := capturesOf(file).Probe(t.Context())
			if r.Verdict != registry.No || !errors.Is(r.Err, registry.ErrUnsupported) || !strings.Contains(r.Err.Error(), c.want) {
				t.Errorf("Probe: %v, %v", r.Verdict, r.Err)
			}
		})
	}
	for _, c := range []struct {
		file, want string
		is         error
	}{
		{"", "usage: which capture? name it: pktstat FILE", registry.ErrUsage},
		{dir, dir + ": is a directory, not a capture: name the files in it, as in " + dir + "/*", nil},
		{dir + "/*.pcap", dir + "/*.pcap: no such file or directory: no file matches", fs.ErrNotExist},
		{dir + "/none", dir + "/none: no such file or directory", fs.ErrNotExist},
		{"-", "standard input is not open", nil},
		{os.DevNull, "", nil},
	} {
		src, err := capturesOf(c.file).Open(t.Context(), env())
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.file, err)
			} else if err := src.Close(); err != nil {
				t.Error(err)
			}
			continue
		}
		if src != nil || err == nil || err.Error() != c.want || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%q: got %v, want %s", c.file, err, c.want)
		}
	}
}

// TestTerminal: standard input that is a terminal has no capture.
func TestTerminal(t *testing.T) {
	_, terminal := testtty.Open(t, 80, 24)
	e := env()
	e.Stdin = terminal
	src, err := capturesOf("-").Open(t.Context(), e)
	if src != nil || !errors.Is(err, registry.ErrUsage) || !strings.Contains(err.Error(), "standard input is a terminal") {
		t.Errorf("got %v, %v", src, err)
	}
}

func TestProbe(t *testing.T) {
	r := (&config{}).Probe(t.Context())
	if r.Verdict != registry.Supported || !strings.Contains(r.Checks[0].Detail, "named") {
		t.Errorf("without a file: %+v", r)
	}
	if r := capturesOf("-").Probe(t.Context()); r.Verdict != registry.Supported {
		t.Errorf("standard input: %+v", r)
	}
	file := write(t, "x", classicFile(le, microseconds, 1, nil))
	if r := capturesOf(file).Probe(t.Context()); r.Verdict != registry.Supported {
		t.Errorf("a capture: %+v", r)
	}
}

func TestOpenWithoutPermission(t *testing.T) {
	testenv.Privileged(t) // to become another user on one thread
	file := filepath.Join(t.TempDir(), "secret.pcap")
	if err := os.WriteFile(file, classicFile(le, microseconds, 1, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	opened := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Setfsuid(65534); err != nil {
			opened <- fmt.Errorf("setfsuid: %w", err)
			return
		}
		_, err := capturesOf(file).Open(context.Background(), env())
		opened <- err
	}()
	err := <-opened
	if !errors.Is(err, registry.ErrPermission) || err.Error() != file+": permission denied: this user may not read the file" {
		t.Error(err)
	}
}

func TestOpenUnderEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	src, err := capturesOf(write(t, "x", classicFile(le, microseconds, 1, nil))).Open(ctx, env())
	if src != nil || !errors.Is(err, errInterrupted) {
		t.Errorf("got %v", err)
	}
}
