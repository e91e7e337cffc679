package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMistakes: what new users type, and habits of other tools, gets one line that says what
// to type instead, and the exit code of wrong usage.
func TestMistakes(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "trace")
	data, err := os.ReadFile(capture)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(trace, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]string{
		"-r " + trace:                         "not a duration; to read a capture: pktstat " + trace,
		"tcp port 443":                        `unexpected argument "tcp": packets cannot be filtered`,
		trace + " port 443":                   `unexpected argument "port": packets cannot be filtered`,
		"-f x":                                "unknown option -f; try",
		"--filter x":                          "unknown option --filter: packets cannot be filtered",
		"-t 10x":                              "not a duration: use seconds, or a number with a unit",
		"-w x.pcap":                           "unknown option -w: pktstat keeps no packets",
		"-n":                                  "unknown option -n: addresses are never resolved",
		"-D":                                  "unknown option -D: `ip link` lists the interfaces",
		"-v":                                  "unknown option -v: --debug says more",
		"-q":                                  "unknown option -q: messages go to standard error",
		"-p 80":                               "unknown option -p: packets cannot be filtered",
		"-o json":                             "unknown option -o: reports are chosen by --output NAME",
		"--csv":                               "unknown option --csv: it is chosen by --output csv",
		"--afpacket":                          "unknown option --afpacket: it is chosen by --backend afpacket",
		"--interval 1":                        "unknown option --interval: the length of an interval is --refresh",
		"--duration 10":                       "unknown option --duration: the length of a run is --timeout",
		"--list-interfaces":                   "unknown option --list-interfaces: `ip link`",
		"--by port":                           `unknown field "port": use flow or any of`,
		"--by src,port":                       "is src_port or dst_port meant?",
		"--by host":                           "is src or dst meant?",
		"--by procces":                        "is process meant?",
		"--by dts":                            "is dst meant?",
		"--sort byte":                         "is bytes meant?",
		"--output jsn":                        "is json meant?",
		"--output json:x":                     "is json=x meant?",
		"prob":                                `unexpected argument "prob": is probe meant?`,
		"--ifcae lo":                          "unknown option --ifcae: is --iface meant?",
		"--tmeout 1s":                         "is --timeout meant?",
		"--pcapfile x":                        "is --pcap-file meant?",
		"--out json":                          "unknown option --out: is --output meant?",
		"--sort-by bytes":                     "is --sort meant?",
		"--output web=8080 --output web=8080": "outputs web=8080 and web=8080 both listen on 8080: give each a port of its own",
		"--output csv,columns=what":           "unknown column",
		"--output table,intervals=maybe":      "intervals",
		"--exit-over rate=1Gb":                `unknown unit "Gb": use k, M, G or T, and B, Bps, bit, bps`,
		"--exit-over rat=1G":                  "is rate meant?",
		"-c 10":                               `-c "10": to end after so many packets: --exit-over packets=10; for a path of this name: --cgroup-path 10`,
		"--cgroup-path /nosuch/group":         "--cgroup-path /nosuch/group: no such control group below",
		"--count 10":                          "unknown option --count: --exit-over packets=N ends after so many packets",
		"-b tcx":                              `unknown backend "tcx": there are`,
		"-b pcpa":                             "is pcap meant?",
		"-b tc " + trace:                      "backend tc does not read captures: " + trace,
		trace + " -i lo":                      "backend pcap (the capture) does not count on interfaces: --iface makes no sense",
		trace + " " + trace:                   "is named twice: its packets would count twice",
		"-b tc --by file":                     "backend tc does not know the field file: backend pcap does",
		trace + " --process":                  "backend pcap has no label process",
		"-t 1 -t 2":                           `-t "2": there is a value already, from -t`,
		"probe -x":                            "unknown option -x",
		"version now":                         `version takes no argument: "now"`,
	} {
		t.Run(typed, func(t *testing.T) {
			got := finish(t, pktstat(t, strings.Fields(typed)...))
			if got.code != exitUsage || got.stdout != "" || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, want) {
				t.Errorf("exit code %d, stdout %q; stderr, want one line with %q:\n%s", got.code, got.stdout, want, got.stderr)
			}
		})
	}
}

// TestAsOthersDo: what users of other tools type and what works.
func TestAsOthersDo(t *testing.T) {
	copied := filepath.Join(t.TempDir(), "copy.pcap")
	data, err := os.ReadFile(capture)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ typed, stdout, stderr string }{
		{capture + " -j", `"packets":38`, "counting on " + capture + " (pcap, file); chosen by the capture\n"},
		{"-j " + capture + " --top 1", `"packets":38`, ""},
		{"-j -- " + capture, `"packets":38`, ""},
		{"-j " + capture + " " + copied, `"packets":76`, "counting on " + capture + ", " + copied + " (pcap"},
		{"--pcap-file " + capture + " -j " + copied, `"packets":76`, ""},
		{"--by file --output plain " + capture + " " + copied, "file=" + copied, ""},
		{"--by src --by dst -j " + capture, `"by":["src","dst"]`, ""},
		{"-t 100 -r 2 -j " + capture, `"packets":38`, ""},
		{"--output web=127.0.0.1:0,linger=0 -j " + capture, `"packets":38`, ""},
		{"--exit-over rate=100Gbit/s -j " + capture, `"packets":38`, ""},
		{"--exit-over pps=1G/5 -j " + capture, `"packets":38`, ""},
		{"-V", "pktstat ", ""}, {"version", "pktstat ", ""}, {"--version", "pktstat ", ""},
	} {
		t.Run(tc.typed, func(t *testing.T) {
			got := finish(t, pktstat(t, strings.Fields(tc.typed)...))
			if got.code != 0 || !strings.Contains(got.stdout, tc.stdout) || !strings.Contains(got.stderr, tc.stderr) {
				t.Errorf("exit code %d, stdout, want %q:\n%.600s\nstderr, want %q:\n%s", got.code, tc.stdout, got.stdout, tc.stderr, got.stderr)
			}
		})
	}
}
