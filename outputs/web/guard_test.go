package web

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pktstat/pktstat/registry"
)

const secret = "0123456789abcdef"

// TestHeaders: every answer has a policy that forbids what a page does not need. Refusals have it,
// too.
func TestHeaders(t *testing.T) {
	p := open(t, "127.0.0.1:0", "token="+secret)
	for _, path := range []string{"/", "/app.js", "/style.css", "/api/report", "/api/events", "/api/state", "/no/such/page"} {
		for _, host := range []string{"127.0.0.1", "evil.example"} {
			h := p.do(http.MethodGet, path, "Host", host).Header
			for name, want := range map[string]string{
				"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
				"Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
			} {
				if got := h.Get(name); got != want {
					t.Errorf("%s on %s: %s is %q, want %q", path, host, name, got, want)
				}
			}
			if h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s may be read by other origins", path)
			}
		}
	}
	for _, never := range []string{"unsafe-inline", "unsafe-eval", "*", "http:", "https:"} {
		if strings.Contains(policy, never) {
			t.Errorf("the policy has %s", never)
		}
	}
}

// TestHostGuard: a page under another site's name, which leads to this machine, gets nothing.
func TestHostGuard(t *testing.T) {
	p := open(t, "127.0.0.1:0", "hosts=monitor.example+other")
	p.write(intervals()[0])
	for host, want := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:8080": 200, "localhost": 200, "LOCALHOST:80": 200, "[::1]:8080": 200, "[::1]": 200, "192.0.2.1": 200,
		"monitor.example": 200, "Monitor.Example.:443": 200, "other": 200,
		"evil.example": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example": 421, "monitor.example.evil.example:80": 421, "x": 421,
	} {
		for _, path := range []string{"/", "/api/report"} {
			if got := p.do(http.MethodGet, path, "Host", host).StatusCode; got != want {
				t.Errorf("%s with the host %q: %d, want %d", path, host, got, want)
			}
		}
	}
}

func TestToken(t *testing.T) {
	p := open(t, "127.0.0.1:0", "token="+secret)
	p.write(intervals()[0])
	if !strings.HasSuffix(p.said, "/#token="+secret) {
		t.Errorf("printed: %s", p.said)
	}
	for _, path := range []string{"/", "/app.js", "/style.css"} {
		if status, _ := p.get(path); status != http.StatusOK {
			t.Errorf("%s without token: %d: a browser could not show the token", path, status)
		}
	}
	for _, path := range []string{"/api/report", "/api/report?run", "/api/events"} {
		for name, c := range map[string]struct {
			header, value string
			want          int
		}{
			"nothing":        {"X-Nothing", "", 401},
			"no token":       {"Authorization", "Bearer ", 401},
			"wrong token":    {"Authorization", "Bearer 0123456789abcdee", 401},
			"longer token":   {"Authorization", "Bearer " + secret + "0", 401},
			"other scheme":   {"Authorization", "Basic " + secret, 401},
			"token":          {"Authorization", "Bearer " + secret, 200},
			"token, cookie":  {"Cookie", p.cookieName() + "=" + secret, 401},
			"no cookie":      {"Cookie", p.cookieName() + "=", 401},
			"a cookie":       {"Cookie", p.cookieName() + "=" + p.cookieOf(secret), 200},
			"others' cookie": {"Cookie", "pktstat_1=" + p.cookieOf(secret), 401},
		} {
			if got := p.do(http.MethodGet, path, c.header, c.value).StatusCode; got != c.want {
				t.Errorf("%s with %s: %d, want %d", path, name, got, c.want)
			}
			if _, text := p.get("/api/state", c.header, c.value); strings.Contains(text, "true") != (c.want == 200) {
				t.Errorf("with %s, a page gets %s", name, text)
			}
		}
	}
	for _, token := range []string{"", "0123456789abcdee"} {
		if a := p.do(http.MethodPost, "/api/login", "Authorization", "Bearer "+token); a.StatusCode != 401 || len(a.Cookies()) != 0 {
			t.Errorf("login with %q: %s, %d cookies", token, a.Status, len(a.Cookies()))
		}
	}
	if status, _ := p.get("/api/login", "Authorization", "Bearer "+secret); status != http.StatusMethodNotAllowed {
		t.Errorf("login by GET: %d", status)
	}
}

func (p *page) cookieName() string {
	return "pktstat_" + p.url[strings.LastIndex(p.url, ":")+1:]
}

// cookieOf returns the cookie for the token. It must be hidden from scripts and other sites.
func (p *page) cookieOf(token string) string {
	p.t.Helper()
	a := p.do(http.MethodPost, "/api/login", "Authorization", "Bearer "+token)
	if a.StatusCode != http.StatusNoContent || len(a.Cookies()) != 1 {
		p.t.Fatalf("login: %s, %d cookies", a.Status, len(a.Cookies()))
	}
	c := a.Cookies()[0]
	if c.Name != p.cookieName() || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || strings.Contains(c.Value, token) {
		p.t.Errorf("the cookie is %s", c)
	}
	return c.Value
}

// TestTokenBeyondLoopback: beyond loopback, the page needs a token.
func TestTokenBeyondLoopback(t *testing.T) {
	tokens := map[string]bool{}
	for range 2 {
		p := open(t, ":0")
		_, fragment, found := strings.Cut(p.said, "/#token=")
		token, err := url.QueryUnescape(fragment)
		if !found || err != nil || len(token) < minToken || tokens[token] {
			t.Fatalf("printed %q", p.said)
		}
		tokens[token] = true
		if u, err := url.Parse(strings.TrimPrefix(p.said, "live page: ")); err != nil || net.ParseIP(u.Hostname()).IsUnspecified() {
			t.Errorf("%s cannot be opened from another machine (%v)", p.said, err)
		}
		p.write(intervals()[0])
		if status, _ := p.get("/api/report"); status != http.StatusUnauthorized {
			t.Errorf("without token: %d", status)
		}
		if status, _ := p.get("/api/report", "Authorization", "Bearer "+token); status != http.StatusOK {
			t.Errorf("with the token: %d", status)
		}
	}
	for _, target := range []string{"127.0.0.1:0", "[::1]:0", "0"} {
		if p := open(t, target); strings.Contains(p.said, "token") {
			t.Errorf("the page on %s needs a token: %s", target, p.said)
		}
	}
}

func TestTokenOptions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secret + "\nmore\n")
	p := open(t, "127.0.0.1:0", "token-file="+file)
	if _, text := p.get("/api/state", "Authorization", "Bearer "+secret); !strings.Contains(text, "true") {
		t.Errorf("with the file's token: %s", text)
	}
	for _, c := range []struct {
		text    string
		options []string
		want    string
		usage   bool
	}{
		{"", []string{"token=short"}, "at least 16 characters", true},
		{"short", []string{"token-file=" + file}, "at least 16 characters", true},
		{"\n", []string{"token-file=" + file}, "its first line is empty", true},
		{secret, []string{"token-file=" + file, "token=" + secret}, "exclude one another", true},
		{secret, []string{"token-file=" + file + ".gone"}, "no such file", false},
	} {
		write(c.text)
		_, _, err := try("127.0.0.1:0", c.options...)
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, registry.ErrUsage) != c.usage {
			t.Errorf("%v: %v, want %q", c.options, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%v: the error contains the token: %v", c.options, err)
		}
	}
}
