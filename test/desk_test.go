package test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pktstat/pktstat/internal/test/testnet"
)

// desk is the machine of the guides. It has a default route through eth0, and forwards for the
// namespace "blue", which is connected to its bridge. It always has traffic.
type desk struct {
	*router
	dir string // in which commands run
	env []string
}

const (
	deskAddr = "192.0.2.10"
	farAddr  = "192.0.2.1"
)

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{router: quietHost(t), dir: t.TempDir()}
	far, blue := quietHost(t), quietHost(t)
	d.ip("link add eth0 type veth peer name eth0 netns "+far.NetNS(), "link add br0 type bridge",
		"link add veth0 type veth peer name eth0 netns "+blue.NetNS(), "link set veth0 master br0",
		"address add "+deskAddr+"/24 dev eth0", "address add 10.0.0.1/24 dev br0",
		"link set eth0 up", "link set veth0 up", "link set br0 up", "route add default via "+farAddr)
	far.ip("address add "+farAddr+"/24 dev eth0", "link set eth0 up", "route add 10.0.0.0/24 via "+deskAddr)
	blue.ip("address add 10.0.0.2/24 dev eth0", "link set eth0 up", "route add default via 10.0.0.1")
	testnet.Forward(t, d.Host)
	server := far.iface("eth0")
	server.IPv4 = netip.MustParseAddr(farAddr)
	web := listen(t, server)
	names := echoUDP(t, far, farAddr+":53")
	for _, from := range []*router{d.router, blue} {
		from.iface("eth0")
		talkAlways(t, from, "tcp4", web)
		talkAlways(t, from, "udp4", names)
	}
	d.furnish(blue.NetNS())
	return d
}

// furnish makes the files that commands need in their folder and in PATH.
func (d *desk) furnish(blue string) {
	d.t.Helper()
	at := filepath.Join(d.dir, "path")
	tree, err := filepath.Abs(root)
	capture, readErr := os.ReadFile(filepath.Join(root, "testdata", "mix.pcap"))
	err = errors.Join(err, readErr, os.Mkdir(at, 0o755), os.Symlink(filepath.Join(tree, "testdata"), filepath.Join(d.dir, "testdata")))
	for name, text := range map[string]string{
		"path/sudo": "#!/bin/sh\nexec \"$@\"\n", "path/pktstat": bounded, "ns": "",
		"trace.pcap0": string(capture), "trace.pcap1": string(capture),
	} {
		err = errors.Join(err, os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o755)) //nolint:gosec // programs
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.env = []string{"PATH=" + at + ":" + os.Getenv("PATH"), "NO_COLOR=1", "COLUMNS=",
		"PKTSTAT_BIN=" + pktstat(d.t), "DESK_BLUE=" + blue, "DESK_REPORT=" + d.report()}
}

func (d *desk) report() string { return filepath.Join(d.dir, "report.json") }

// bounded runs pktstat for half a second, whatever -t is, and adds a report. It does not change
// commands that only list something. It reads captures to their end.
const bounded = `#!/bin/bash
args=() live=-t\ 500ms table=--output\ table
for a; do case $a in
	probe|backends|outputs|labels|fields|config|man|completion|version|--help) exec "$PKTSTAT_BIN" "$@";;
	-|*.pcap*) live=;;
	-j|-g|--output) table=;;
esac; done
while (($#)); do
	if [ "$1" = -t ]; then shift; else args+=("$1"); fi
	shift
done
exec "$PKTSTAT_BIN" "${args[@]}" $live $table --output json="$DESK_REPORT"
`

// inNamespaces runs a command with "blue" as the name of a network namespace.
const inNamespaces = `mount --bind "/run/netns/$DESK_BLUE" ns && mount -t tmpfs none /run/netns && : > /run/netns/blue &&
mount --bind ns /run/netns/blue && exec bash -o pipefail -c "$1"`

// check runs a command. The command must succeed and find traffic.
func (d *desk) check(t *testing.T, command string) {
	needsTools(t, command)
	_ = os.Remove(d.report())
	run := d.run
	if slices.Contains(strings.Fields(command), "-g") {
		run = d.watch
	}
	d.checkTargets(t, command, run(t, command))
	if lists.MatchString(command) {
		return
	}
	text, err := os.ReadFile(d.report())
	if err != nil {
		t.Fatalf("no report: %v", err)
	}
	r := parseReport(t, text)
	if r.Total.Packets == 0 || len(r.Flows) == 0 {
		t.Fatalf("no traffic: %s", text)
	}
	checkRows(t, text, command)
}

// lists matches commands that count nothing.
var lists = regexp.MustCompile(`pktstat (probe|backends|outputs|labels|fields|config|man|completion|version|--help)\b`)

// run returns a command's output.
func (d *desk) run(t *testing.T, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "bash", "-c", inNamespaces, "bash", command)
	cmd.Dir, cmd.Env, cmd.WaitDelay = d.dir, append(os.Environ(), d.env...), time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	code, out, errs := outcomeOf(t, d.Host, cmd)
	if code != 0 {
		t.Fatalf("exit code %d:\n%s%s", code, out, errs)
	}
	t.Logf("%s%s", errs, out)
	return out
}

// watch runs a command on a terminal, and returns the last screen.
func (d *desk) watch(t *testing.T, command string) string {
	t.Helper()
	s := newScreen(t, d.Host, 100, 30, "cd "+d.dir+" && export '"+strings.Join(d.env, "' '")+"' && "+command)
	s.wait("exit code 0")
	return s.do("capture-pane", "-p")
}

// checkTargets: the command has written its files.
func (d *desk) checkTargets(t *testing.T, command, stdout string) {
	t.Helper()
	files := targets(command)
	for _, name := range files {
		path := filepath.Join(d.dir, name)
		if text, err := os.ReadFile(path); err != nil || len(text) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
		_ = os.Remove(path)
	}
	page := strings.Contains(command, "--output web=")
	if len(files) == 0 && !page && strings.TrimSpace(stdout) == "" {
		t.Error("the command printed nothing")
	}
	if strings.Contains(stdout, "null") {
		t.Errorf("jq found nothing: %s", stdout)
	}
}

// mayLack are fields that rows may lack on this machine.
var mayLack = map[string]string{
	"container": "the processes of the test may be in no container",
}

// checkRows: rows have the fields that they are grouped by. Rows of live traffic have the addresses
// of the desk.
func checkRows(t *testing.T, text []byte, command string) {
	t.Helper()
	var r struct {
		By    []string
		Flows []map[string]any
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	has := func(field string, value any) bool {
		return slices.ContainsFunc(r.Flows, func(row map[string]any) bool {
			v, ok := row[field]
			return ok && (value == nil || v == value)
		})
	}
	for _, field := range r.By {
		if mayLack[field] == "" && !has(field, nil) {
			t.Errorf("no row has %s: %s", field, text)
		}
	}
	capture := strings.Contains(command, ".pcap")
	if (len(r.By) == 0 || slices.Contains(r.By, "src")) && !capture && !has("src", deskAddr) && !has("src", farAddr) {
		t.Errorf("no row of the desk's traffic: %s", text)
	}
	if slices.Contains(r.By, "comm") && !has("comm", ownComm(t)) {
		t.Errorf("no row of this process: %s", text)
	}
}

func ownComm(t *testing.T) string {
	t.Helper()
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(comm))
}

// echoUDP echoes datagrams.
func echoUDP(t *testing.T, at *router, addr string) string {
	t.Helper()
	var c net.PacketConn
	if err := at.Do(func() (err error) { c, err = net.ListenPacket("udp4", addr); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		b := make([]byte, 1000)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(b[:n], from)
		}
	}()
	return addr
}

// talkAlways sends to an echo server, and reads the answers, until the test ends.
func talkAlways(t *testing.T, from *router, network, to string) {
	t.Helper()
	var c net.Conn
	eventually(t, network+" does not reach "+to, func() (bool, error) {
		err := from.Do(func() (err error) { c, err = net.DialTimeout(network, to, time.Second); return err })
		return err == nil, nil
	})
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		b := make([]byte, 500)
		for tick := time.Tick(5 * time.Millisecond); ; <-tick {
			_, err := c.Write(b)
			if err == nil {
				_ = c.SetReadDeadline(time.Now().Add(time.Second)) // a datagram may be lost
				_, err = io.ReadFull(c, b)
			}
			if errors.Is(err, net.ErrClosed) {
				return
			}
		}
	}()
}
