package trafficgen

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/packet"
	"github.com/pktstat/pktstat/internal/test/pcapfile"
	"github.com/pktstat/pktstat/internal/test/testenv"
)

// count parses a capture.
func count(t *testing.T, file []byte) (flows map[flow.Packed]flow.Counters, packets []pcapfile.Packet) {
	t.Helper()
	link, packets, err := pcapfile.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	flows = map[flow.Packed]flow.Counters{}
	for i, p := range packets {
		if i > 0 && p.Time.Before(packets[i-1].Time) {
			t.Fatalf("packet %d is before the one before it", i+1)
		}
		var f packet.Frame
		var r flow.Record
		link.Frame(p.Data, p.OrigLen, &f)
		packet.Parse(&f, &r)
		c := flows[r.Key]
		c.Add(r.Counters)
		flows[r.Key] = c
	}
	return flows, packets
}

func write(t *testing.T, packets, flows int, seed uint64, o Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, packets, flows, seed, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWrite(t *testing.T) {
	for _, c := range []struct {
		packets, flows int
		o              Options
	}{
		{1, 1, Options{}}, {60, 52, Options{}}, {20000, 5000, Options{}},
		{20000, 5000, Options{Snaplen: 96}}, {3000, 3000, Options{FrameLen: 64}}, {5000, 700, Options{FrameLen: MinFrameLen}},
	} {
		flows, packets := count(t, write(t, c.packets, c.flows, 1, c.o))
		if len(flows) != c.flows || len(packets) != c.packets {
			t.Errorf("%+v: %d packets in %d flows", c, len(packets), len(flows))
		}
		for _, p := range packets {
			if c.o.Snaplen > 0 && len(p.Data) > c.o.Snaplen || c.o.FrameLen > 0 && p.OrigLen != c.o.FrameLen {
				t.Fatalf("%+v: %d bytes of %d", c, len(p.Data), p.OrigLen)
			}
		}
	}
}

// TestWriteLengths: the headers have the frames' lengths. Only short frames have padding.
func TestWriteLengths(t *testing.T) {
	_, packets := count(t, write(t, 5000, 500, 3, Options{}))
	for i, p := range packets {
		f := packet.Frame{Data: p.Data, Len: p.OrigLen}
		var r flow.Record
		packet.Parse(&f, &r)
		if r.Bytes == 0 {
			continue // ARP
		}
		link := uint64(ethernetLen)
		switch p.Data[12] {
		case typeVLAN >> 8:
			link += 4
		case typeQinQ >> 8:
			link += 8
		}
		if padding := r.FrameBytes - r.Bytes - link; padding != 0 && p.OrigLen != minFrame {
			t.Fatalf("packet %d: %d bytes in a frame of %d", i+1, r.Bytes, r.FrameBytes)
		}
	}
}

func TestWriteIsDeterministic(t *testing.T) {
	one := write(t, 2000, 300, 5, Options{Snaplen: 96})
	if !bytes.Equal(one, write(t, 2000, 300, 5, Options{Snaplen: 96})) {
		t.Error("the same arguments give other bytes")
	}
	if bytes.Equal(one, write(t, 2000, 300, 6, Options{Snaplen: 96})) {
		t.Error("another seed gives the same bytes")
	}
}

func TestWriteErrors(t *testing.T) {
	for _, c := range []struct {
		packets, flows int
		o              Options
	}{
		{10, 11, Options{}}, {10, 0, Options{}}, {MaxFlows + 2, MaxFlows + 1, Options{}}, {10, 10, Options{FrameLen: MinFrameLen - 1}},
	} {
		var b bytes.Buffer
		if err := Write(&b, c.packets, c.flows, 1, c.o); err == nil || b.Len() > 0 {
			t.Errorf("%+v: %v, %d bytes written", c, err, b.Len())
		}
	}
}

func TestSample(t *testing.T) {
	var b bytes.Buffer
	if err := WriteSample(&b); err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("../../../testdata/mix.pcap")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, b.Bytes()) {
		t.Error("testdata/mix.pcap differs from the generated file: run go generate ./internal/test/trafficgen")
	}
	if b.Len() > 300_000 {
		t.Errorf("%d bytes are too many for a bundled file", b.Len())
	}
	flows, packets := count(t, b.Bytes())
	if d := packets[len(packets)-1].Time.Sub(packets[0].Time); d > sampleTime || d < sampleTime*9/10 {
		t.Errorf("the sample lasts %v, not %v", d, sampleTime)
	}
	seen := map[string]bool{}
	for p := range flows {
		k := p.Key()
		seen[k.Protocol()] = true
		seen["vlan"] = seen["vlan"] || k.VLAN == 20
		seen["lldp"] = seen["lldp"] || k.EtherType == typeLLDP
	}
	for _, want := range []string{"TCP", "UDP", "ICMP", "IPv6-ICMP", "GRE", "ESP", "IGMP", "ARP", "ETH", "vlan", "lldp"} {
		if !seen[want] {
			t.Errorf("no %s in the sample", want)
		}
	}
}

// TestOtherReaders: tcpdump and tshark find no errors in the captures, also with checks of lengths
// and checksums.
func TestOtherReaders(t *testing.T) {
	tcpdump, tshark := testenv.Tool(t, "tcpdump", "tcpdump"), testenv.Tool(t, "tshark", "tshark")
	file := filepath.Join(t.TempDir(), "mix.pcap")
	if err := os.WriteFile(file, write(t, 3000, 1000, 1, Options{}), 0o600); err != nil {
		t.Fatal(err)
	}
	sample, err := filepath.Abs("../../../testdata/mix.pcap")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{file, sample} {
		var stderr bytes.Buffer
		cmd := exec.Command(tcpdump, "-nnvr", f)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("tcpdump: %v: %s", err, stderr.Bytes())
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "bad cksum") || strings.Contains(line, "incorrect") || strings.Contains(line, "bad-len") {
				t.Errorf("%s: tcpdump: %s", filepath.Base(f), line)
			}
		}
		out, err = exec.Command(tshark, "-nr", f, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
			"-o", "tcp.check_checksum:TRUE", "-Y",
			"_ws.malformed || ip.checksum.status==0 || tcp.checksum.status==0 || udp.checksum.status==0 || icmpv6.checksum.status==0").Output()
		if err != nil {
			t.Fatalf("tshark: %v", err)
		}
		if len(out) > 0 {
			t.Errorf("%s: tshark:\n%.1000s", filepath.Base(f), out)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	var buf bytes.Buffer
	for b.Loop() {
		buf.Reset()
		if err := Write(&buf, 10000, 5000, 1, Options{FrameLen: 64}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10000, "ns/packet")
}
