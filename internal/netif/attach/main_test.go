package attach_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Interfaces and sources leave no goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
