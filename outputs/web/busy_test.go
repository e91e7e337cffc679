package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"sync"
	"testing"
)

// TestAnswersAreWhole: the server sends the end of each answer, not only the last report. A browser
// reports an error without it.
func TestAnswersAreWhole(t *testing.T) {
	for range 30 {
		p := open(t, "127.0.0.1:0")
		reports := intervals()
		p.write(reports[0])
		var read sync.WaitGroup
		for i := range 8 {
			a := p.do(http.MethodGet, "/api/events", "Accept-Encoding", []string{"gzip", "identity"}[i%2])
			read.Go(func() {
				var body io.Reader = a.Body
				var err error
				if i%2 == 0 {
					body, err = gzip.NewReader(body)
				}
				if err == nil {
					_, err = io.Copy(io.Discard, body)
				}
				if err != nil {
					t.Errorf("page %d: %v", i, err)
				}
			})
		}
		p.write(reports[1:]...)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		read.Wait()
	}
}
