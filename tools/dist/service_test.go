package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"
)

// exposure is what deploy/systemd/README.md says that systemd-analyze security finds.
func exposure(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("../../deploy/systemd/README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`exposure of (\d+\.\d)`).FindSubmatch(raw)
	if m == nil {
		t.Fatal("deploy/systemd/README.md has no figure of exposure")
	}
	return string(m[1])
}

// testService boots the root's systemd with the service: it counts with the restrictions of its unit.
func testService(t *testing.T, root *debianRoot) {
	needTool(t, "systemd-nspawn", "systemd-container")
	r := root.with(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	line := isolated(t, r.netns)
	// The filter of system calls is the unit's. nspawn's own has no bpf.
	line = append(line, "env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", "SYSTEMD_SECCOMP=0", "systemd-nspawn", "--quiet", "--register=no", "--keep-unit",
		"--network-namespace-path=/run/netns/"+r.netns, "--capability=all", "-D", r.dir, "--boot", "--", "--unit=pktstat-web.service")
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	var console tail
	cmd.Stdout, cmd.Stderr = &console, &console
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Logf("systemd-nspawn was stopped: %v", err)
		}
	}()

	client := clientIn(t, r.netns)
	poll(t, ended, &console, func() error {
		_, err := fetchReport(ctx, client)
		return err
	})
	from, to := sendDatagrams(t, r.netns)
	poll(t, ended, &console, func() error {
		report, err := fetchReport(ctx, client)
		if err != nil {
			return err
		}
		if report.Backend != "tc" {
			t.Fatalf("counts by %s, not by tc: %s", report.Backend, &console)
		}
		for _, f := range report.Flows {
			if f.SrcPort == from && f.DstPort == to && f.Packets == datagrams {
				return nil
			}
		}
		return fmt.Errorf("no flow of %d packets from port %d to %d: %+v", datagrams, from, to, report.Flows)
	})
}

// poll tries until f has no error or the machine has ended.
func poll(t *testing.T, ended chan error, console *tail, f func() error) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		select {
		case end := <-ended:
			ended <- end
			t.Fatalf("systemd has ended: %v\n%s", end, console)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v\n%s", err, console)
		}
	}
}

type pageReport struct {
	Backend string `json:"backend"`
	Flows   []struct {
		SrcPort int `json:"src_port"`
		DstPort int `json:"dst_port"`
		Packets int `json:"packets"`
	} `json:"flows"`
}

func fetchReport(ctx context.Context, client *http.Client) (*pageReport, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:8080/api/report?run", http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	report := &pageReport{}
	return report, json.NewDecoder(resp.Body).Decode(report)
}

// clientIn connects from a network namespace.
func clientIn(t *testing.T, netns string) *http.Client {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		var c net.Conn
		var err error
		inside(t, netns, func() error {
			c, err = new(net.Dialer).DialContext(ctx, network, addr)
			return nil
		})
		return c, err
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}
