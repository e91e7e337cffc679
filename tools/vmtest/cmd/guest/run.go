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

// drainTime is how long output is waited for that a process left behind might write.
const drainTime = 2 * time.Second

// run does one run. Only what goes wrong with the line is an error.
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
	// What the run left behind must not disturb the next one. This spares the caller and the first process.
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
	// A pipe between, because output to a terminal would be another matter.
	both := struct{ io.Writer }{output}
	cmd.Stdout, cmd.Stderr = both, both
	cmd.WaitDelay = drainTime
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it exited with 0, a child of its own did not
	}
	if ctx.Err() != nil {
		return errors.New("killed after " + r.Timeout.String())
	}
	return err
}

// sendFiles sends and removes what the run put into the directory for that.
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
