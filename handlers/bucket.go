package handlers

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/settings"
	"switchboard/views"
)

func (s *server) showBucket(w http.ResponseWriter, r *http.Request) error {
	r, _ = s.withFlash(w, r)
	inst, set, err := s.getWithSettings(r)
	if err != nil {
		return err
	}
	values := views.BucketValues(set.Media.Bucket, inst.ID)
	return render(w, r, http.StatusOK, views.ShowBucket(s.bucketPage(r.Context(), inst, set, views.Form{Values: values})))
}

func (s *server) bucketPage(ctx context.Context, inst instances.Instance, set settings.Settings, f views.Form) views.Bucket {
	page := views.Bucket{Instance: inst, Form: f, Now: set.Media.Bucket, Earlier: set.Media.Earlier}
	if set.Media.Bucket.Set() {
		page.Waiting = s.waitingMedia(ctx, inst.ID)
	}
	return page
}

// waitingMedia is what lies in a number's folder, and waits to be put into the bucket if there
// is one, as far as it can be read.
func (s *server) waitingMedia(ctx context.Context, id instances.ID) views.Waiting {
	b, err := s.Messages.MediaBacklog(ctx, id)
	if err != nil {
		s.Log.WarnContext(ctx, "read waiting media failed", "instance", id, "error", err)
		return views.Waiting{}
	}
	return views.Waiting(b)
}

// noteMedia tells the page of a number what is to be known of its bucket.
func (s *server) noteMedia(ctx context.Context, n *views.Number) {
	set, err := s.Settings.Get(ctx, n.Instance.ID)
	if err != nil {
		s.Log.WarnContext(ctx, "read settings failed", "instance", n.Instance.ID, "error", err)
		return
	}
	if set.Media.Bucket.Set() {
		n.Bucket, n.Waiting = set.Media.Bucket.Name, s.waitingMedia(ctx, n.Instance.ID)
	}
	for _, b := range append(slices.Clone(set.Media.Earlier), set.Media.Bucket) {
		if b.Set() {
			n.Places = append(n.Places, b.Place())
		}
	}
}

// bucketOf returns the bucket that the form holds. The secret key is never shown; where the
// field for it is empty and the access key the same, it is the one that is kept.
func bucketOf(r *http.Request, kept settings.Bucket) settings.Bucket {
	b := settings.Bucket{
		Endpoint: r.PostFormValue("endpoint"), Region: r.PostFormValue("region"), Name: r.PostFormValue("name"),
		Prefix: r.PostFormValue("prefix"), AccessKey: r.PostFormValue("access_key"), SecretKey: r.PostFormValue("secret_key"),
		PathStyle: r.PostFormValue("path_style") != "",
	}
	if b.SecretKey == "" && b.AccessKey == kept.AccessKey {
		b.SecretKey = kept.SecretKey
	}
	return b
}

func (s *server) changeBucket(w http.ResponseWriter, r *http.Request) error {
	inst, set, err := s.getWithSettings(r)
	if err != nil {
		return err
	}
	err = s.Settings.Update(r.Context(), inst.ID, func(set *settings.Settings) error {
		return set.Media.SetBucket(required(bucketOf(r, set.Media.Bucket)))
	})
	if err != nil {
		return s.bucketRefused(w, r, inst, set, err)
	}
	return s.bucketSaved(w, r, inst)
}

// required is b, or where everything is empty something that is refused: no bucket at all has
// a button of its own.
func required(b settings.Bucket) settings.Bucket {
	if !b.Set() {
		b.PathStyle = true
	}
	return b
}

// checkBucket tries what stands in the form, saved or not.
func (s *server) checkBucket(w http.ResponseWriter, r *http.Request) error {
	inst, set, err := s.getWithSettings(r)
	if err != nil {
		return err
	}
	var trial settings.Media
	if err = trial.SetBucket(required(bucketOf(r, set.Media.Bucket))); err == nil {
		err = s.CheckBucket(r.Context(), trial.Bucket)
	}
	if err != nil {
		return s.bucketRefused(w, r, inst, set, err)
	}
	const works = "The bucket works: a small file was written there, read and deleted."
	if isFragment(r) {
		return render(w, r, http.StatusOK, views.BucketResult(works, nil))
	}
	page := s.bucketPage(r.Context(), inst, set, views.Form{Values: typed(r, views.BucketFields...)})
	page.Works = works
	return render(w, r, http.StatusOK, views.ShowBucket(page))
}

// leaveBucket has media stay in the number's folder from now on.
func (s *server) leaveBucket(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	err = s.Settings.Update(r.Context(), inst.ID, func(set *settings.Settings) error { return set.Media.SetBucket(settings.Bucket{}) })
	if err != nil {
		return err
	}
	return s.bucketSaved(w, r, inst)
}

// forgetBucket forgets the keys of an earlier bucket.
func (s *server) forgetBucket(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	err = s.Settings.Update(r.Context(), inst.ID, func(set *settings.Settings) error {
		return set.Media.Forget(r.PostFormValue("place"))
	})
	if err != nil {
		return err
	}
	return s.bucketSaved(w, r, inst)
}

func (s *server) bucketSaved(w http.ResponseWriter, r *http.Request, inst instances.Instance) error {
	s.setFlash(w, r, "saved")
	s.redirect(w, r, "/instances/"+string(inst.ID)+"/bucket")
	return nil
}

func (s *server) bucketRefused(w http.ResponseWriter, r *http.Request, inst instances.Instance, set settings.Settings, err error) error {
	problems, ok := refused(err)
	if !ok {
		return err
	}
	var one *fault.Error
	if problems[""] != "" && errors.As(err, &one) { // what the store says is for the log, too
		s.Log.InfoContext(r.Context(), "bucket refused", "instance", inst.ID, "error", one.Err)
	}
	if isFragment(r) {
		return render(w, r, formStatus(err), views.BucketResult("", problems))
	}
	page := s.bucketPage(r.Context(), inst, set, views.Form{Values: typed(r, views.BucketFields...), Errors: problems})
	return render(w, r, formStatus(err), views.ShowBucket(page))
}
