package worker_test

import (
	"context"
	"encoding/json"
	"testing"

	"switchboard/fault"
	"switchboard/instances"
)

// A worker tells which settings it works by: those it was started with, then those it got.
func TestAWorkerIsConfigured(t *testing.T) {
	t.Parallel()
	doc := document(t)
	doc.Settings = json.RawMessage(`{"revision":3,"added_by_a_later_version":true}`)
	r := start(t, doc)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	reports := r.client.Reports(ctx)
	until := func(revision int64) {
		t.Helper()
		var last instances.Report
		for last = range reports {
			if last.Settings == revision {
				return
			}
		}
		t.Fatalf("the last report is %+v, want the revision %d", last, revision)
	}
	until(3)
	must(t, r.client.Configure(ctx, json.RawMessage(`{"revision":4}`)))
	until(4)
	if err := r.client.Configure(ctx, json.RawMessage(`[]`)); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no settings: %v", err)
	}
}
