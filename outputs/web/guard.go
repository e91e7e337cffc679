package web

import (
	"bufio"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/pktstat/pktstat/registry"
)

// minToken makes guessing over a network hopeless.
const minToken = 16

func (c *config) readToken() (string, error) {
	token := c.token
	if c.tokenFile != "" {
		if token != "" {
			return "", fmt.Errorf("%w: token and token-file exclude one another", registry.ErrUsage)
		}
		f, err := os.Open(c.tokenFile)
		if err != nil {
			return "", fmt.Errorf("token-file: %w", err)
		}
		defer func() { _ = f.Close() }()
		lines := bufio.NewScanner(f)
		lines.Scan()
		if err := lines.Err(); err != nil {
			return "", fmt.Errorf("token-file %q: %w", c.tokenFile, err)
		}
		if token = strings.TrimSpace(lines.Text()); token == "" {
			return "", fmt.Errorf("%w: token-file %q: its first line is empty", registry.ErrUsage, c.tokenFile)
		}
	}
	if token != "" && len(token) < minToken {
		return "", fmt.Errorf("%w: a token needs at least %d characters", registry.ErrUsage, minToken)
	}
	return token, nil
}

// guard decides which requests get an answer.
type guard struct {
	token   string // "" if none is needed
	session string // cookie of a browser that has presented the token
	cookie  string // the cookie's name; all ports of a host share cookies
	hosts   []string
}

// newGuard makes a random token if none was given and other machines can reach the listener.
func newGuard(token string, l net.Listener, hosts string) *guard {
	a := l.Addr().(*net.TCPAddr)
	g := &guard{token: token, cookie: "pktstat_" + portOf(a)}
	if token == "" && !a.IP.IsLoopback() {
		g.token = rand.Text()
	}
	if g.token != "" {
		mac := hmac.New(sha256.New, []byte(rand.Text()))
		mac.Write([]byte(g.token))
		g.session = hex.EncodeToString(mac.Sum(nil))
	}
	if hosts != "" {
		g.hosts = strings.Split(strings.ToLower(hosts), "+")
	}
	return g
}

// address returns the page's address for the user. The token is in the fragment, which browsers do
// not send and servers do not log.
func (g *guard) address(l net.Listener) string {
	a := l.Addr().(*net.TCPAddr)
	s := "http://" + net.JoinHostPort(hostOf(a), portOf(a)) + "/"
	if g.token != "" {
		s += "#token=" + url.QueryEscape(g.token)
	}
	return s
}

// knowsHost accepts only addresses and known names. So it prevents DNS rebinding, by which another
// site's name could lead to this machine.
func (g *guard) knowsHost(r *http.Request) bool {
	name := hostName(r.Host)
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return name == "localhost" || slices.Contains(g.hosts, name)
}

// knows reports whether the request has the token or the session cookie.
func (g *guard) knows(r *http.Request) bool {
	if g.token == "" {
		return true
	}
	if g.showsToken(r) {
		return true
	}
	c, err := r.Cookie(g.cookie)
	return err == nil && equal(c.Value, g.session)
}

func (g *guard) showsToken(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && equal(token, g.token)
}

// equal takes the same time for any a and b.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// login gives a browser with the token a cookie, because an EventSource cannot send headers.
func (g *guard) login(w http.ResponseWriter, r *http.Request) {
	if g.token != "" && !g.showsToken(r) {
		refuse(w, http.StatusUnauthorized, errors.New("wrong token"))
		return
	}
	if g.token != "" {
		http.SetCookie(w, &http.Cookie{Name: g.cookie, Value: g.session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
	w.WriteHeader(http.StatusNoContent)
}

// needToken wraps handlers that show traffic.
func (g *guard) needToken(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !g.knows(r) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="pktstat"`)
			refuse(w, http.StatusUnauthorized, errors.New("a token is needed: Authorization: Bearer TOKEN"))
			return
		}
		next(w, r)
	}
}

// refuse answers with a status and one line of text.
func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "%v\n", err)
}
