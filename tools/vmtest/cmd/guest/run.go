package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pktstat/pktstat/tools/vmtest/protocol"
)

// drainTime is how long to wait for output of a process that outlives its run.
const drainTime = 2 * time.Second

// run does one run. It returns only errors of the serial line.
func run(line io.Writer, index int, r protocol.Run) error {
	if err := protocol.Write(line, protocol.Event{Kind: protocol.Start, Run: index}); err != nil {
		return err
	}
	exit := protocol.Event{Kind: protocol.Exit, Run: index}
	start := time.Now()
	if err := command(line, r); err != nil {
		exit.Text = err.Error()
	}
	exit.Seconds = time.Since(start).Seconds()
	// Kill processes that outlived the run. Signal -1 spares the caller and the first process.
	if err := unix.Kill(-1, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	if err := sendFiles(line, index); err != nil {
		return err
	}
	return protocol.Write(line, exit)
}

func command(output io.Writer, r protocol.Run) error {
	ctx, cancel := context.WithTimeout(context.Background(), r.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.Args[0], r.Args[1:]...)
	cmd.Dir, cmd.Env = r.Dir, r.Env
	// A pipe, because programs behave differently on a terminal.
	both := struct{ io.Writer }{output}
	cmd.Stdout, cmd.Stderr = both, both
	cmd.WaitDelay = drainTime
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // the run exited with 0, but its child still has the pipe
	}
	if ctx.Err() != nil {
		return errors.New("killed after " + r.Timeout.String())
	}
	return err
}

// sendFiles sends the files in the run's output directory, and removes them.
func sendFiles(line io.Writer, index int) error {
	return filepath.WalkDir(protocol.OutDir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(protocol.OutDir, p)
		if err != nil {
			return err
		}
		if err := os.Remove(p); err != nil {
			return err
		}
		return protocol.Write(line, protocol.Event{Kind: protocol.File, Run: index, Text: name, Data: content})
	})
}
