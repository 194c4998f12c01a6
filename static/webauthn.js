// Makes passkeys and signs in with them. A form with data-passkey asks that address for what
// the browser's authenticator needs, puts its answer into the field "credential", and is sent.
(() => {
	"use strict";
	if (!window.PublicKeyCredential || !PublicKeyCredential.parseCreationOptionsFromJSON) return;
	for (const form of document.querySelectorAll("form[data-passkey]")) {
		form.hidden = false;
		const problem = form.querySelector("[data-passkey-error]");
		const say = text => { problem.textContent = text; problem.hidden = !text; };
		form.addEventListener("submit", async event => {
			event.preventDefault();
			say("");
			try {
				const answer = await fetch(form.dataset.passkey, {
					method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "HX-Request": "true" },
				});
				if (!answer.ok) {
					const page = new DOMParser().parseFromString(await answer.text(), "text/html");
					const toast = page.querySelector("[data-testid=flash]");
					say(toast ? toast.textContent : "This did not work. Please try again.");
					return;
				}
				const { publicKey } = await answer.json();
				const credential = form.action.endsWith("/account/passkeys")
					? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) })
					: await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
				form.elements.credential.value = JSON.stringify(credential);
				form.submit();
			} catch (error) {
				say(error.name === "NotAllowedError" ? "It was cancelled, or it took too long." : "The browser refused: " + error.message);
			}
		});
	}
})();
