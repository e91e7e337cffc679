package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMistakes: typical mistakes, and options of other tools, give one line that suggests what to
// type. The exit code is the one for wrong usage.
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
		"-r " + trace:                          "not a duration; to read a capture: pktstat " + trace,
		"tcp port 443":                         `unexpected argument "tcp": packets cannot be filtered`,
		trace + " port 443":                    `unexpected argument "port": packets cannot be filtered`,
		"-f x":                                 "unknown option -f; try",
		"--filter x":                           "unknown option --filter: packets cannot be filtered",
		"-t 10x":                               "not a duration: use seconds, or a number with a unit",
		"-w x.pcap":                            "unknown option -w: pktstat keeps no packets",
		"-n":                                   "unknown option -n: addresses are never resolved",
		"-D":                                   "unknown option -D: `ip link` lists the interfaces",
		"-v":                                   "unknown option -v: --debug says more",
		"-q":                                   "unknown option -q: messages go to standard error",
		"-p 80":                                "unknown option -p: packets cannot be filtered",
		"-o json":                              "unknown option -o: reports are chosen by --output NAME",
		"--csv":                                "unknown option --csv: it is chosen by --output csv or --output csv=TARGET; try",
		"--afpacket":                           "unknown option --afpacket: it is chosen by --backend afpacket",
		"--interval 1":                         "unknown option --interval: the length of an interval is --refresh",
		"--duration 10":                        "unknown option --duration: the length of a run is --timeout",
		"--list-interfaces":                    "unknown option --list-interfaces: `ip link`",
		"--by ports":                           `--by "ports": unknown field "ports": is port or src_port,dst_port meant? `,
		"--by src,ports":                       `unknown field "ports": is port or src_port,dst_port meant?`,
		"--by ip":                              "is host, src or dst meant?",
		"--by connection":                      "is conversation meant?",
		"--by procces":                         "is process meant?",
		"--by dts":                             "is dst meant?",
		"--sort byte":                          "is bytes meant?",
		"--output jsn":                         "is json meant?",
		"--output json:x":                      "is json=x meant?",
		"prob":                                 `unexpected argument "prob": is probe meant?`,
		"--ifcae lo":                           "unknown option --ifcae: is --iface meant?",
		"--tmeout 1s":                          "is --timeout meant?",
		"--pcapfile x":                         "is --pcap-file meant?",
		"--out json":                           "unknown option --out: is --output meant?",
		"--sort-by bytes":                      "is --sort meant?",
		"--output web=8080 --output web=8080":  "outputs web=8080 and web=8080 both listen on 8080: give each a port of its own",
		"--output csv,columns=what":            `option columns "what": unknown column "what": there are proto`,
		"--output table,intervals=maybe":       `output table: option intervals "maybe": not true or false`,
		"--exit-over rate=1Gb":                 `unknown unit "Gb": use k, M, G or T, and B, Bps, bit, bps`,
		"--exit-over rat=1G":                   "is rate meant?",
		"-c 10":                                `-c "10": to end after so many packets: --exit-over packets=10; for a path of this name: --cgroup-path 10`,
		"--cgroup-path /nosuch/group":          "--cgroup-path /nosuch/group: no such control group below",
		"--count 10":                           "unknown option --count: --exit-over packets=N ends after so many packets",
		"-b tcx":                               `unknown backend "tcx": there are`,
		"-b pcpa":                              "is pcap meant?",
		"-b tc " + trace:                       "backend tc does not read captures: " + trace,
		trace + " -i lo":                       "-i and " + trace + ": a run counts on interfaces or reads captures",
		trace + " " + trace:                    "is named twice: its packets would count twice",
		"-b tc --by file":                      "backend tc does not know the field file: backend pcap does",
		trace + " --process":                   "backend pcap has no label process",
		"-t 1 -t 2":                            `-t "2": there is a value already, from -t`,
		"probe -x":                             "unknown option -x; try 'pktstat probe --help'",
		"-i lox":                               `interface "lox" does not exist: there are `,
		"-i LO":                                "is lo meant?",
		"-i lo@if3":                            "is lo meant?",
		"-i lo,nosuch0":                        "several have an option each: -i lo -i nosuch0",
		"-i all":                               "-i any counts on all that are up",
		"-i lo nosuch0":                        `unexpected argument "nosuch0": each has an option of its own: -i lo -i nosuch0`,
		"-i lo tcp":                            "packets cannot be filtered",
		"-i !":                                 `-i "!": an interface name is missing`,
		"lo":                                   "to count on this interface: -i lo",
		"--timeout -i lo":                      "option --timeout needs a value, and -i is an option",
		"-i --by=src":                          "option -i needs a value, and --by=src is an option",
		"-X " + trace:                          "unknown option -X: pktstat shows no packets",
		"-XX":                                  "unknown option -XX: pktstat shows no packets",
		"-ni lo":                               "unknown option -ni; try",
		"-T json":                              "unknown option -T: reports are chosen by --output",
		"-Y tcp":                               "packets cannot be filtered",
		"-z conv,tcp":                          "--by conversation counts both directions as one",
		"--no-process":                         "unknown option --no-process: is --process=false meant?",
		"--no-color":                           "NO_COLOR=1 turns colours off",
		"interfaces":                           `unexpected argument "interfaces": ` + "`ip link` lists the interfaces",
		"read " + trace:                        `unexpected argument "read": a capture is an argument: pktstat FILE`,
		"json " + trace:                        `unexpected argument "json": it is chosen by --output json`,
		"--json out.json " + trace:             "there is no such file; to write one: --output json=out.json",
		"--note hello world":                   "text of several words needs quotes: --note 'hello world'",
		"--help=nosuch":                        `no help on "nosuch"`,
		"-j --output plain " + trace:           "outputs json and plain both write to standard output: name a file for one of them, as in --output json=FILE",
		"--by file -i lo":                      "no backend of live traffic knows the field file: backend pcap does",
		"--sort +bytes":                        "is bytes meant?",
		"--output csv,columns=src+":            `option columns "src+": the name of a field is missing`,
		"--output table:columns=src":           "is table,columns=src meant?",
		"--output table=columns=src":           "output table has the option columns: is table,columns=src meant? For a file of this name: table=./columns=src",
		"-k " + trace:                          "-k and " + trace + ": a run counts live traffic or reads captures",
		"--cgroup-path / " + trace:             "--cgroup-path and " + trace + ": a run counts live traffic or reads captures",
		"--netns 1 " + trace:                   "--netns and " + trace + ": a run counts on interfaces or reads captures",
		"10.0.0.1":                             "packets cannot be filtered",
		"10.0.0.0/8":                           "packets cannot be filtered",
		"--output json=" + trace + " " + trace: "output json=" + trace + " would overwrite " + trace + ", which this run reads: name another file",
		trace + " probe":                       `unexpected argument "probe": it is a command of its own: pktstat probe`,
		"probe lo":                             `probe takes no argument: "lo"; for this interface: probe -i lo; try 'pktstat probe --help'`,
		"probe -i nosuch0":                     `interface "nosuch0" does not exist: there are `,
		"probe --jsn":                          "is --json meant?; try 'pktstat probe --help'",
		"-t 1 probe":                           "-t makes no sense before probe",
		"backends -x":                          "unknown option -x; try 'pktstat backends --help'",
		"completion bsh":                       `completion has no "bsh": there are bash, fish, zsh; is bash meant?; try 'pktstat completion --help'`,
		"help prob":                            "is probe meant?",
		"help nosuch":                          `no help on "nosuch": there are all, `,
		"-t10 " + trace:                        "unknown option -t10: is -t 10 meant?",
		"-ilo":                                 "unknown option -ilo: is -i lo meant?",
		"-btc":                                 "unknown option -btc: is -b tc meant?",
		"-jg " + trace:                         "unknown option -jg: is -j -g meant?",
		"--hlep":                               "is --help meant?",
		"--gui":                                "is --tui meant?",
		"-t -5":                                `-t "-5": must not be negative`,
		"-t 1e99":                              "not a duration",
		"--by":                                 "option --by needs a value",
		"--by src dst":                         `unexpected argument "dst": fields are joined by commas: --by src,dst`,
		"--by src+dst":                         `unknown field "src+dst": is src,dst meant?`,
		"--by src,,dst":                        "the name of a field is missing",
		"--by SRC":                             "is src meant?",
		"--by srcport":                         "is src_port meant?",
		"--by mac":                             `unknown field "mac": use any of flow, conversation, pair, proto`,
		"--sort -bytes":                        "is bytes meant?",
		"--sort bytes,packets":                 "it takes one field: bytes",
		"--top all":                            `--top "all": not a whole number; 0 stands for all rows`,
		"--top -1":                             "must be between 0 and 16777216",
		"--max-flows 0":                        "must be between 1 and 16777216",
		"--layer 2":                            "must be frame (layer 2) or ip (layer 3)",
		"--exit-over rate=1GBit/s":             "is 1Gbit meant?",
		"--exit-over rate=10gbps":              "is 10Gbps meant?",
		"--exit-over rate=1mB":                 "is 1MB meant?",
		"--exit-over bytes=1gb":                "is 1GB meant?",
		"--exit-over 1G":                       "must be KEY=VALUE",
		"--exit-over packets=1M/5s":            "packets is of the whole run",
		"--output JSON":                        "is json meant?",
		"--output report.html":                 `unknown output "report.html": there are csv, html, json, ndjson, plain, table, tui, web; is html=report.html meant?`,
		"--output json,csv":                    "each output has an option: --output json --output csv",
		"--output json,prety":                  "is pretty meant?",
		"--output csv,columns=src,dst,bytes":   `output csv has no option "dst": there are columns, intervals, sums; is columns=src+dst+bytes meant?`,
		"--output csv,columns=sorce":           `unknown field "sorce": is source meant?`,
		"--output csv,columns=ports":           "is port or src_port,dst_port meant?",
		"--output web=0,linger=x":              `option linger "x": not a duration: use seconds`,
		"--output web=0,token=a,b":             `output web has no option "b": there are hosts, linger, token, token-file; try`,
		"--json=x.json":                        `--json "x.json": it takes no value; to write a file: --output json=x.json`,
		"--pcap " + trace:                      "a capture is an argument: pktstat FILE",
		"-b pcap":                              "which capture? name it: pktstat FILE",
		"-c 10 -k":                             "--exit-over packets=10",
		"version now":                          `version takes no argument: "now"`,
	} {
		t.Run(typed, func(t *testing.T) {
			mistaken(t, want, strings.Fields(typed)...)
		})
	}
	t.Run("one word", func(t *testing.T) {
		mistaken(t, `unexpected argument "host 10.0.0.1 and port 80": packets cannot be filtered`, trace, "host 10.0.0.1 and port 80")
		mistaken(t, `unknown field "src dst": is src,dst meant?`, "--by", "src dst")
		mistaken(t, `-c "": the value is empty`, "-c", "")
		mistaken(t, `--user-file "": the value is empty`, "--user-file", "", trace)
		mistaken(t, `--sort "": the name of a field is missing`, "--sort", "")
		mistaken(t, `"1 Gbit" is not an amount`, "--exit-over", "rate=1 Gbit")
	})
	if after, err := os.ReadFile(trace); err != nil || !bytes.Equal(after, data) {
		t.Errorf("the capture was changed: %v", err)
	}
}

// mistaken runs pktstat, and fails unless it prints one line with text and exits with wrong usage.
func mistaken(t *testing.T, text string, args ...string) {
	t.Helper()
	got := finish(t, pktstat(t, args...))
	if got.code != exitUsage || got.stdout != "" || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, text) {
		t.Errorf("%q: exit code %d, stdout %q; stderr, want one line with %q:\n%s", args, got.code, got.stdout, text, got.stderr)
	}
}

// TestAsOthersDo: command lines in the style of other tools that work.
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
		{capture + " --help", "The options used most", ""},
		{"-i lo --help", "The options used most", ""},
		{"--help=tc", "Backend tc", ""},
		{"--note -5 -j " + capture, `"note":"-5"`, ""},
		{"--exit-over rate=1Gbit/s/5s -j " + capture, `"packets":38`, ""},
		{"help by", "--by FIELDS", ""}, {"help --by", "--by FIELDS", ""}, {"--help --by", "--by FIELDS", ""}, {"--help -t", "--timeout", ""},
		{"--by sport -j " + capture, `"by":["src_port"]`, ""},
		{"--sort rate --output csv,columns=source+sport " + capture, "row,src,src_port\n", ""},
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
