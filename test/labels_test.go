package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

const mixPcap = root + "/testdata/mix.pcap"

// labelled is the labels of a flow in a JSON report.
type labelled struct {
	Service, User, Comm string
	Match               string
	counters
}

// runOnce runs pktstat to its end, and returns its output and its exit code.
func runOnce(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), pktstat(t), args...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// labelsIn returns the rows of a JSON report.
func labelsIn(t *testing.T, text string) []labelled {
	t.Helper()
	parseReport(t, []byte(text)) // checks the sums
	var r struct{ Flows []labelled }
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return r.Flows
}

// serviceNames reads the list of services, by port and protocol, such as "443/TCP".
func serviceNames(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(root + "/labels/service/services.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, ports, _ := strings.Cut(strings.TrimSpace(line), " ")
		if parts := strings.Split(ports, "/"); name != "#" {
			for _, proto := range parts[1:] {
				names[parts[0]+"/"+strings.ToUpper(proto)] = name
			}
		}
	}
	return names
}

// TestServicesOfCapture: the sums by service equal the sums that tshark gives.
func TestServicesOfCapture(t *testing.T) {
	tshark := testenv.Tool(t, "tshark", "tshark")
	names, want := serviceNames(t), map[string]flow.Counters{}
	for i, c := range tsharkFlows(t, tshark, mixPcap) {
		port := min(i.SrcPort, i.DstPort)
		sum := want[names[strconv.Itoa(int(port))+"/"+i.Proto]]
		sum.Add(c)
		want[names[strconv.Itoa(int(port))+"/"+i.Proto]] = sum
	}
	out, errs, code := runOnce(t, "--pcap-file", mixPcap, "--by", "service", "--output", "json")
	if code != 0 {
		t.Fatalf("exit code %d:\n%s", code, errs)
	}
	rows := labelsIn(t, out)
	for _, r := range rows {
		if got := r.flow(); got != want[r.Service] {
			t.Errorf("service %q: %+v, by tshark %+v", r.Service, got, want[r.Service])
		}
	}
	if len(rows) != len(want) || len(rows) < 5 {
		t.Errorf("%d services, by tshark %d: %+v", len(rows), len(want), want)
	}
}

// TestServiceOfFlows: flows have their service, as a dimension or only shown. --sort=service groups
// by it and sorts the rows.
func TestServiceOfFlows(t *testing.T) {
	sums := func(args ...string) (map[string]counters, []string) {
		out, errs, code := runOnce(t, append(args, "--pcap-file", mixPcap, "--output", "json")...)
		if code != 0 {
			t.Fatalf("%q: exit code %d:\n%s", args, code, errs)
		}
		all, order := map[string]counters{}, []string{}
		for _, r := range labelsIn(t, out) {
			c := all[r.Service]
			all[r.Service] = counters{c.Packets + r.Packets, c.Bytes + r.Bytes, c.FrameBytes + r.FrameBytes}
			order = append(order, r.Service)
		}
		return all, order
	}
	want, _ := sums("--by", "service")
	for _, args := range [][]string{{"--by", "flow"}, {"--by", "flow,service"}, {"--by", "service,src"}, {"--sort", "service"}} {
		got, order := sums(args...)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q: %v, want %v", args, got, want)
		}
		if args[0] == "--sort" && (!slices.IsSorted(order) || len(order) < 100) {
			t.Errorf("%q: the order is %q", args, order)
		}
	}
	if off, _ := sums("--service=false"); len(off) != 1 || off[""].Packets == 0 {
		t.Errorf("--service=false: %v", off)
	}
}

// TestRefusedLabels: pktstat refuses a label that the run cannot have, before it counts.
func TestRefusedLabels(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"--pcap-file " + mixPcap + " --by comm", "backend pcap has no label process: captures do not say"},
		{"--pcap-file " + mixPcap + " --by user", "backend pcap has no label user: captures do not say"},
		{"--pcap-file " + mixPcap + " --process", "backend pcap has no label process"},
		{"--pcap-file " + mixPcap + " --user-file /etc/passwd", "backend pcap has no label user"},
		{"--process=false --by comm", "label process is asked for, and --process=false turns off label process"},
		{"--process=false --by user", "label user is asked for, and --process=false turns off label process"},
		{"--pcap-file " + mixPcap + " --service=false --by service", "--service=false turns off label service"},
		{"--pcap-file " + mixPcap + " --by src --sort service", "--sort service needs rows that have it: add it to --by"},
	} {
		out, errs, code := runOnce(t, strings.Fields(tt.args)...)
		if code != 2 || out != "" || !strings.Contains(errs, tt.want) {
			t.Errorf("%s: exit code %d, stderr %q, want %q", tt.args, code, errs, tt.want)
		}
	}
}

// TestListedLabels: pktstat labels lists each label with its fields, needs and options.
func TestListedLabels(t *testing.T) {
	out, _, code := runOnce(t, "labels")
	for _, want := range []string{"container: ", "process: ", "service: ", "socket: ", "user: ", "fields     pid, comm, uid", "needs      process, container", "--process ", "--user-file FILE"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit code %d, no %q in\n%s", code, want, out)
		}
	}
	var list struct {
		Schema  string
		Plugins []struct{ Name string }
	}
	out, _, code = runOnce(t, "labels", "--json")
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 || list.Schema != "pktstat.labels/v1" || len(list.Plugins) != 5 {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
}

// listen accepts connections on port 443 of a host, and echoes.
func listen(t *testing.T, at *testnet.Iface) string {
	t.Helper()
	var l net.Listener
	if err := at.Do(func() (err error) {
		l, err = net.Listen("tcp4", at.IPv4.String()+":443")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, 1000)
				for {
					n, err := c.Read(b)
					if err != nil {
						return
					}
					if _, err := c.Write(b[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// talkTo is an environment variable that makes the test binary a client of listen.
const talkTo = "PKTSTAT_TALK_TO"

// asClient sends lines to an address, and reads them back. It returns an exit code.
func asClient(addr string) int {
	c, err := net.Dial("tcp4", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer c.Close()
	line := []byte("hello\n")
	for range 4 {
		if _, err = c.Write(line); err == nil {
			_, err = io.ReadFull(c, line)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return 0
}

// TestUsersAndServices: rows by user, and by service and process, name the right ones.
func TestUsersAndServices(t *testing.T) {
	testenv.Privileged(t)
	const uid = 54321
	passwd := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(passwd, []byte("chief:x:0:0:::\nguest:x:54321:1:::\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		by   string
		want string // the expected row: the client's, at the counted end
	}{{"user", "guest"}, {"service,comm", "https exe"}, {"service,user", "https guest"}} {
		t.Run(tt.by, func(t *testing.T) {
			a, b := testnet.Pair(t, testnet.Link{})
			server := listen(t, b)
			p := start(t, a.Host, "-b", "tc", "-i", a.Name, "-t", "0", "--by", tt.by, "--user-file", passwd, "--output", "json")
			p.counting()
			if err := a.Do(func() error {
				// The other user may not enter the folder of the test binary.
				cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
				cmd.Env = append(os.Environ(), talkTo+"="+server)
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
				out, err := cmd.CombinedOutput()
				if err != nil {
					return fmt.Errorf("%w: %s", err, out)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			a.Settle()
			p.signal(syscall.SIGINT)
			if code := p.wait(); code != 0 {
				t.Fatalf("exit code %d:\n%s", code, p.errors())
			}
			seen := map[string]uint64{}
			for _, r := range labelsIn(t, p.stdout.String()) {
				seen[strings.TrimSpace(r.Service+" "+r.Comm+r.User)] += r.Packets
			}
			if seen[tt.want] < 12 { // 4 lines, their answers, and the opening and closing of the connection
				t.Errorf("%q has %d packets of %v", tt.want, seen[tt.want], seen)
			}
			for name := range seen {
				if strings.Contains(name, "chief") {
					t.Errorf("traffic of the other host is attributed to %q", name)
				}
			}
		})
	}
}
