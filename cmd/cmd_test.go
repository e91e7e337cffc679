package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/pktstat/pktstat/flow"
	"github.com/pktstat/pktstat/internal/count/engine"
	"github.com/pktstat/pktstat/registry"
)

// TestErrors: each mistake gives one line on standard error, and an exit code.
func TestErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "out")
	for _, tc := range []struct {
		name string
		args string // separated by spaces
		code int
		want string // part of the line
	}{
		{"unknown option", "--nonsense", 2, "unknown option --nonsense; try"},
		{"mistyped option", "--ifac lo", 2, "unknown option --ifac: is --iface meant?"},
		{"unknown short option", "-Q", 2, "unknown option -Q"},
		{"no value", "--timeout", 2, "option --timeout needs a value"},
		{"stray argument", "nosuch0", 2, `unexpected argument "nosuch0": a capture is named by its file, and an interface with -i`},
		{"options after a stray argument", "nosuch0 -t 1s", 2, `unexpected argument "nosuch0"`},
		{"stray argument after options", "-t 1s lo", 2, `unexpected argument "lo"`},
		{"stray argument after --", "-- lo", 2, `unexpected argument "lo"`},
		{"stray argument with help", "-h extra", 2, `no help on "extra": there are all, options, grouping, probe, verify, backends,`},
		{"stray argument with a sub-command's help", "probe -h extra", 2, `no help on "extra": there are all`},
		{"help on nothing", "help extra", 2, `no help on "extra": there are all`},
		{"a value twice", "--reader-file a --reader-file b", 2, `--reader-file "b": there is a value already, from --reader-file, and the option takes one only`},
		{"the same value twice", "-t 1s -t 1s", 2, `-t "1s": there is a value already, from -t`},
		{"a value under two names", "--max-flows 1 --max_flows=2", 2, `--max_flows "2": there is a value already, from --max-flows`},
		{"a value and a shorthand's", "--spare-attach-mode a -c b", 2, `-c "b": there is a value already, from --spare-attach-mode`},
		{"a contradiction", "--live-fast --live-fast=false", 2, `--live-fast "false": contradicts --live-fast`},
		{"an output's option twice", "-b live --output final,title=a,title=b", 2, `output final: option title "b": there is a value already, from title=a`},
		{"a sub-command's option twice", "probe --netns a --netns b", 2, `--netns "b": there is a value already`},
		{"duration", "-t ten", 2, `-t "ten": not a duration: use seconds, or a number with a unit`},
		{"negative timeout", "--timeout=-1s", 2, `--timeout "-1s": must not be negative; 0 means until a signal`},
		{"refresh 0", "-r 0", 2, `-r "0": must be at least 1ms`},
		{"refresh", "--refresh fast", 2, `--refresh "fast": not a duration`},
		{"by", "--by src,colour", 2, `unknown field "colour": use any of flow, conversation, pair, proto, src, src_port, dst,`},
		{"sort", "--sort colour", 2, `unknown sort field "colour": there are proto, src, src_port,`},
		{"top", "--top -1", 2, `--top "-1": must be between 0 and`},
		{"layer", "--layer bits", 2, `--layer "bits": must be frame (layer 2) or ip (layer 3)`},
		{"max-flows 0", "--max-flows 0", 2, `must be between 1 and 16777216`},
		{"max-flows too large", "--max-flows 99999999999999999999", 2, `must be between 1 and 16777216`},
		{"max-flows no number", "--max_flows 1e6", 2, `--max_flows "1e6": not a whole number`},
		{"empty interface", "-i !", 2, "an interface name is missing"},
		{"interface pattern", "-i veth[", 2, `--iface "veth["`},

		{"unknown backend", "-b warp", 2, `unknown backend "warp": there are live, reader, spare, auto`},
		{"two backends", "-b live -x", 2, "--backend live and -x ask for two backends"},
		{"option's value", "--live-snap much", 2, `--live-snap "much"`},
		{"option of another backend", "-b live --spare-fast", 2, "--spare-fast is an option of backend spare, but backend live is chosen"},
		{"wanted and named differ", "-b live --reader-file x", 2, "--reader-file is an option of backend reader, but backend live is chosen (--backend live)"},
		{"option of another backend than auto's", "--spare-fast -t 1s", 2, "--spare-fast is an option of backend spare, but backend live is chosen (by --backend auto): name it with --backend spare"},
		{"interface of a reader", "--reader-file x -i lo", 2, "backend reader (--reader-file) does not count on interfaces"},
		{"layer that is not seen", "-b spare --layer frame", 2, "backend spare: --layer=frame"},

		{"unknown output", "--output poster", 2, `unknown output "poster": there are each, final, page, screen, table`},
		{"output without a name", "--output =file", 2, "the output's name is missing"},
		{"unknown option of an output", "--output final,colour=red", 2, `output final has no option "colour": there are title, wide`},
		{"option of an output without a value", "--output final,title", 2, "option title needs a value"},
		{"wrong option of an output", "--output final,wide=perhaps", 2, `output final: option wide "perhaps"`},
		{"screen without a terminal", "--output screen", 2, "output screen needs a terminal on standard output"},
		{"two outputs on stdout", "-b live --output table --output final", 2, "outputs final and table both write to standard output"},
		{"shorthand and output on stdout", "-b live --output table -f", 2, "both write to standard output"},
		{"two outputs on a file", "-b live --output table=" + file + " --output final=" + dir + "/./out", 2, "both write to " + fmt.Sprintf("%q", file)},

		{"no shell", "completion", 2, "completion needs an argument: bash, fish, zsh"},
		{"another shell", "completion csh", 2, `completion has no "csh": there are bash, fish, zsh`},
		{"two shells", "completion bash zsh", 2, `completion takes one argument: "zsh"`},
		{"another page", "man tc", 2, `man has no "tc": there are fields, pktstat`},
		{"options before man", "-t 1s man", 2, "-t makes no sense before man"},
		{"config with an argument", "config x", 2, `config takes no argument: "x"`},
		{"sub-command with an argument", "backends tc", 2, `backends takes no argument: "tc"`},
		{"probe with an argument", "probe eth0", 2, `probe takes no argument: "eth0"`},
		{"options before probe", "-i lo probe", 2, "-i makes no sense before probe"},
		{"sub-command with an option", "outputs --xml", 2, "unknown option --xml"},
		{"options before a sub-command", "-t 1s outputs", 2, "-t makes no sense before outputs"},

		{"missing interface", "-b live -i nosuch0", 2, `interface "nosuch0" does not exist: there are `},
		{"missing directory", "-b live -i lo --output final=" + dir + "/no/out", 1, fmt.Sprintf("the directory %q does not exist", dir+"/no")},
		{"directory as target", "-b live -i lo --output final=" + dir, 1, "it is a directory"},
		{"full disk", "--reader-file x --output final=/dev/full", 5, "no space left on device"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			code := b.run(t.Context(), strings.Fields(tc.args)...)
			lines := strings.Split(strings.TrimSuffix(b.stderr.String(), "\n"), "\n")
			// If counting began, a line reports that.
			if tc.code == exitOutput && strings.HasPrefix(lines[0], "counting on ") {
				lines = lines[1:]
			}
			if code != tc.code || len(lines) != 1 || !strings.Contains(lines[0], tc.want) || !strings.HasPrefix(lines[0], "pktstat: ") {
				t.Errorf("pktstat %s: exit code %d, want %d; stderr, want one line with %q:\n%s", tc.args, code, tc.code, tc.want, b.stderr.String())
			}
			if b.stdout.Len() > 0 {
				t.Errorf("an error wrote to stdout: %q", b.stdout.String())
			}
			if hint := helpHint.MatchString(lines[0]); hint != (tc.code == exitUsage) {
				t.Errorf("hint at --help: %t: %s", hint, lines[0])
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("files left in the directory: %v, %v", left, err)
			}
		})
	}
}

// TestOptions: the effect of options on the backend and the output.
func TestOptions(t *testing.T) {
	for _, tc := range []struct {
		name, args string
		backend    string // arguments of the chosen backend's Open
		output     string // the last line of stdout
	}{
		{"one output", "--reader-file x", "file=x mode=auto fast=false snap=96", `final=true packets=1 backend=reader title="" wide=false`},
		{"equals sign", "--reader-file=x --reader-snap=7", "file=x mode=auto fast=false snap=7", `backend=reader`},
		{"underscores", "--reader_file x --reader_attach_mode=a", "file=x mode=a fast=false snap=96", "backend=reader"},
		{"a flag without a value", "--reader-fast --reader-file x", "file=x mode=auto fast=true snap=96", "backend=reader"},
		{"named and wanted agree", "-b reader --reader-file x", "file=x mode=auto fast=false snap=96", "backend=reader"},
		{"options of an output", `--reader-file x --output final,title=a\,b,wide`, "file=x mode=auto fast=false snap=96", `title="a,b" wide=true`},
		{"stdout by its name", "--reader-file x --output final=-,wide=false", "file=x mode=auto fast=false snap=96", `wide=false`},
		{"shorthand of an output", "--reader-file x -f --final", "file=x mode=auto fast=false snap=96", `backend=reader`},
		{"shorthand with a value", "--reader-file x --titled T", "file=x mode=auto fast=false snap=96", `title="T"`},
		{"shorthand of a backend", "-x -t 10ms", "file= mode=auto fast=false snap=96", "backend=spare"},
		{"its long form", "--spare -t 10ms", "file= mode=auto fast=false snap=96", "backend=spare"},
		{"switched off", "--spare=false --reader-file x", "file=x mode=auto fast=false snap=96", "backend=reader"},
		{"shorthand of a backend with a value", "-c native -t 10ms", "file= mode=native fast=false snap=96", "backend=spare"},
		{"auto", "-i lo -t 10ms", "file= mode=auto fast=false snap=96", "backend=live"},
		{"auto and an option of what it takes", "--live-fast -i lo -t 10ms", "file= mode=auto fast=true snap=96", "backend=live"},
		{"names of one option mixed", "-i lo --iface lo -t 10ms", "file= mode=auto fast=false snap=96", "backend=live"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			if code := b.run(t.Context(), strings.Fields(tc.args)...); code != 0 {
				t.Fatalf("exit code %d: %s", code, b.stderr.String())
			}
			if len(b.log) != 1 || b.log[0] != tc.backend {
				t.Errorf("opened %q, want %q", b.log, tc.backend)
			}
			if !strings.Contains(b.stdout.String(), tc.output) {
				t.Errorf("stdout %q, want %q", b.stdout.String(), tc.output)
			}
			if n := strings.Count(b.stderr.String(), "\n"); n != 1 || !strings.HasPrefix(b.stderr.String(), "counting on ") {
				t.Errorf("stderr: %s", b.stderr.String())
			}
		})
	}
}

// TestAuto: auto chooses the best backend, or returns a useful error.
func TestAuto(t *testing.T) {
	no := func(err error) registry.ProbeResult { return registry.ProbeResult{Verdict: registry.No, Err: err} }
	denied := registry.NeedCaps(syscall.EPERM, "cap_bpf", "cap_net_admin")
	lacking := fmt.Errorf("hook: %w", registry.ErrUnsupported)
	for _, tc := range []struct {
		name        string
		live, spare registry.ProbeResult
		open        error // result of live's Open
		root        bool
		code        int
		want        string // part of stderr
		debug       string // about the other backend, with --debug
	}{
		{name: "cheapest", want: "counting on lo (live, fake); chosen by auto: the cheapest that works here\n", debug: "spare is not taken: works here too, cost: copy"},
		{name: "inconclusive comes later", live: registry.ProbeResult{Verdict: registry.Inconclusive}, want: "counting on all traffic (spare, fake); chosen by auto: the cheapest that works here\n", debug: "live is not taken: may not work: its probe was inconclusive, cost: qdisc"},
		{name: "inconclusive is better than nothing", live: registry.ProbeResult{Verdict: registry.Inconclusive}, spare: no(lacking), want: "(live, fake); chosen by auto: the cheapest that may work here, as its probe was inconclusive\n", debug: "spare is not taken: hook: not supported"},
		{name: "unsupported is dropped", live: no(lacking), want: "counting on all traffic (spare, fake); chosen by auto: the cheapest that works here\n", debug: "live is not taken: hook: not supported"},
		{name: "a cheaper one lacks a permission", live: no(denied), want: "counting on all traffic (spare, fake); chosen by auto: the cheapest that works with these permissions\n", debug: "live is not taken: needs root or cap_bpf,cap_net_admin: operation not permitted"},
		{name: "next if it cannot be opened", open: lacking, want: "counting on all traffic (spare, fake); chosen by auto: the cheapest that could be opened here\n", debug: "live is not taken: could not be opened: hook: not supported"},
		{name: "none", live: no(lacking), spare: no(errors.New("broken")), code: 3, want: "pktstat: backend live: hook: not supported\n"},
		{name: "none, and the checks tell", spare: no(lacking), code: 3,
			live: registry.ProbeResult{Verdict: registry.No, Checks: []registry.Check{
				{Name: "kernel"}, {Name: "TCX", Verdict: registry.No, Reason: "needs 6.6", Remedy: "use another"},
			}},
			want: "pktstat: backend live: TCX: not supported: needs 6.6: use another\n"},
		{name: "permission is the best remedy", live: no(lacking), spare: no(denied), code: 4,
			want: "pktstat: backend spare: needs root or cap_bpf,cap_net_admin: operation not permitted; " +
				"run it as root, or once: sudo setcap cap_bpf,cap_net_admin=+ep /opt/pktstat\n"},
		{name: "root without permission", live: no(denied), spare: no(lacking), root: true, code: 4,
			want: "cap_bpf,cap_net_admin: operation not permitted; root lacks them here: in a container, add them\n"},
		{name: "permission at open", open: denied, spare: no(lacking), code: 4, want: "sudo setcap cap_bpf,cap_net_admin=+ep /opt/pktstat\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			b.Root = tc.root
			b.live.probe, b.spare.probe, b.live.open = tc.live, tc.spare, tc.open
			// spare does not work on interfaces. Without -i, both are candidates.
			code := b.run(t.Context(), "-t", "10ms")
			got := strings.ReplaceAll(b.stderr.String(), "counting on "+defaultInterface(t)+" (", "counting on lo (")
			if code != tc.code || !strings.HasSuffix(got, tc.want) || strings.Count(got, "\n") != 1 {
				t.Errorf("exit code %d, want %d; stderr, want %q:\n%s", code, tc.code, tc.want, got)
			}

			b.run(t.Context(), "-t", "10ms", "--debug")
			if want := "debug: backend " + tc.debug + "\n"; tc.debug != "" && !strings.Contains(b.stderr.String(), want) {
				t.Errorf("--debug does not say %q:\n%s", want, b.stderr.String())
			}
			rejected := tc.live.Verdict == registry.No || tc.open != nil
			if said := strings.Contains(b.stderr.String(), "debug: backend live: "); said != rejected {
				t.Errorf("--debug about a rejected backend: %t, want %t:\n%s", said, rejected, b.stderr.String())
			}
		})
	}
}

func TestNoLiveBackend(t *testing.T) {
	b := newBench(t)
	delete(b.registered, "live")
	delete(b.registered, "spare")
	if code := b.run(t.Context()); code != 2 || !strings.Contains(b.stderr.String(), "no backend of this build counts live traffic") {
		t.Errorf("exit code %d: %s", code, b.stderr.String())
	}
}

// TestTimeout: the default timeout is for live traffic with outputs that no user watches.
func TestTimeout(t *testing.T) {
	live := []engine.Candidate{{Backend: registry.Backend{Clock: registry.ClockWall}}}
	capture := []engine.Candidate{{Backend: registry.Backend{Clock: registry.ClockSource}}}
	given := &commandLine{timeout: time.Minute, timeoutSet: true}
	initial := &commandLine{timeout: defaultTimeout}
	screen := []*plannedOutput{{output: registry.Output{TTY: true}}}
	for _, tc := range []struct {
		cl   *commandLine
		c    []engine.Candidate
		p    []*plannedOutput
		want time.Duration
	}{
		{initial, live, nil, defaultTimeout}, {initial, capture, nil, 0}, {initial, live, screen, 0},
		{given, live, nil, time.Minute}, {given, capture, nil, time.Minute}, {given, live, screen, time.Minute},
	} {
		if got := timeout(tc.cl, tc.c, tc.p); got != tc.want {
			t.Errorf("timeout %v, want %v", got, tc.want)
		}
	}
}

func TestExitCode(t *testing.T) {
	output := fmt.Errorf("%w: json: %w", engine.ErrOutput, syscall.ENOSPC)
	for _, tc := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{fmt.Errorf("a: %w", registry.ErrUsage), 2},
		{fmt.Errorf("a: %w", registry.ErrUnsupported), 3},
		{fmt.Errorf("a: %w", registry.NeedCaps(nil, "cap_bpf")), 4},
		{output, 5},
		{fmt.Errorf("%w: %w", engine.ErrOutput, registry.ErrUsage), 5},
		{multierror.Append(output, output), 5},
		{multierror.Append(output, errors.New("x")), 1},
		{multierror.Append(registry.ErrUnsupported, output), 3},
		{&signalError{syscall.SIGINT}, 130},
		{&engine.OverError{}, 10},
		{multierror.Append(output, &engine.OverError{}), 10},
	} {
		if got := exitCode(tc.err); got != tc.want {
			t.Errorf("%v: exit code %d, want %d", tc.err, got, tc.want)
		}
	}
}

// TestSeveralErrors: each error has one line.
func TestSeveralErrors(t *testing.T) {
	b := newBench(t)
	s := &session{App: &b.App, console: newConsole(&b.App)}
	code := s.exit(multierror.Append(fmt.Errorf("first%stwo lines", "\n\tof "), fmt.Errorf("%w: json", engine.ErrOutput)))
	if want := "pktstat: first; of two lines\npktstat: output failed: json\n"; code != 1 || b.stderr.String() != want {
		t.Errorf("exit code %d, stderr %q, want %q", code, b.stderr.String(), want)
	}
}

// TestListings: the listings have everything in the registries, as text and as JSON.
func TestListings(t *testing.T) {
	for _, tc := range []struct {
		args string
		want []string
	}{
		{"backends", []string{"live: live traffic\n", "abilities  ingress, egress, live, interfaces\n", "cost       qdisc\n", "bytes      ip, frame\n",
			"clock      source\n", "-x, --spare", "-c STRING", "--reader-file FILE", "selects the backend", "--reader-snap BYTES", "(default: 96)", "--reader-fast  "}},
		{"backends --json", []string{`"schema": "pktstat.backends/v1"`, `"name": "--reader-file"`, `"selects": true`, `"default": "96"`}},
		{"outputs", []string{"each: a stream\n", "a report every --refresh, then the final one\n", "a terminal\n", "40, or --top\n", "-f, --final", "title=TEXT", "wide "}},
		{"outputs -j", []string{`"schema": "pktstat.outputs/v1"`, `"interval"`, `"terminal": true`, `"name": "title"`}},
		{"fields", []string{"NAME ", "\nsrc_port          uint         dimension      7  yes  Source port: source port; also sport\n", "\nuid               uint         label"}},
		{"fields --json", []string{"[\n", `"name": "src_port"`, `"sport"`}},
		{"--help", []string{"Usage:\n", "probe, verify, backends, outputs, labels, fields, config, man,\n", "Examples:\n", "pktstat --reader-file FILE\n",
			"-t, --timeout DURATION     end after this time, like 10 (seconds), 5m or 1h30m\n", "--reader-file FILE", "-f, --final", "-?", "--help all"}},
		{"--help all", []string{"Usage:\n", "pktstat fields [--json]", "Examples:\n", "-t, --timeout DURATION", "Backend reader: captures:\n", "-?", "10                         a threshold"}},
		{"help all", []string{"Backend spare: live traffic, dearer:\n"}},
		{"--help grouping", []string{"Grouping:\n", "--by FIELDS"}},
		{"help spare", []string{"Backend spare: live traffic, dearer\n", "abilities", "--spare-snap BYTES"}},
		{"help final", []string{"Output final: a file\n", "title=TEXT"}},
		{"help fields", []string{"pktstat fields lists"}},
		{"man --help", []string{"fields, pktstat."}},
		{"config --help", []string{"prints the options that a count would have"}},
		{"completion --help", []string{"bash, fish, zsh."}},
		{"-?", []string{"Usage:\n"}},
		{"-h", []string{"Usage:\n"}},
		{"help", []string{"Usage:\n"}},
		{"help probe", []string{"pktstat probe tries out"}},
		{"-h probe", []string{"pktstat probe tries out"}},
		{"-t 1s --help", []string{"Usage:\n"}},
		{"backends --help", []string{"pktstat backends lists the backends of this build with their options", "--json"}},
		{"fields --help", []string{"pktstat fields lists the fields of the rows of reports", "--json"}},
		{"probe --help", []string{"pktstat probe tries out", "-i, --iface NAME", "--json"}},
		{"probe", []string{"Backends:\n", "reader: supported\n", "\nMachine: Linux "}},
		{"--version", []string{"pktstat "}},
	} {
		b := newBench(t)
		if code := b.run(t.Context(), strings.Fields(tc.args)...); code != 0 || b.stderr.Len() > 0 {
			t.Errorf("%s: exit code %d, stderr %q", tc.args, code, b.stderr.String())
		}
		for _, w := range tc.want {
			if !strings.Contains(b.stdout.String(), w) {
				t.Errorf("%s: no %q in\n%s", tc.args, w, b.stdout.String())
			}
		}
		for _, l := range strings.Split(b.stdout.String(), "\n") {
			if len(l) > helpWidth && !strings.HasSuffix(tc.args, "-j") && !strings.HasSuffix(tc.args, "--json") {
				t.Errorf("%s: %d columns: %s", tc.args, len(l), l)
			}
		}
	}
}

// TestTopOfOutputs: --top applies to every output. Without it, each output's own limit applies.
func TestTopOfOutputs(t *testing.T) {
	for _, tc := range []struct {
		cl   commandLine
		want int
	}{{commandLine{}, 40}, {commandLine{top: 3, topSet: true}, 3}, {commandLine{top: 0, topSet: true}, 0}} {
		b := newBench(t)
		s := &session{App: &b.App, console: newConsole(&b.App)}
		planned, _, err := s.planOutputs(&tc.cl)
		if err != nil {
			t.Fatal(err)
		}
		open, err := s.openOutputs(t.Context(), &tc.cl, planned, registry.ClockWall)
		if err != nil {
			t.Fatal(err)
		}
		if open[0].Top != tc.want {
			t.Errorf("top %d, want %d", open[0].Top, tc.want)
		}
		open.close()
	}
}

// TestDeclaredTwice: two plugins that declare the same option cannot be in one binary.
func TestDeclaredTwice(t *testing.T) {
	for _, sh := range []registry.Shorthand{{Name: "i"}, {Name: "h"}, {Long: "live-fast"}, {Long: "max_flows"}, {Name: "o", Option: "none"}} {
		b := newBench(t)
		b.Backends.Register("live", b.registered["live"])
		b.Backends.Register("other", registry.Backend{
			Shorthands: []registry.Shorthand{sh}, New: func() registry.BackendConfig { return b.spare },
		})
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was mounted", sh)
				}
			}()
			newCommandLine(&b.App)
		}()
	}
}

func TestFieldNames(t *testing.T) {
	for _, f := range flow.DimNames() {
		if _, err := flow.ParseDims(f); err != nil {
			t.Error(err)
		}
	}
}

// helpHint matches the end of a line about wrong usage.
var helpHint = regexp.MustCompile(`; try 'pktstat( [a-z]+)? --help'$`)
