package attach_test

import (
	"testing"

	"go.uber.org/goleak"
)

// However often interfaces come and go, and sources with them, no goroutine stays.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
