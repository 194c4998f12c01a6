package handlers

import (
	"net/http"

	"switchboard/fault"
	"switchboard/instances"
	"switchboard/proxies"
	"switchboard/settings"
	"switchboard/views"
)

func (s *server) showProxy(w http.ResponseWriter, r *http.Request) error {
	r, _ = s.withFlash(w, r)
	inst, set, err := s.getWithSettings(r)
	if err != nil {
		return err
	}
	return render(w, r, http.StatusOK, views.ShowProxy(inst, views.Form{Values: map[string]string{"proxy": proxies.Shown(set.Proxy)}}, ""))
}

// proxyOf returns the address that the form holds, complete: where the password was left as
// it is shown, it is the one that is kept.
func (s *server) proxyOf(r *http.Request, id instances.ID) (string, error) {
	set, err := s.Settings.Get(r.Context(), id)
	if err != nil {
		return "", err
	}
	return proxies.Wanted(r.PostFormValue("proxy"), set.Proxy)
}

func (s *server) changeProxy(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	address, err := s.proxyOf(r, inst.ID)
	if err == nil {
		err = s.Settings.Update(r.Context(), inst.ID, func(set *settings.Settings) error {
			set.Proxy = address
			return nil
		})
	}
	if err != nil {
		return s.proxyRefused(w, r, inst, err)
	}
	s.setFlash(w, r, "saved")
	s.redirect(w, r, "/instances/"+string(inst.ID)+"/proxy")
	return nil
}

// testProxy tries what stands in the form, saved or not.
func (s *server) testProxy(w http.ResponseWriter, r *http.Request) error {
	inst, err := s.get(r)
	if err != nil {
		return err
	}
	address, err := s.proxyOf(r, inst.ID)
	if err == nil && address == "" {
		err = fault.InField("proxy", "Enter the address of a proxy first.")
	}
	if err == nil {
		err = s.ThroughProxy(r.Context(), address)
	}
	if err != nil {
		return s.proxyRefused(w, r, inst, err)
	}
	return render(w, r, http.StatusOK, views.ShowProxy(inst, views.Form{Values: typed(r, "proxy")}, "WhatsApp can be reached through this proxy."))
}

func (s *server) proxyRefused(w http.ResponseWriter, r *http.Request, inst instances.Instance, err error) error {
	problems, ok := refused(err)
	if !ok {
		return err
	}
	return render(w, r, formStatus(err), views.ShowProxy(inst, views.Form{Values: typed(r, "proxy"), Errors: problems}, ""))
}
