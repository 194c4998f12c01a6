// The list of chats, and one chat.

import { api } from "./api.js";
import { h, icon, avatar, busy, toast, clock, day, pretty } from "./dom.js";
import { frame, go, phoneSign, status } from "./app.js";

const signs = { pending: "◷", sent: "✓", delivered: "✓✓", read: "✓✓", failed: "!" };
const meanings = { pending: "on its way", sent: "sent", delivered: "delivered", read: "read", failed: "not sent" };

function ticks(entry) {
	if (!entry.from_me || !entry.status) return undefined;
	return h("span", { class: `ticks ${entry.status}`, role: "img", "aria-label": meanings[entry.status] }, signs[entry.status]);
}

const nouns = { image: "Photo", video: "Video", audio: "Voice message", document: "Document", sticker: "Sticker", location: "Location", contact: "Contact", poll: "Poll", other: "Message of a kind this phone does not show" };

function summary(entry) {
	if (entry.revoked) return "This message was taken back";
	if (entry.kind === "text") return entry.text;
	return entry.text ? `${nouns[entry.kind]}: ${entry.text}` : nouns[entry.kind];
}

/** follow calls seen with every change of the phone's entries until the screen is left. */
async function follow(number, after, chat, signal, seen) {
	while (!signal.aborted) {
		try {
			const page = await api.watch(number, after, chat, signal);
			after = page.after;
			if (!signal.aborted) await seen(page);
		} catch (error) {
			if (signal.aborted) return;
			await new Promise((resolve) => setTimeout(resolve, 2000));
		}
	}
}

export async function homeScreen(phone, signal) {
	const list = h("ul", { class: "list", "aria-label": "Chats" });
	const names = await people();
	const fill = async () => {
		const chats = await api.chats(phone.number);
		if (signal.aborted) return;
		list.replaceChildren(...chats.map((chat) => chatRow(phone, chat, names)));
		empty.hidden = chats.length > 0;
	};
	const empty = h("div", { class: "empty", hidden: true },
		h("p", {}, phone.companions.length ? "No messages yet. Write the first one." : "Link this phone to Switchboard, or write to another phone."),
		phone.companions.length === 0 && h("a", { class: "button", href: `#/${phone.number}/link` }, icon("link"), "Link a device"));
	frame({
		title: phone.name, subtitle: status(phone), sign: phoneSign(phone), number: phone.number, tab: "chats",
		actions: [phone.answer.on && h("a", { class: "chip", href: `#/${phone.number}/settings` }, "answers by itself")],
		body: [list, empty, h("a", { class: "write", href: `#/${phone.number}/new`, "aria-label": "New message", "data-testid": "new-message" }, icon("plus"))],
	});
	await fill();
	follow(phone.number, phone.seq, "", signal, fill);
}

function chatRow(phone, chat, names) {
	const last = chat.last;
	const who = chat.group && !last.from_me ? `${names(last.from)}: ` : "";
	return h("li", {}, h("a", { class: "row", href: `#/${phone.number}/chat/${encodeURIComponent(chat.chat)}`, "data-testid": `chat-${chat.chat}` },
		avatar(chat.chat, chat.name, chat.group),
		h("span", { class: "what" },
			h("span", { class: "line" }, h("b", {}, nameOf(chat.chat, chat.name)), h("time", { class: "tail quiet", datetime: last.time }, clock(last.time))),
			h("span", { class: "line quiet" }, ticks(last), h("span", { class: "cut" }, who + summary(last)),
				chat.unread > 0 && h("span", { class: "badge", "aria-label": `${chat.unread} unread` }, String(chat.unread))))));
}

/** people returns a function from a number to its owner's name. */
async function people() {
	const names = new Map((await api.phones()).map((phone) => [phone.number, phone.name]));
	return (number) => names.get(number) ?? pretty(number);
}

/** nameOf is a chat's name, or its number written as people do. */
function nameOf(chat, name) {
	return name && name !== "+" + chat ? name : pretty(chat);
}

export async function newChatScreen(phone, signal) {
	const others = (await api.phones()).filter((other) => other.number !== phone.number);
	if (signal.aborted) return;
	const number = h("input", { id: "to", inputmode: "tel", autocomplete: "off", required: true, placeholder: "+49 …", "data-testid": "to" });
	frame({
		title: "New message", subtitle: `from ${phone.name}`, back: `#/${phone.number}`,
		body: [
			h("form", {
				class: "card form",
				onsubmit: (event) => {
					event.preventDefault();
					go(phone.number, "chat", number.value.replace(/\D/g, ""));
				},
			},
				h("label", { for: "to" }, "To which phone number?"), number, h("button", { class: "button" }, "Write")),
			others.length > 0 && h("ul", { class: "list", "aria-label": "Other phones" }, ...others.map((other) =>
				h("li", {}, h("a", { class: "row", href: `#/${phone.number}/chat/${other.number}` },
					avatar(other.number, other.name),
					h("span", { class: "what" }, h("b", {}, other.name), h("span", { class: "quiet" }, pretty(other.number))))))),
		],
	});
}

export async function chatScreen(phone, chat, signal) {
	const page = await api.messages(phone.number, chat);
	const known = (await api.chats(phone.number)).find((other) => other.chat === chat);
	const names = await people();
	if (signal.aborted) return;
	const name = nameOf(chat, known?.name ?? names(chat));
	const entries = new Map(page.messages.map((entry) => [entry.id, entry]));
	const log = h("div", { class: "log", role: "log", "aria-label": "Messages" });
	const quiet = chat.includes("@") ? "Group" : pretty(chat);
	const { body, subtitle } = frame({
		title: name, subtitle: quiet, back: `#/${phone.number}`, sign: avatar(chat, name, chat.includes("@")),
		body: log, foot: composer(phone, chat, signal),
	});
	const draw = (activity) => {
		const low = body.scrollHeight - body.scrollTop - body.clientHeight < 80;
		log.replaceChildren(...bubbles(phone, chat, [...entries.values()], names));
		subtitle.textContent = activity.typing ? (activity.recording ? "recording…" : "typing…") : activity.available ? "online" : quiet;
		if (low) body.scrollTop = body.scrollHeight;
	};
	const markRead = () => {
		if ([...entries.values()].some((entry) => entry.unread) && document.visibilityState === "visible") api.read(phone.number, chat).catch(() => {});
	};
	draw(page.activity);
	body.scrollTop = body.scrollHeight;
	markRead();
	document.addEventListener("visibilitychange", markRead, { signal });
	if (phone.online) api.change(phone.number, { available: true }).catch(() => {});
	follow(phone.number, page.after, chat, signal, (page) => {
		for (const entry of page.messages) if (entry.chat === chat) entries.set(entry.id, entry);
		draw(page.activity);
		markRead();
	});
}

function bubbles(phone, chat, entries, names) {
	const all = [];
	let date = "";
	let previous;
	if (entries.length === 0) all.push(h("p", { class: "empty" }, "No messages yet."));
	for (const entry of entries) {
		if (day(entry.time) !== date) {
			date = day(entry.time);
			all.push(h("p", { class: "date" }, h("span", {}, date)));
			previous = undefined;
		}
		all.push(bubble(phone, chat, entry, previous, entries, names));
		previous = entry;
	}
	return all;
}

function bubble(phone, chat, entry, previous, entries, names) {
	const group = chat.includes("@");
	const first = !previous || previous.from !== entry.from;
	const quoted = entry.reply_to && entries.find((other) => other.id === entry.reply_to);
	const reactions = Object.values(entry.reactions ?? {});
	return h("div", { class: `bubble ${entry.from_me ? "mine" : "theirs"}${first ? " first" : ""}`, "data-testid": "message" },
		group && !entry.from_me && first && h("p", { class: "from" }, names(entry.from)),
		quoted && h("p", { class: "quote" }, summary(quoted)),
		entry.revoked ? h("p", { class: "gone" }, "This message was taken back") : content(phone, chat, entry),
		h("p", { class: "meta" },
			entry.from_me && entry.device > 0 && "via linked device · ",
			entry.edited && "edited · ", h("time", { datetime: entry.time }, clock(entry.time)), ticks(entry)),
		reactions.length > 0 && h("span", { class: "reactions" }, [...new Set(reactions)].join(""), reactions.length > 1 ? ` ${reactions.length}` : ""),
		!entry.revoked && actions(phone, chat, entry));
}

function content(phone, chat, entry) {
	const url = api.file(phone.number, chat, entry.id);
	const text = entry.text && h("p", { class: "text" }, entry.text);
	if (entry.kind === "text") return text;
	if (entry.kind === "image" && /^image\/(png|jpeg|gif|webp)$/.test(entry.media.mime)) {
		return [h("img", { src: url, alt: entry.text || "Photo", loading: "lazy" }), text];
	}
	if (entry.media) {
		const size = entry.media.size < 10240 ? `${entry.media.size} bytes` : `${Math.round(entry.media.size / 1024)} KB`;
		return [h("a", { class: "file", href: url, download: entry.media.name || entry.kind }, icon("file"), h("span", {}, entry.media.name || nouns[entry.kind], h("small", {}, size))), text];
	}
	return h("p", { class: "text" }, summary(entry));
}

function actions(phone, chat, entry) {
	const react = (emoji) => h("button", { "aria-label": `React with ${emoji}`, onclick: () => act({ reaction: entry.reactions?.[phone.number] === emoji ? "" : emoji }) }, emoji);
	const act = (change) => busy(null, async () => {
		details.open = false;
		await api.alter(phone.number, chat, entry.id, change);
	});
	const details = h("details", { class: "actions" },
		h("summary", { "aria-label": "What to do with this message" }, icon("more")),
		h("div", { class: "menu" }, react("👍"), react("❤️"), react("😂"),
			entry.from_me && entry.device === 0 && h("button", { onclick: () => act({ revoked: true }) }, "Take back")));
	return details;
}

const maxFile = 16 << 20;

function composer(phone, chat, signal) {
	const text = h("textarea", { rows: "1", "aria-label": "Message", placeholder: phone.online ? "Message" : "This phone is switched off", disabled: !phone.online, autofocus: true, "data-testid": "compose" });
	const send = h("button", { class: "round send", "aria-label": "Send", disabled: !phone.online, "data-testid": "send" }, icon("send"));
	const file = h("input", { type: "file", class: "visually-hidden", id: "attach", disabled: !phone.online });
	let typed = 0;
	let pause;
	const typing = (on) => {
		typed = on ? Date.now() : 0;
		api.typing(phone.number, chat, on).catch(() => {});
	};
	text.addEventListener("input", () => {
		text.rows = Math.min(5, text.value.split("\n").length);
		if (Date.now() - typed > 5000) typing(true);
		clearTimeout(pause);
		pause = setTimeout(() => typed && !signal.aborted && typing(false), 4000);
	});
	text.addEventListener("keydown", (event) => {
		if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
			event.preventDefault();
			form.requestSubmit();
		}
	});
	file.addEventListener("change", () => busy(send, async () => {
		const chosen = file.files[0];
		if (!chosen) return;
		if (chosen.size > maxFile) {
			toast("A phone sends files up to 16 MB.", true);
			return;
		}
		const kind = ["image", "video", "audio"].find((kind) => chosen.type.startsWith(kind + "/")) ?? "document";
		const data = await base64(chosen);
		await api.send(phone.number, chat, { file: { kind, mime: chosen.type || "application/octet-stream", name: chosen.name, caption: text.value.trim(), data } });
		file.value = "";
		text.value = "";
	}));
	const form = h("form", {
		class: "composer",
		onsubmit: (event) => {
			event.preventDefault();
			const message = text.value.trim();
			if (!message) return;
			text.value = "";
			text.rows = 1;
			clearTimeout(pause);
			typed = 0;
			busy(null, () => api.send(phone.number, chat, { text: message }).catch((error) => {
				if (!text.value) text.value = message;
				throw error;
			}));
		},
	},
		h("label", { class: "round", for: "attach", "aria-label": "Attach a file" }, icon("clip")), file, text, send);
	return form;
}

function base64(file) {
	return new Promise((resolve, reject) => {
		const reader = new FileReader();
		reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
		reader.onerror = () => reject(new Error("This file cannot be read."));
		reader.readAsDataURL(file);
	});
}
