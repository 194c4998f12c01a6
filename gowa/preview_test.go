package gowa

import (
	"maps"
	"strings"
	"testing"
)

func TestMetadata(t *testing.T) {
	for name, c := range map[string]struct {
		page string
		says map[string]string
	}{
		"entities, quotes and case": {
			`<!DOCTYPE html><html><head><TITLE lang=en>Tea &amp;
				cake</TITLE><meta property='og:title' content='A &#34;B&#34;'/><META NAME=Description CONTENT=short>`,
			map[string]string{"title": "Tea & cake", "og:title": `A "B"`, "description": "short"},
		},
		"the first one counts":           {`<meta name=a content=""><meta name=a content=b><meta name=a content=c>`, map[string]string{"a": "b"}},
		"what comes too late":            {`<head><title>yes</title></head><body><meta name=a content=b>`, map[string]string{"title": "yes"}},
		"what is no element":             {`<script>"<meta name=a content=b>"</script><!-- <meta name=c content=d> --><style><meta name=e content=f></style>`, map[string]string{}},
		"what a drawing is of":           {`<svg><title>drawn</title></svg><title>said</title>`, map[string]string{"title": "said"}},
		"a page that is cut":             {`<title>whole</title><meta name=a content=b><meta name="c" conte`, map[string]string{"title": "whole", "a": "b"}},
		"an attribute that has no value": {`<meta name content=b><meta name=c content>`, map[string]string{"": "b", "c": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			if says := metadata(strings.NewReader(c.page)); !maps.Equal(says, c.says) {
				t.Errorf("it says %q", says)
			}
		})
	}
}
