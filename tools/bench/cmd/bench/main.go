// Command bench measures the cost of counting, and writes a Markdown report to stdout. `make bench`
// runs it; docs/performance.md explains it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	_ "github.com/pktstat/pktstat/backends/cgroup"
	_ "github.com/pktstat/pktstat/backends/kprobe"
	_ "github.com/pktstat/pktstat/backends/tc"
	_ "github.com/pktstat/pktstat/backends/xdp"
	"github.com/pktstat/pktstat/tools/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c := bench.Config{
		Hooks: []bench.Hook{bench.HookTC, bench.HookXDP},
		Scale: bench.Full(),
		Progress: func(format string, args ...any) {
			_, _ = fmt.Fprintf(stderr, format+"\n", args...)
		},
	}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	var flows []int
	quick := fs.Bool("quick", false, "run everything once, in seconds; the figures mean nothing")
	rounds := fs.Int("rounds", 0, "rounds (default 11)")
	jsonFile := fs.String("json", "", "also write all rounds to `FILE`")
	fs.StringVar(&c.Root, "root", ".", "`DIR`ectory of the repository")
	fs.IntVar(&c.CPU, "cpu", runtime.NumCPU()-1, "CPU that programs run on")
	fs.Func("peer", "measure another project's program too; repeatable: "+bench.PeerUsage, func(s string) error {
		p, err := bench.ParsePeer(s)
		if err == nil {
			c.Peers = append(c.Peers, p)
		}
		return err
	})
	fs.Func("against", "measure the programs of another checkout too, `NAME=DIR`; repeatable", func(s string) error {
		name, dir, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("want NAME=DIR")
		}
		c.Against = append(c.Against, bench.Checkout{Name: name, Root: dir})
		return nil
	})
	fs.Func("flows", "numbers of flows, powers of two (default 1,1024,65536,1048576,4194304)", func(s string) error {
		flows = nil
		for _, f := range strings.Split(s, ",") {
			n, err := strconv.Atoi(f)
			if err != nil || n <= 0 || n&(n-1) != 0 || n > bench.MaxFlows {
				return fmt.Errorf("%q is not a power of two up to %d", f, bench.MaxFlows)
			}
			flows = append(flows, n)
		}
		return nil
	})
	fs.Func("hooks", "hooks to measure (default tc,xdp)", func(s string) error {
		c.Hooks = nil
		for _, h := range strings.Split(s, ",") {
			c.Hooks = append(c.Hooks, bench.Hook(h))
		}
		return nil
	})
	fs.Func("only", "experiments to run, of "+strings.Join(bench.Experiments(), ",")+" (default all)", func(s string) error {
		c.Experiments = strings.Split(s, ",")
		return nil
	})
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if *quick {
		c.Scale = bench.Quick()
	}
	if flows != nil {
		c.Scale.Flows = flows
	}
	if *rounds > 0 {
		c.Scale.Rounds = *rounds
	}
	result, err := bench.Run(ctx, c)
	if result == nil {
		return err
	}
	result.Judge()
	if err := result.WriteMarkdown(stdout); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if *jsonFile != "" {
		if err := writeFile(*jsonFile, result.WriteJSON); err != nil {
			return err
		}
	}
	return err
}

func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.Create(filepath.Clean(path))
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	return write(f)
}
