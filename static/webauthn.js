// Makes passkeys and signs in with them. A form with data-webauthn asks that address for what
// the browser's authenticator needs, puts its answer into the field "credential", and is sent.
(() => {
	"use strict";
	const able = window.PublicKeyCredential && PublicKeyCredential.parseCreationOptionsFromJSON;
	const sentences = {
		NotAllowedError: "It was cancelled, it took too long, or this device has no passkey for this page.",
		InvalidStateError: "This device has a passkey for this account already.",
	};
	for (const form of document.querySelectorAll("form[data-webauthn]")) {
		const problem = form.querySelector("[data-webauthn-error]");
		const say = text => { problem.textContent = text; problem.hidden = !text; };
		if (!able) { // the button to sign in stays hidden
			say("This browser has no passkeys here. They need a current browser, and an address that begins with https://.");
			for (const button of form.querySelectorAll("button")) button.disabled = true;
			continue;
		}
		form.hidden = false;
		form.addEventListener("submit", async event => {
			event.preventDefault();
			say("");
			try {
				const answer = await fetch(form.dataset.webauthn, {
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
				say(sentences[error.name] || "The browser refused: " + error.message);
			}
		});
	}
})();
