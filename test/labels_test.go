package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pktstat/pktstat/internal/test/testenv"
	"github.com/pktstat/pktstat/internal/test/testnet"
)

const mixPcap = root + "/testdata/mix.pcap"

// labelled is what a JSON report says of the labels of a flow.
type labelled struct {
	User, Comm string
	Match      string
	counters
}

// runOnce runs pktstat to its end, and returns what it wrote and its exit code.
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
	parseReport(t, []byte(text)) // its sums
	var r struct{ Flows []labelled }
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return r.Flows
}

// TestRefusedLabels: what a run cannot know is refused before it counts.
func TestRefusedLabels(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"--pcap-file " + mixPcap + " --by comm", "backend pcap has no label process: captures do not say"},
		{"--pcap-file " + mixPcap + " --by user", "backend pcap has no label user: captures do not say"},
		{"--pcap-file " + mixPcap + " --process", "backend pcap has no label process"},
		{"--pcap-file " + mixPcap + " --user-file /etc/passwd", "backend pcap has no label user"},
		{"--process=false --by comm", "label process is asked for, and --process=false turns off label process"},
		{"--process=false --by user", "label user is asked for, and --process=false turns off label process"},
	} {
		out, errs, code := runOnce(t, strings.Fields(tt.args)...)
		if code != 2 || out != "" || !strings.Contains(errs, tt.want) {
			t.Errorf("%s: exit code %d, stderr %q, want %q", tt.args, code, errs, tt.want)
		}
	}
}

// TestListedLabels: pktstat labels lists each with its fields, its needs and its options.
func TestListedLabels(t *testing.T) {
	out, _, code := runOnce(t, "labels")
	for _, want := range []string{"container: ", "process: ", "user: ", "fields     pid, comm, uid", "needs      process, container", "--process ", "--user-file FILE"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit code %d, no %q in\n%s", code, want, out)
		}
	}
	var list struct {
		Schema  string
		Plugins []struct{ Name string }
	}
	out, _, code = runOnce(t, "labels", "--json")
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 || list.Schema != "pktstat.labels/v1" || len(list.Plugins) != 3 {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
}

// listen takes connections at port 443 of a host, and answers each with what it gets.
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

// talkTo is the environment variable that makes the test binary a client of listen.
const talkTo = "PKTSTAT_TALK_TO"

// asClient sends lines to an address and reads them back. It returns an exit code.
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

// TestUsers: rows by user and by user and process name those that talk.
func TestUsers(t *testing.T) {
	testenv.Privileged(t)
	const uid = 54321
	passwd := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(passwd, []byte("chief:x:0:0:::\nguest:x:54321:1:::\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		by   string
		want string // the row that there must be: that of the client, at the end that is counted on
	}{{"user", "guest"}, {"user,comm", "exeguest"}} {
		t.Run(tt.by, func(t *testing.T) {
			a, b := testnet.Pair(t, testnet.Link{})
			server := listen(t, b)
			p := start(t, a.Host, "-b", "tc", "-i", a.Name, "-t", "0", "--by", tt.by, "--user-file", passwd, "--output", "json")
			p.counting()
			if err := a.Do(func() error {
				// Another user may not enter the folder of the test binary.
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
				seen[r.Comm+r.User] += r.Packets
			}
			if seen[tt.want] < 12 { // 4 lines, their answers, and what opens and closes the connection
				t.Errorf("%q has %d packets of %v", tt.want, seen[tt.want], seen)
			}
			for name := range seen {
				if strings.Contains(name, "chief") {
					t.Errorf("traffic of the other end is counted to %q", name)
				}
			}
		})
	}
}
