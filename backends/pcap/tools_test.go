package pcap

import (
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/registry"
)

// Files that Wireshark's tools and tcpdump write.
func TestFilesOfOtherTools(t *testing.T) {
	pkts := traffic(5000, 100)
	in := write(t, "in.pcap", classicFile(le, microseconds, 1, pkts))
	dir := t.TempDir()
	out := func(name string) string { return filepath.Join(dir, name) }
	want := parsed(packet.LinkTypeEthernet, pkts)
	for _, c := range []struct {
		name string
		args []string // the last one is the file that is written
	}{
		{"pcap", []string{"editcap", "-F", "pcap", in, out("1")}},
		{"nanosecond pcap", []string{"editcap", "-F", "nsecpcap", in, out("2")}},
		{"modified pcap", []string{"editcap", "-F", "modpcap", in, out("3")}},
		{"pcapng", []string{"editcap", "-F", "pcapng", in, out("4")}},
		{"tcpdump", []string{"tcpdump", "-r", in, "-w", out("5")}},
		{"gzip", []string{"sh", "-c", `gzip -c "$1" >"$2"`, "sh", in, out("6")}},
		{"zstd", []string{"zstd", "-q", "--long=27", in, "-o", out("7")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := run(t, c.args)
			src := mustOpen(t, file, 0)
			got, _, err := collectAll(src)
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			sameButInterface(t, got, want)
		})
	}
}

// mergecap writes one section with an interface for each file.
func TestMergecap(t *testing.T) {
	eth := traffic(500, 20)
	var raw []packetAt
	for _, p := range packetsAt(0, 1, 2) {
		raw = append(raw, packetAt{time: p.time, data: ipv4(3, byte(flow.UDP), make([]byte, 20))})
	}
	merged := filepath.Join(t.TempDir(), "merged.pcapng")
	run(t, []string{
		"mergecap", "-F", "pcapng", write(t, "a.pcap", classicFile(le, microseconds, 1, eth)),
		write(t, "b.pcap", classicFile(be, nanoseconds, 101, raw)), "-w", merged,
	})
	src := mustOpen(t, merged, 0)
	got, _, err := collectAll(src)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if n := len(src.(registry.Attached).Attachment().Interfaces); n != 2 {
		t.Errorf("%d interfaces, want 2", n)
	}
	want := parsed(packet.LinkTypeEthernet, eth)
	for _, r := range parsed(packet.LinkTypeRaw, raw) {
		want.add([]flow.Record{r})
	}
	sameButInterface(t, got, want)
}

// run runs a tool and returns its last argument, the file that it has written.
func run(t *testing.T, args []string) string {
	t.Helper()
	path, err := exec.LookPath(args[0])
	if err != nil {
		testenv.Missing(t, args[0]+" is not installed")
	}
	if out, err := exec.CommandContext(t.Context(), path, args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v: %s", args, err, out)
	}
	return args[len(args)-1]
}

// sameButInterface ignores names of interfaces, and the directions of the modified format.
func sameButInterface(t *testing.T, got, want flows) {
	t.Helper()
	plain := flows{}
	for _, r := range got {
		r.Key.Ifindex, r.Key.Dir = 0, flow.DirUnknown
		plain.add([]flow.Record{r})
	}
	same(t, plain, want)
}
