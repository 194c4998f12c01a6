// Linking devices: from a code's text, from a picture of it, or with eight characters.

import { api } from "./api.js";
import { h, icon, avatar, busy, toast, pretty } from "./dom.js";
import { frame, go, phoneSign, status } from "./app.js";
import { makePhone } from "./phones.js";

/**
 * link runs one attempt to link a device. Meanwhile it shows what the phone waits for, which
 * may be a person: some accounts ask for a passkey.
 */
async function link(phone, button, attempt) {
	const waiting = document.getElementById("waiting");
	let over = false;
	const look = async () => {
		while (!over) {
			await new Promise((resolve) => setTimeout(resolve, 1000));
			const { link } = await api.phone(phone.number).catch(() => ({ link: {} }));
			if (over) break;
			waiting.show(link);
		}
	};
	look();
	const done = await busy(button, attempt);
	over = true;
	waiting.show({});
	if (done) {
		toast("Linked. The other screen says “Connected” in a moment.");
		go(phone.number, "devices");
	}
}

/** waitingBox is what the phone says while it waits for somebody at the other screen. */
function waitingBox(phone) {
	const request = h("textarea", { id: "request", rows: "3", spellcheck: "false", placeholder: "Paste the text for the console here", "data-testid": "passkey-request" });
	const answer = h("textarea", { id: "answer-text", rows: "3", readonly: true, "data-testid": "passkey-answer" });
	const copy = h("button", { type: "button", class: "button small", onclick: () => navigator.clipboard.writeText(answer.value).then(() => toast("Copied.")) }, "Copy the answer");
	const result = h("div", { class: "form", hidden: true }, h("label", { for: "answer-text" }, "Give this to the other screen"), answer, copy);
	const button = h("button", { class: "button ghost", "data-testid": "passkey-get" }, "Answer with the passkey");
	const form = h("form", {
		class: "form",
		onsubmit: (event) => {
			event.preventDefault();
			busy(button, async () => {
				answer.value = JSON.stringify(await api.passkey(phone().number, passkeyRequest(request.value)));
				result.hidden = false;
			});
		},
	}, h("label", { for: "request" }, "On this computer the passkey is this phone’s"), request, button);
	const passkey = h("div", { class: "form" }, h("h3", {}, "This account has a passkey"), h("p", {}, "The other screen asks for it now, and shows a text for the browser’s console."), form, result);
	const code = h("p", { class: "code" });
	const confirmation = h("div", { class: "form" }, h("h3", {}, "Is this the code on the other screen?"), code, h("p", {}, "If so, confirm it there."));
	const box = h("div", { class: "note", id: "waiting", role: "status", hidden: true }, passkey, confirmation);
	box.show = (link) => {
		const appears = box.hidden && link.waiting;
		box.hidden = !link.waiting;
		if (appears) box.scrollIntoView({ block: "start" });
		passkey.hidden = link.waiting !== "passkey";
		confirmation.hidden = link.waiting !== "confirmation";
		code.textContent = link.code ?? "";
	};
	return box;
}

/** passkeyRequest finds the request in whatever was copied around it. */
function passkeyRequest(text) {
	for (let start = text.indexOf("{"); start >= 0; start = text.indexOf("{", start + 1)) {
		for (let end = text.lastIndexOf("}"); end > start; end = text.lastIndexOf("}", end - 1)) {
			try {
				const found = JSON.parse(text.slice(start, end + 1));
				if (found.challenge) return found;
			} catch { /* not this far */ }
		}
	}
	throw new Error("There is no request for a passkey in this text. Copy all of what the other screen shows.");
}

export async function linkScreen(phone, signal) {
	const text = h("textarea", { id: "text", rows: "3", spellcheck: "false", autocomplete: "off", placeholder: "Paste the code’s text, or a screenshot of it", "data-testid": "code-text" });
	const scan = h("button", { class: "button", "data-testid": "scan" }, "Link this device");
	const picture = h("input", { type: "file", accept: "image/*", id: "picture", class: "visually-hidden", "data-testid": "code-picture" });
	const drop = h("label", { class: "drop", for: "picture" }, icon("link"), h("span", {}, h("b", {}, "Drop a screenshot of the QR code"), " or choose one"));
	const code = h("input", { id: "code", class: "code", autocomplete: "off", autocapitalize: "characters", spellcheck: "false", maxlength: "12", placeholder: "ABCD-1234", "data-testid": "code" });
	const enter = h("button", { class: "button ghost", "data-testid": "enter-code" }, "Link with this code");

	const fromPicture = (file) => link(phone, null, () => {
		drop.classList.add("working");
		return api.scanPicture(phone.number, file).finally(() => drop.classList.remove("working"));
	});
	picture.addEventListener("change", () => picture.files[0] && fromPicture(picture.files[0]));
	const body = frame({
		title: "Link a device", subtitle: `to ${phone.name}, ${pretty(phone.number)}`, back: `#/${phone.number}/devices`,
		body: [
			waitingBox(() => phone),
			h("form", {
				class: "card form",
				onsubmit: (event) => {
					event.preventDefault();
					link(phone, scan, () => api.scan(phone.number, text.value));
				},
			},
				h("h3", {}, "Scan the QR code"),
				drop, picture,
				h("label", { for: "text" }, "or its text"), text, scan),
			h("form", {
				class: "card form",
				onsubmit: (event) => {
					event.preventDefault();
					link(phone, enter, () => api.code(phone.number, code.value));
				},
			},
				h("h3", {}, "Link with a phone number instead"),
				h("p", { class: "quiet" }, `In Switchboard choose “pair with a code” and give the number ${pretty(phone.number)}.`),
				h("label", { for: "code" }, "The eight characters it shows"), code, enter),
		],
	}).body;
	const image = (items) => [...(items ?? [])].find((file) => file.type.startsWith("image/"));
	body.addEventListener("dragover", (event) => {
		event.preventDefault();
		drop.classList.add("over");
	});
	body.addEventListener("dragleave", () => drop.classList.remove("over"));
	body.addEventListener("drop", (event) => {
		event.preventDefault();
		drop.classList.remove("over");
		const file = image(event.dataTransfer.files);
		if (file) fromPicture(file);
		else if (event.dataTransfer.getData("text")) text.value = event.dataTransfer.getData("text");
	});
	document.addEventListener("paste", (event) => {
		const file = image(event.clipboardData?.files);
		if (file) {
			event.preventDefault();
			fromPicture(file);
		}
	}, { signal });
}

/** scanScreen is where Switchboard's banner leads: one button, and a phone is chosen already. */
export async function scanScreen(code, signal) {
	const phones = (await api.phones()).filter((phone) => phone.online);
	if (signal.aborted) return;
	let chosen;
	const button = h("button", { class: "button large", autofocus: true, "data-testid": "link-this-device" }, "Link this device");
	const choices = phones.map((phone, i) => h("label", { class: "row choice" },
		h("input", { type: "radio", name: "phone", value: phone.number, checked: i === 0 }),
		avatar(phone.number, phone.name),
		h("span", { class: "what" }, h("b", {}, phone.name), h("span", { class: "quiet" }, pretty(phone.number)))));
	choices.push(h("label", { class: "row choice" },
		h("input", { type: "radio", name: "phone", value: "", checked: phones.length === 0 }),
		h("span", { class: "avatar plus", "aria-hidden": "true" }, "+"),
		h("span", { class: "what" }, h("b", {}, "A new phone"), h("span", { class: "quiet" }, "with a number of its own"))));
	frame({
		title: "Link a device", subtitle: "Switchboard shows a code to scan", back: "#/",
		body: [waitingBox(() => chosen), h("form", {
			class: "scan",
			onsubmit: (event) => {
				event.preventDefault();
				const number = new FormData(event.target).get("phone");
				busy(button, async () => {
					chosen = number ? phones.find((phone) => phone.number === number) : await makePhone(await api.phones());
					await link(chosen, button, () => api.scan(chosen.number, code));
				});
			},
		},
			h("h3", { class: "lead" }, "Whose phone shall scan it?"),
			h("div", { class: "card flush", role: "radiogroup", "aria-label": "Phone" }, ...choices),
			button,
			h("p", { class: "quiet centre" }, "This is the same as holding the phone’s camera over the code."))],
	});
}

export async function devicesScreen(phone, signal) {
	const draw = (phone) => frame({
		title: phone.name, subtitle: status(phone), sign: phoneSign(phone), number: phone.number, tab: "devices",
		body: [
			h("a", { class: "button large", href: `#/${phone.number}/link`, "data-testid": "link-a-device" }, icon("plus"), "Link a device"),
			phone.companions.length === 0
				? h("p", { class: "empty" }, "No device is linked. Use Switchboard with this number by linking it.")
				: h("ul", { class: "list card flush", "aria-label": "Linked devices" }, ...phone.companions.map((device) => deviceRow(phone, device))),
			h("p", { class: "quiet centre" }, "Messages are end-to-end encrypted between the devices, on the simulated network too."),
		],
	});
	draw(phone);
	let last = JSON.stringify(phone);
	while (!signal.aborted) {
		await new Promise((resolve) => setTimeout(resolve, 2000));
		if (signal.aborted) return;
		const now = await api.phone(phone.number).catch(() => null);
		if (!now || signal.aborted || JSON.stringify(now) === last || document.querySelector("dialog[open]")) continue;
		last = JSON.stringify(now);
		draw(now);
	}
}

function deviceRow(phone, device) {
	const dialog = h("dialog", { "aria-label": "Unlink" },
		h("p", {}, `Unlink ${device.platform || "this device"}? It is logged out at once.`),
		h("div", { class: "choices" },
			h("button", { class: "button ghost", onclick: () => dialog.close() }, "Keep it"),
			h("button", {
				class: "button danger", "data-testid": "unlink-really",
				onclick: (event) => busy(event.currentTarget, async () => {
					await api.unlink(phone.number, device.device);
					dialog.close();
					toast("Unlinked.");
				}),
			}, "Unlink")));
	return h("li", { class: "row", "data-testid": `device-${device.device}` },
		h("span", { class: "avatar device", "aria-hidden": "true" }, icon("devices")),
		h("span", { class: "what" },
			h("span", { class: "line" }, h("b", {}, device.platform || "Linked device")),
			h("span", { class: "line quiet" }, h("span", { class: device.online ? "dot on" : "dot" }), device.online ? "Connected" : "Not connected",
				!device.online && device.queued > 0 ? ` · ${device.queued} waiting` : "", ` · device ${device.device}`)),
		h("button", { class: "button small", onclick: () => dialog.showModal(), "data-testid": "unlink" }, "Unlink"),
		dialog);
}
