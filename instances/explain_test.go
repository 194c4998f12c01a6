package instances

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// declared reads the constants of a type from the source, so that a new one cannot be
// forgotten.
func declared(t *testing.T, kind string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "status.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == kind {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, value)
		}
		return true
	})
	if len(all) < 10 {
		t.Fatalf("only %d constants of type %s", len(all), kind)
	}
	return all
}

func TestExplainIsTotal(t *testing.T) {
	t.Parallel()
	statuses, reasons := declared(t, "Status"), declared(t, "Reason")
	for _, s := range statuses {
		if _, ok := stories[Status(s)]; !ok {
			t.Errorf("status %s has no words", s)
		}
	}
	for _, r := range reasons {
		if causes[Reason(r)] == "" {
			t.Errorf("reason %s has no words", r)
		}
	}
	for _, s := range append(statuses, "from the future") {
		for _, r := range append(reasons, "", "from_the_future") {
			e := Explain(Status(s), Reason(r))
			if e.Label == "" || len(e.Label) > 40 || e.Tone == "" {
				t.Errorf("%s %s: label %q, tone %q", s, r, e.Label, e.Tone)
			}
			if !strings.HasSuffix(e.Sentence, ".") || strings.Contains(e.Sentence, "  ") || strings.Contains(e.Sentence, "_") {
				t.Errorf("%s %s: sentence %q", s, r, e.Sentence)
			}
			if len(e.Next) == 0 {
				t.Fatalf("%s %s: no next step", s, r)
			}
			for _, a := range e.Next {
				if a.Do == "" || a.Label == "" {
					t.Errorf("%s %s: next step %+v", s, r, a)
				}
			}
		}
	}
}

func TestExplainSaysWhy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status Status
		reason Reason
		says   string
		tone   Tone
		do     Deed
	}{
		{Connected, "", "receives and sends", Good, Open},
		{PairingPhone, "", "Scan the code", Waiting, Open},
		{PairingPhone, QRExpired, "ran out", Waiting, DoPair},
		{PairingPhone, WorkerKilled, "ended from outside. It runs again: scan the code", Waiting, Open},
		{Reconnecting, NoNetwork, "or the number's proxy if it has one", Warning, DoReconnect},
		{PairingPhone, NoNetwork, "connection to the internet, or the number's proxy if it has one. The code appears as soon as WhatsApp answers", Waiting, Open},
		{Connected, ReachOutLimit, "open conversations", Warning, Open},
		{Connected, DatabaseAway, "not confirmed to WhatsApp until they are stored", Warning, Open},
		{Connected, StorageFull, "Make room on the disk", Warning, Open},
		{Backoff, StorageFull, "Make room on the disk", Bad, DoRestart},
		{Backoff, WorkerKilled, "ended from outside. It is started again by itself", Warning, DoRestart},
		{LoggedOut, LoggedOutByPhone, "phone removed", Bad, DoPair},
		{Restricted, ReachOutLimit, "refuses new conversations", Bad, DoReconnect},
		{Restricted, TemporaryBan, "banned this account for a while", Bad, DoReconnect},
		{Failed, DeleteFailed, "could be removed", Bad, DoDelete},
		{Failed, DatabaseDamaged, "damaged", Bad, DoStart},
		{Idle, "", "switched off", Quiet, DoStart},
	} {
		e := Explain(tt.status, tt.reason)
		if !strings.Contains(e.Sentence, tt.says) || e.Tone != tt.tone || e.Next[0].Do != tt.do {
			t.Errorf("%s %s: %+v", tt.status, tt.reason, e)
		}
	}
}
