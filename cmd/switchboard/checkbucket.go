package main

import (
	"context"

	"switchboard/bucket"
	"switchboard/egress"
	"switchboard/fault"
	"switchboard/settings"
)

// checkBucket returns a function that tries a bucket. Whatever is wrong is wrong with what a
// person entered, not with the page that they asked for.
func checkBucket(c config) func(ctx context.Context, b settings.Bucket) error {
	guard := egress.New(c.EgressAllow)
	return func(ctx context.Context, at settings.Bucket) error {
		b, err := bucket.New(at, guard)
		if err == nil {
			err = b.Check(ctx)
		}
		if kind := fault.KindOf(err); kind == fault.NotFound || kind == fault.Forbidden {
			return fault.Wrap(fault.Invalid, fault.MessageOf(err), err)
		}
		return err
	}
}
