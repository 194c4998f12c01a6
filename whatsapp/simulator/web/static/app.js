// The page's frame: which screen is shown, and what it shows while others change things.
//
// The address says it all, so that back, forward and reload work: #/ lists the phones,
// #/NUMBER is one of them, #/NUMBER/chat/WHO, /new, /link, /devices and /settings are its
// screens. #scan=TEXT comes from Switchboard's banner and asks which phone shall scan.

import { api } from "./api.js";
import { h, icon, avatar, toast, pretty } from "./dom.js";
import { homeScreen, chatScreen, newChatScreen } from "./chats.js";
import { linkScreen, scanScreen, devicesScreen } from "./linking.js";
import { phonesScreen, settingsScreen } from "./phones.js";

const view = document.getElementById("screen");
let leave; // ends what the current screen does in the background

export function go(...parts) {
	location.hash = "#/" + parts.map(encodeURIComponent).join("/");
}

/** frame is what all screens share: a bar with a way back, a body, and tabs on the main ones. */
export function frame({ title, subtitle, back, sign, actions, body, number, tab, foot }) {
	const bar = h("header", { class: "bar" },
		back && h("a", { class: "round", href: back, "aria-label": "Back" }, icon("back")),
		sign,
		h("div", { class: "titles" },
			h("h2", { id: "title", tabindex: "-1" }, title),
			h("p", { class: "subtitle", id: "subtitle" }, subtitle ?? "")),
		...(actions ?? []));
	const tabs = tab && h("nav", { class: "tabs", "aria-label": "Phone" },
		...[["chats", "Chats", ""], ["devices", "Linked devices", "/devices"], ["settings", "Settings", "/settings"]].map(([name, label, path]) =>
			h("a", { href: `#/${number}${path}`, "aria-current": name === tab ? "page" : undefined }, icon(name), h("span", {}, label))));
	view.replaceChildren(...[bar, h("div", { class: "body", id: "body" }, body), foot, tabs].filter(Boolean));
	document.title = `${title} · Simulated phone`;
	return { bar, body: view.querySelector("#body"), subtitle: view.querySelector("#subtitle") };
}

export function phoneSign(phone) {
	return h("a", { class: "sign", href: "#/", "aria-label": "Choose another phone" }, avatar(phone.number, phone.name));
}

export function status(phone) {
	if (!phone.online) return "Switched off";
	return phone.connected ? pretty(phone.number) : "Connecting…";
}

async function show() {
	leave?.abort();
	leave = new AbortController();
	const signal = leave.signal;
	try {
		if (location.hash.startsWith("#scan=")) {
			await scanScreen(scanned(), signal);
		} else {
			const [number, screen, who] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
			await screens(number, screen, who, signal);
		}
		if (!signal.aborted) view.querySelector("[autofocus], #title")?.focus({ preventScroll: true });
	} catch (error) {
		if (error.name === "AbortError") return;
		if (error.status === 404) {
			go();
			return;
		}
		toast(error.message, true);
		frame({ title: "Simulated phone", body: h("div", { class: "empty" }, h("p", {}, error.message), h("button", { class: "button", onclick: show }, "Try again")) });
	}
}

/** scanned is the code that Switchboard's banner passed on, whether it was escaped or not. */
function scanned() {
	const text = location.hash.slice("#scan=".length);
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

async function screens(number, screen, who, signal) {
	if (!number) return phonesScreen(signal);
	const phone = await api.phone(number);
	if (signal.aborted) return undefined;
	switch (screen) {
		case "chat": return chatScreen(phone, who, signal);
		case "new": return newChatScreen(phone, signal);
		case "link": return linkScreen(phone, signal);
		case "devices": return devicesScreen(phone, signal);
		case "settings": return settingsScreen(phone, signal);
		default: return homeScreen(phone, signal);
	}
}

addEventListener("hashchange", show);
show();
