// Package browser drives a headless Chromium, for tests of web pages and for the pictures in the
// documentation. No plugin imports it.
package browser

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience bounds the wait for a condition on a loaded machine.
const patience = time.Minute

// Browser is a running Chromium. It has its own profile and temporary directory, which Close
// removes.
type Browser struct {
	ctx    context.Context
	cancel context.CancelFunc
	temp   string
}

// Start starts the Chromium at path.
func Start(ctx context.Context, path string) (*Browser, error) {
	temp, err := os.MkdirTemp("", "pktstat-browser-") // Chromium leaves files there
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options,
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("lang", "en-US"), chromedp.Env("TMPDIR="+temp),
		chromedp.WSURLReadTimeout(patience),
	)
	allocated, stop := chromedp.NewExecAllocator(ctx, options...)
	top, cancel := chromedp.NewContext(allocated)
	b := &Browser{ctx: top, cancel: func() { cancel(); stop() }, temp: temp}
	if err := chromedp.Do(top); err != nil {
		b.cancel()
		return nil, fmt.Errorf("start %s: %w", path, errors.Join(err, os.RemoveAll(temp)))
	}
	return b, nil
}

// Close ends the browser, and waits for its end.
func (b *Browser) Close() error {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	err := chromedp.Cancel(ctx)
	b.cancel()
	return errors.Join(err, os.RemoveAll(b.temp))
}

// View is the window and the media features of a page.
type View struct {
	Width, Height int64
	Scale         float64 // device pixels per CSS pixel; 0: 1
	Dark          bool
	Mobile        bool
}

// Page is a tab. It records all errors in it.
type Page struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	problems []string
	requests []string
}

// Page opens a tab.
func (b *Browser) Page(v View) (*Page, error) {
	p := &Page{}
	p.ctx, p.cancel = chromedp.NewContext(b.ctx, chromedp.WithListener(p.listen))
	scheme := "light"
	if v.Dark {
		scheme = "dark"
	}
	if err := p.prepare(v, scheme); err != nil {
		p.cancel()
		return nil, fmt.Errorf("open a tab: %w", err)
	}
	return p, nil
}

func (p *Page) prepare(v View, scheme string) error {
	if err := chromedp.Do(p.ctx); err != nil { // opens the tab; a timeout here would close it
		return err
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	if err == nil {
		_, err = chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: v.Width, Height: v.Height, DeviceScaleFactor: max(v.Scale, 1), Mobile: v.Mobile,
		})
	}
	if err == nil {
		_, err = chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
	}
	return err
}

// Close closes the tab.
func (p *Page) Close() { p.cancel() }

func (p *Page) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	problem := func(format string, args ...any) { p.problems = append(p.problems, fmt.Sprintf(format, args...)) }
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		problem("exception: %s", exceptionText(e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		problem("console %s: %s", e.Type, e.Args[0].Value)
	case *log.EventEntryAdded:
		problem("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL)
	case *page.EventJavascriptDialogOpening:
		problem("dialog: %s", e.Message)
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.URL)
	}
}

func exceptionText(d *runtime.ExceptionDetails) string {
	if d.Exception != nil {
		return fmt.Sprintf("%s %s at %d:%d", d.Text, d.Exception.Description, d.LineNumber, d.ColumnNumber)
	}
	return d.Text
}

// run runs an action, bounded by patience.
func run[T any](p *Page, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, action)
}

// Open opens an address and waits until it is loaded.
func (p *Page) Open(address string) error {
	if _, err := run(p, chromedp.Navigate(address)); err != nil {
		return fmt.Errorf("open %s: %w", address, err)
	}
	return nil
}

// Eval returns the value of an expression.
func Eval[T any](p *Page, expression string) (T, error) {
	v, err := run(p, chromedp.Evaluate[T](expression))
	if err != nil {
		return v, fmt.Errorf("evaluate %s: %w", expression, err)
	}
	return v, nil
}

// Wait waits until an expression is true.
func (p *Page) Wait(expression string) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		switch {
		case err != nil:
			return fmt.Errorf("wait for %s: %w; problems: %q", expression, err, p.Problems())
		case ok:
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(30 * time.Millisecond):
		}
	}
}

// Click clicks the first element that matches a CSS selector.
func (p *Page) Click(selector string) error {
	if _, err := run(p, chromedp.Click(chromedp.CSS(selector))); err != nil {
		return fmt.Errorf("click %s: %w", selector, err)
	}
	return nil
}

// Type types text into the first element that matches a CSS selector.
func (p *Page) Type(selector, text string) error {
	if _, err := run(p, chromedp.SendKeys(chromedp.CSS(selector), text)); err != nil {
		return fmt.Errorf("type into %s: %w", selector, err)
	}
	return nil
}

// Move moves the mouse to a position in the window.
func (p *Page) Move(x, y float64) error {
	_, err := run(p, chromedp.MouseEvent(chromedp.MouseMoved, x, y))
	return err
}

// Press presses the mouse button at a position in the window.
func (p *Page) Press(x, y float64) error {
	_, err := run(p, chromedp.MouseEvent(chromedp.MousePressed, x, y, chromedp.ButtonLeft, chromedp.ClickCount(1)))
	return err
}

// Release releases the mouse button.
func (p *Page) Release(x, y float64) error {
	_, err := run(p, chromedp.MouseEvent(chromedp.MouseReleased, x, y, chromedp.ButtonLeft, chromedp.ClickCount(1)))
	return err
}

// Drag drags the mouse from one position in the window to another.
func (p *Page) Drag(x1, y1, x2, y2 float64) error {
	_, err := run(p, chromedp.DragAndDropXY(x1, y1, x2, y2))
	return err
}

// Screenshot returns a PNG of the visible part of the page.
func (p *Page) Screenshot() ([]byte, error) { return run(p, chromedp.CaptureScreenshot()) }

// FullScreenshot returns a PNG of the whole page.
func (p *Page) FullScreenshot() ([]byte, error) {
	const lossless = 100
	return run(p, chromedp.FullScreenshot(lossless))
}

// PDF prints the page.
func (p *Page) PDF() ([]byte, error) {
	return run(p, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4), chromedp.PDFPrintBackground()))
}

// Problems returns the errors of the console, the script and the browser.
func (p *Page) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.problems...)
}

// LeftOrigin returns the requests to other origins than own. A file's own origin is the file.
func (p *Page) LeftOrigin(own string) ([]string, error) {
	home, err := url.Parse(own)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.requests) == 0 {
		return nil, errors.New("no request was recorded")
	}
	var left []string
	for _, r := range p.requests {
		u, err := url.Parse(r)
		switch {
		case err != nil:
			return nil, err
		case u.Scheme == "data":
		case home.Scheme == "file" && u.Path == home.Path && u.Scheme == "file":
		case home.Scheme != "file" && u.Scheme == home.Scheme && u.Host == home.Host:
		default:
			left = append(left, r)
		}
	}
	return left, nil
}
