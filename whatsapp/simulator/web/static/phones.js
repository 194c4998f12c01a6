// Choosing and making phones, and a phone's settings.

import { api } from "./api.js";
import { h, icon, avatar, busy, toast, pretty } from "./dom.js";
import { frame, go, phoneSign, status } from "./app.js";

const names = ["Anna Becker", "Ben Okafor", "Carla Rossi", "Deniz Kaya", "Elif Demir", "Farid Haddad", "Greta Nilsson", "Hugo Martin"];

/** proposal is a number and a name that nobody has yet. */
function proposal(phones) {
	const taken = new Set(phones.map((phone) => phone.number));
	let number = 4915110000001;
	while (taken.has(String(number))) number++;
	const used = new Set(phones.map((phone) => phone.name));
	return { number: String(number), name: names.find((name) => !used.has(name)) ?? "" };
}

/** makePhone adds the phone that was proposed. */
export async function makePhone(phones) {
	const { number, name } = proposal(phones);
	return api.addPhone(number, name);
}

export async function phonesScreen(signal) {
	const phones = await api.phones();
	if (signal.aborted) return;
	const proposed = proposal(phones);
	const number = h("input", { id: "number", inputmode: "tel", autocomplete: "off", required: true, value: pretty(proposed.number) });
	const name = h("input", { id: "name", autocomplete: "off", value: proposed.name, maxlength: "25" });
	const button = h("button", { class: "button", "data-testid": "add-phone" }, "Create phone");
	const form = h("form", {
		class: "card form",
		onsubmit: (event) => {
			event.preventDefault();
			busy(button, async () => {
				const phone = await api.addPhone(number.value, name.value);
				go(phone.number);
			});
		},
	},
		h("h3", {}, phones.length ? "Another phone" : "Make a phone"),
		h("label", { for: "number" }, "Phone number"), number,
		h("label", { for: "name" }, "Name"), name,
		button);
	const list = phones.length > 0 && h("ul", { class: "list", "aria-label": "Phones" }, ...phones.map((phone) =>
		h("li", {}, h("a", { class: "row", href: `#/${phone.number}`, "data-testid": `phone-${phone.number}` },
			avatar(phone.number, phone.name),
			h("span", { class: "what" },
				h("span", { class: "line" }, h("b", {}, phone.name)),
				h("span", { class: "line quiet" }, pretty(phone.number),
					h("span", { class: "tail" }, devices(phone))))))));
	frame({
		title: "Phones",
		subtitle: phones.length ? "Whose phone do you want to hold?" : "Nobody has a phone yet.",
		body: [list, form],
	});
}

function devices(phone) {
	if (!phone.online) return "off";
	const n = phone.companions.length;
	return n === 0 ? "" : n === 1 ? "1 linked device" : `${n} linked devices`;
}

/** toggle is a switch with a sentence about it. */
function toggle(id, label, hint, on, change) {
	const box = h("input", { type: "checkbox", role: "switch", id, checked: on, "aria-describedby": `${id}-hint`, "data-testid": id });
	box.addEventListener("change", () => busy(box, () => change(box.checked).catch((error) => {
		box.checked = !box.checked;
		throw error;
	})));
	return h("div", { class: "setting" },
		h("div", {}, h("label", { for: id }, label), h("p", { class: "quiet", id: `${id}-hint` }, hint)), box);
}

export async function settingsScreen(phone, signal) {
	const answer = { ...phone.answer, prefix: phone.answer.prefix || (phone.answer.on ? "" : "You wrote: ") };
	const prefix = h("input", { id: "prefix", value: answer.prefix, autocomplete: "off", maxlength: "100" });
	const save = () => api.change(phone.number, { answer: { on: answer.on, prefix: prefix.value, delay_ms: answer.delay_ms } });
	prefix.addEventListener("change", () => busy(null, async () => {
		await save();
		toast("Saved.");
	}));
	frame({
		title: phone.name, subtitle: status(phone), sign: phoneSign(phone), number: phone.number, tab: "settings",
		body: [
			h("div", { class: "card" },
				toggle("answer", "Answer by itself", "Every text from a person is answered at once, with the words below and the text itself.", answer.on, (on) => {
					answer.on = on;
					return save();
				}),
				h("div", { class: "setting stacked" }, h("label", { for: "prefix" }, "Begin the answer with"), prefix)),
			h("div", { class: "card" },
				toggle("online", "Switched on", "While it is off, messages wait on the network.", phone.online, async (on) => {
					await api.change(phone.number, { online: on });
					if (!signal.aborted) settingsScreen(await api.phone(phone.number), signal);
				}),
				toggle("passkey", "Ask for a passkey", "WhatsApp does so for some accounts when a device is linked.", phone.passkey, (on) => api.change(phone.number, { passkey: on }))),
			phone.undecryptable > 0 && h("p", { class: "note" }, `${phone.undecryptable} messages could not be opened when they first came.`),
			h("a", { class: "button ghost", href: "#/" }, icon("devices"), "Hold another phone"),
		],
	});
}
