// Command screenshots takes the pictures of an HTML report in the documentation: report-light.png
// and report-dark.png.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/pktstat/pktstat/internal/test/browser"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: screenshots REPORT.html FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

func run(report, folder string) (err error) {
	report, err = filepath.Abs(report)
	if err != nil {
		return err
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		return fmt.Errorf("apt-get install chromium: %w", err)
	}
	b, err := browser.Start(context.Background(), chromium)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	for name, dark := range map[string]bool{"report-light.png": false, "report-dark.png": true} {
		png, err := picture(b, "file://"+report, dark)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), png, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// picture returns the upper part of the report, with the chart's values at one time.
func picture(b *browser.Browser, address string, dark bool) ([]byte, error) {
	p, err := b.Page(browser.View{Width: 1200, Height: 884, Dark: dark})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if err := p.Open(address); err != nil {
		return nil, err
	}
	if err := p.Wait(`document.querySelector("#chart path")`); err != nil {
		return nil, err
	}
	const x, y = 440, 380 // in the chart, over traffic
	if err := p.Move(x, y); err != nil {
		return nil, err
	}
	if err := p.Wait(`!document.querySelector("#chart .tip").hidden`); err != nil {
		return nil, err
	}
	return p.Screenshot()
}
