package handlers

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"switchboard/auth"
	"switchboard/static"
)

// routes is the panel's table of contents.
func (s *server) routes() chi.Router {
	r := chi.NewRouter()
	root := r
	r.Use(s.recoverPanic, s.secureHeaders, middleware.GetHead)
	if s.Audit != nil {
		r.Use(s.Audit.Middleware(s.Auth.Address))
	}

	r.Get("/healthz", alive)
	r.Get("/readyz", s.ready)
	r.Get("/metrics", s.showMetrics)
	r.Method(http.MethodGet, "/static/*", http.StripPrefix("/static/", static.Handler()))
	if s.API != nil {
		r.Mount("/api/v1", s.crossOrigin.Handler(s.API))
	}
	if s.Gateway != nil {
		r.Mount("/gowa", s.Gateway) // takes no cookie, so that nothing can be done with a browser's
	}

	r.Group(func(r chi.Router) {
		r.Use(s.limitTime, s.Auth.Middleware(s.fail), s.withShell)
		r.NotFound(s.page(s.notFound))
		r.MethodNotAllowed(s.page(s.notAllowed(root)))
	})
	r.Group(func(r chi.Router) {
		r.Use(s.crossOrigin.Handler, limitBody, s.limitTime, s.Auth.Middleware(s.fail), s.withShell, s.checkForm)

		r.Get("/setup", s.page(s.showSetup))
		r.Get("/setup/{token}", s.page(s.showSetup))
		r.Post("/setup", s.page(s.setup))
		r.Get("/login", s.page(s.showLogin))
		r.Post("/login", s.page(s.login))
		r.Get("/sign-in", s.page(s.showLink))
		r.Get("/sign-in/{token}", s.page(s.showLink))
		r.Post("/sign-in", s.page(s.signInByLink))
		r.Get("/welcome", s.page(s.showWelcome))
		r.Get("/welcome/{token}", s.page(s.showWelcome))
		r.Post("/welcome", s.page(s.welcome))
		r.Get("/login/second", s.page(s.showSecond))
		r.Post("/login/second", s.page(s.second))
		r.Post("/login/passkey/begin", s.page(s.beginPasskeySignIn))
		r.Post("/login/passkey", s.page(s.passkeySignIn))
		r.Get("/login/sso", s.page(s.beginSingleSignOn))
		r.Get(auth.CallbackPath, s.page(s.singleSignOn))
		r.Post("/logout", s.page(s.logout))

		r.Group(func(r chi.Router) {
			r.Use(s.requirePerson, s.leadToSecondStep)

			r.Get("/", s.page(s.listNumbers))
			r.Get("/rows", s.page(s.pollRows))

			r.Get("/account", s.page(s.showAccount))
			r.Post("/account/password", s.page(s.changePassword))
			r.Get("/account/security", s.page(s.showSecurity))
			r.Post("/account/totp", s.page(s.confirmed(appForm, s.beginTOTP)))
			r.Post("/account/totp/confirm", s.page(s.confirmTOTP))
			r.Post("/account/totp/remove", s.page(s.confirmed(appForm, s.removeTOTP)))
			r.Post("/account/recovery", s.page(s.confirmed(appForm, s.newCodes)))
			r.Post("/account/passkeys/begin", s.page(s.beginPasskey))
			r.Post("/account/passkeys", s.page(s.addPasskey))
			r.Post("/account/passkeys/{passkey}/remove", s.page(s.removePasskey))
			r.Post("/account/sessions/revoke", s.page(s.revokeOtherSessions))
			r.Post("/account/sessions/{session}/revoke", s.page(s.revokeSession))

			r.Get("/instances/{id}", s.page(s.showNumber))
			r.Get("/instances/{id}/access", s.page(s.showAccess))
			r.Get("/instances/{id}/queue", s.page(s.showQueue))
			r.Get("/instances/{id}/proxy", s.page(s.showProxy))
			r.Get("/instances/{id}/bucket", s.page(s.showBucket))
			r.Get("/instances/{id}/limits", s.page(s.showLimits))
			r.Post("/instances/{id}/limits", s.page(s.changeLimits))
			r.Post("/instances/{id}/limits/more-room", s.page(s.moreRoom))
			r.Get("/instances/{id}/api", s.page(s.showReference))
			r.Get("/instances/{id}/api/openapi.json", s.page(s.showOpenAPI))
			r.Post("/instances/{id}/api", s.page(s.tryOperation))
			r.Get("/instances/{id}/settings", s.page(s.showHabits))
			r.Get("/instances/{id}/webhooks", s.page(s.showWebhooks))
			r.Get("/instances/{id}/deliveries", s.page(s.showDeliveries))
			r.Get("/instances/{id}/deliveries/{delivery}", s.page(s.showDelivery))
			r.Get("/instances/{id}/status", s.poll(s.pollStatus))
			r.Get("/instances/{id}/pairing", s.poll(s.pollPairing))
			r.Get("/instances/{id}/messages", s.poll(s.pollMessages))
			r.Get("/instances/{id}/search", s.page(s.searchMessages))
			r.Get("/instances/{id}/usage", s.poll(s.pollUsage))
			r.Get("/instances/{id}/log", s.page(s.showLog))
			r.Get("/instances/{id}/log/lines", s.poll(s.pollLog))
			r.Get("/instances/{id}/log/download", s.page(s.downloadLog))

			r.Group(func(r chi.Router) {
				r.Use(s.requireAdmin)

				r.Get("/people", s.page(s.listPeople))
				r.Get("/people/new", s.page(s.newPerson))
				r.Post("/people", s.page(s.invitePerson))
				r.Post("/people/second-step", s.page(s.requireSecondStep))
				r.Get("/people/{person}", s.page(s.showPerson))
				r.Post("/people/{person}", s.page(s.changePerson))
				r.Post("/people/{person}/link", s.page(s.makePasswordLink))
				r.Post("/people/{person}/disable", s.page(s.switchPerson(true)))
				r.Post("/people/{person}/enable", s.page(s.switchPerson(false)))
				r.Post("/people/{person}/factors/reset", s.page(s.resetFactors))
				r.Post("/people/{person}/delete", s.page(s.deletePerson))
				r.Post("/people/{person}/sessions/{session}/revoke", s.page(s.revokeSessionOf))

				r.Get("/system", s.page(s.showSystem))
				r.Post("/system/deleted/{file}/restore", s.page(s.bringBack))
				r.Post("/system/deleted/{file}/forget", s.page(s.forgetDeleted))

				r.Get("/audit", s.page(s.showAudit))
				r.Get("/audit/export", s.page(s.exportAudit))

				r.Get("/webhooks", s.page(s.showWebhooks))
				s.webhookRoutes(r, "/webhooks")

				r.Get("/groups/new", s.page(s.newGroup))
				r.Post("/groups", s.page(s.createGroup))
				r.Get("/groups/{group}", s.page(s.showGroup))
				r.Post("/groups/{group}", s.page(s.changeGroup))
				r.Post("/groups/{group}/delete", s.page(s.deleteGroup))
			})

			r.Group(func(r chi.Router) {
				r.Use(s.requireChanger)

				r.Post("/account/tokens", s.page(s.createToken))
				r.Post("/account/tokens/{token}/revoke", s.page(s.revokeToken))

				r.Post("/import", s.page(s.importNumbers))
				r.Get("/instances/new", s.page(s.newNumber))
				r.Post("/instances", s.page(s.createNumber))
				r.Post("/instances/{id}/rename", s.page(s.renameNumber))
				r.Post("/instances/{id}/settings", s.page(s.changeHabits))
				r.Post("/instances/{id}/delete", s.page(s.deleteNumber))
				r.Post("/instances/{id}/messages", s.page(s.sendMessage))

				s.webhookRoutes(r, "/instances/{id}/webhooks")
				r.Post("/instances/{id}/webhooks/{webhook}/test", s.page(s.testWebhook))
				r.Post("/instances/{id}/webhooks/{webhook}/retry", s.page(s.webhookAction("webhook-tried", s.retryWebhook)))
				r.Post("/instances/{id}/deliveries/resend", s.page(s.resendDeliveries))

				r.Post("/instances/{id}/queue/{send}/cancel", s.page(s.cancelSend))
				r.Post("/instances/{id}/keys", s.page(s.createKey))
				r.Post("/instances/{id}/keys/{key}/revoke", s.page(s.revokeKey))

				r.Post("/instances/{id}/proxy", s.page(s.changeProxy))
				r.Post("/instances/{id}/proxy/test", s.page(s.testProxy))

				r.Post("/instances/{id}/bucket", s.page(s.changeBucket))
				r.Post("/instances/{id}/bucket/check", s.page(s.checkBucket))
				r.Post("/instances/{id}/bucket/leave", s.page(s.leaveBucket))
				r.Post("/instances/{id}/bucket/forget", s.page(s.forgetBucket))

				r.Post("/instances/{id}/start", s.page(s.command(s.Instances.Start)))
				r.Post("/instances/{id}/stop", s.page(s.command(s.Instances.Stop)))
				r.Post("/instances/{id}/restart", s.page(s.command(s.Instances.Restart)))
				r.Post("/instances/{id}/reconnect", s.page(s.command(s.Instances.Reconnect)))
				r.Post("/instances/{id}/logout", s.page(s.command(s.Instances.Logout)))

				r.Post("/instances/{id}/pair", s.page(s.command(s.Instances.Pair)))
				r.Post("/instances/{id}/pair-phone", s.page(s.pairPhone))
				r.Post("/instances/{id}/passkey", s.page(s.answerPasskey))
				r.Post("/instances/{id}/passkey/confirm", s.page(s.confirmPasskey))
			})
		})
	})
	r.Group(func(r chi.Router) { // what takes its time, and more than a form's worth
		r.Use(s.crossOrigin.Handler, s.Auth.Middleware(s.fail), s.withShell)

		r.With(limitBody, s.checkForm, s.requirePerson, s.leadToSecondStep).Post("/instances/{id}/backup", s.page(s.backupNumber))
		r.With(s.requirePerson, s.leadToSecondStep, s.requireAdmin).Post("/system/restore", s.page(s.restoreNumber))
	})
	return r
}

// webhookRoutes are what is done with webhooks, those of a number and those for all alike.
func (s *server) webhookRoutes(r chi.Router, below string) {
	r.Post(below, s.page(s.createWebhook))
	r.Get(below+"/{webhook}", s.page(s.editWebhook))
	r.Post(below+"/{webhook}", s.page(s.changeWebhook))
	r.Post(below+"/{webhook}/pause", s.page(s.webhookAction("webhook-saved", s.pauseWebhook(true))))
	r.Post(below+"/{webhook}/resume", s.page(s.webhookAction("webhook-saved", s.pauseWebhook(false))))
	r.Post(below+"/{webhook}/delete", s.page(s.webhookAction("webhook-gone", s.deleteWebhook)))
	r.Post(below+"/{webhook}/reveal", s.page(s.revealSecret))
	r.Post(below+"/{webhook}/rotate", s.page(s.rotateSecret))
}
