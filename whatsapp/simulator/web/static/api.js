// The JSON interface, as docs/simulator.md describes it.

async function ask(method, path, body, type, signal) {
	let response;
	try {
		response = await fetch("/api" + path, {
			method,
			signal,
			headers: body === undefined ? {} : { "Content-Type": type ?? "application/json" },
			body: body === undefined || type ? body : JSON.stringify(body),
		});
	} catch (error) {
		if (error.name === "AbortError") throw error;
		throw new Error("The simulated network does not answer. Is it still running?");
	}
	if (response.status === 204) return undefined;
	const answer = await response.json().catch(() => ({}));
	if (!response.ok) throw Object.assign(new Error(answer.detail ?? "That did not work."), { status: response.status });
	return answer;
}

const at = (number, ...more) => ["/phones", number, ...more].map((part, i) => (i ? encodeURIComponent(part) : part)).join("/");

export const api = {
	phones: () => ask("GET", "/phones").then((answer) => answer.phones),
	addPhone: (number, name) => ask("POST", "/phones", { number, name }),
	phone: (number) => ask("GET", at(number)),
	change: (number, change) => ask("PATCH", at(number), change),
	scan: (number, text) => ask("POST", at(number, "scan"), { text }),
	scanPicture: (number, picture) => ask("POST", at(number, "scan"), picture, picture.type || "image/png"),
	code: (number, code) => ask("POST", at(number, "code"), { code }),
	passkey: (number, request) => ask("POST", at(number, "passkey"), request),
	unlink: (number, device) => ask("DELETE", at(number, "companions", String(device))),
	chats: (number) => ask("GET", at(number, "chats")).then((answer) => answer.chats),
	messages: (number, chat) => ask("GET", `${at(number, "messages")}?chat=${encodeURIComponent(chat)}&limit=200`),
	watch: (number, after, chat, signal) => ask("GET", `${at(number, "messages")}?after=${after}&wait=30s&chat=${encodeURIComponent(chat)}`, undefined, undefined, signal),
	send: (number, to, message) => ask("POST", at(number, "messages"), { to, ...message }),
	alter: (number, chat, id, change) => ask("PATCH", at(number, "messages", id), { chat, ...change }),
	read: (number, chat) => ask("POST", at(number, "read"), { chat }),
	typing: (number, chat, typing) => ask("POST", at(number, "typing"), { chat, typing }),
	file: (number, chat, id) => `/api${at(number, "messages", id, "file")}?chat=${encodeURIComponent(chat)}`,
};
