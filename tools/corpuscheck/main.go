// Command corpuscheck compares pktstat with two other readers, for all captures in folders (make
// corpus-check DIR=...):
//
//   - a reader that follows docs/accounting.md only. Every row and counter must be equal.
//   - tshark. Its differences are summed up by kind, for people to judge.
//
// The exit code is 1 if pktstat and the first reader differ, or if tshark has other frame lengths.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

func main() {
	var opt options
	flag.StringVar(&opt.pktstat, "pktstat", "bin/pktstat", "`binary` of pktstat")
	flag.StringVar(&opt.tshark, "tshark", "tshark", "`binary` of tshark; empty: leave it out")
	flag.IntVar(&opt.jobs, "j", 2, "captures at the same time")
	flag.DurationVar(&opt.limit, "limit", 2*time.Minute, "time for one capture and one reader")
	flag.Parse()
	if flag.NArg() == 0 {
		_, _ = fmt.Fprintln(os.Stderr, "usage: corpuscheck [-pktstat BIN] [-tshark BIN] DIR...")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := check(ctx, opt, flag.Args(), os.Stdout)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "corpuscheck:", err)
	}
	if err != nil || !ok {
		os.Exit(1) //nolint:gocritic // stop only restores the signal's handler
	}
}

type options struct {
	pktstat, tshark string
	jobs            int
	limit           time.Duration
}

// check compares all files below dirs, and writes the differences and a summary.
func check(ctx context.Context, opt options, dirs []string, out io.Writer) (bool, error) {
	names, err := files(dirs)
	if err != nil {
		return false, err
	}
	queue := make(chan string)
	go func() {
		defer close(queue)
		for _, n := range names {
			select {
			case queue <- n:
			case <-ctx.Done():
				return
			}
		}
	}()
	var sum summary
	var wg sync.WaitGroup
	for range max(opt.jobs, 1) {
		wg.Go(func() {
			for name := range queue {
				sum.add(out, name, checkFile(ctx, opt, name))
			}
		})
	}
	wg.Wait()
	sum.write(out)
	return sum.differ == 0 && sum.failed == 0, ctx.Err()
}

// files returns every regular file below dirs.
func files(dirs []string) ([]string, error) {
	var names []string
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				names = append(names, path)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look for captures: %w", err)
		}
	}
	return names, nil
}

// outcome is the result for one file.
type outcome struct {
	foreign bool // not a capture
	packets int
	unread  bool // the reader does not know the link type
	refused string
	diffs   []string
	kinds   map[string]int // how tshark differs
	tshark  string         // why tshark was not compared
	err     error
}

func checkFile(ctx context.Context, opt options, name string) outcome {
	recs, err := readCapture(name)
	if errors.Is(err, errForeign) {
		return outcome{foreign: true}
	}
	if err != nil && !errors.Is(err, errDamaged) {
		return outcome{err: err}
	}
	ours, err := func() (ours, error) {
		ctx, stop := context.WithTimeout(ctx, opt.limit)
		defer stop()
		return runOurs(ctx, opt.pktstat, name)
	}()
	if err != nil {
		return outcome{err: err}
	}
	res := outcome{packets: len(recs), refused: ours.refused}
	if ours.refused != "" {
		return res
	}
	want, all := make([]counted, len(recs)), true
	for i, r := range recs {
		want[i] = readFrame(r)
		all = all && want[i].read
	}
	res.diffs = compareTimes(ours, recs)
	switch {
	case all:
		res.diffs = append(res.diffs, compareRows(ours, want)...)
	case ours.total.packets != uint64(len(recs)):
		res.diffs = append(res.diffs, fmt.Sprintf("packets: pktstat %d, reader %d", ours.total.packets, len(recs)))
	}
	res.unread = !all
	if opt.tshark == "" {
		return res
	}
	tctx, stop := context.WithTimeout(ctx, opt.limit)
	defer stop()
	pkts, err := runTshark(tctx, opt.tshark, name)
	switch {
	case len(pkts) < len(recs) && err != nil:
		res.tshark = err.Error()
	case len(pkts) != len(recs):
		res.diffs = append(res.diffs, fmt.Sprintf("packets: tshark %d, reader %d", len(pkts), len(recs)))
	}
	res.kinds = compareTshark(want, pkts)
	res.diffs = append(res.diffs, compareLengths(recs, pkts)...)
	return res
}

// summary adds up outcomes. Its methods may be called concurrently.
type summary struct {
	mu                             sync.Mutex
	captures, packets, differ      int
	unread                         int
	foreign, failed, tsharkRefused int
	refused                        map[string]int
	kinds                          map[string]int
	example                        map[string]string
}

// maxDiffs is the limit of differences that are written for a file.
const maxDiffs = 6

func (s *summary) add(out io.Writer, name string, o outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kinds == nil {
		s.refused, s.kinds, s.example = map[string]int{}, map[string]int{}, map[string]string{}
	}
	switch {
	case o.foreign:
		s.foreign++
		return
	case o.err != nil:
		s.failed++
		_, _ = fmt.Fprintf(out, "%s: %v\n", name, o.err)
		return
	case o.refused != "":
		s.refused[reason(o.refused)]++
		s.remember(reason(o.refused), name)
		return
	}
	s.captures++
	s.packets += o.packets
	if o.unread {
		s.unread++
	}
	if o.tshark != "" {
		s.tsharkRefused++
	}
	for kind, n := range o.kinds {
		s.kinds[kind] += n
		s.remember(kind, name)
	}
	if len(o.diffs) == 0 {
		return
	}
	s.differ++
	_, _ = fmt.Fprintf(out, "%s:\n", name)
	for _, d := range o.diffs[:min(len(o.diffs), maxDiffs)] {
		_, _ = fmt.Fprintf(out, "    %s\n", d)
	}
	if n := len(o.diffs) - maxDiffs; n > 0 {
		_, _ = fmt.Fprintf(out, "    and %d more\n", n)
	}
}

func (s *summary) remember(kind, name string) {
	if s.example[kind] == "" {
		s.example[kind] = name
	}
}

func (s *summary) write(out io.Writer) {
	_, _ = fmt.Fprintf(out, "%d captures, %d packets: %d differ from the reader of docs/accounting.md, %d could not be compared\n",
		s.captures, s.packets, s.differ, s.failed)
	_, _ = fmt.Fprintf(out, "%d captures have link types that the reader does not know: their packets are compared, not their rows\n", s.unread)
	_, _ = fmt.Fprintf(out, "%d files are no captures; tshark ended early on %d captures\n", s.foreign, s.tsharkRefused)
	section(out, "captures that pktstat refuses", s.refused, s.example)
	section(out, "packets that tshark reads otherwise", s.kinds, s.example)
}

func section(out io.Writer, title string, kinds map[string]int, example map[string]string) {
	if len(kinds) == 0 {
		return
	}
	_, _ = fmt.Fprintf(out, "%s:\n", title)
	names := slices.SortedFunc(maps.Keys(kinds), func(a, b string) int { return kinds[b] - kinds[a] })
	for _, k := range names {
		_, _ = fmt.Fprintf(out, "%8d  %s, such as in %s\n", kinds[k], k, filepath.Base(example[k]))
	}
}

// reason removes the file's name from a message.
func reason(message string) string {
	for i := len(message) - 1; i > 0; i-- {
		if message[i-1] == ':' && message[i] == ' ' {
			return message[i+1:]
		}
	}
	return message
}
