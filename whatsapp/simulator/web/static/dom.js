// Small helpers to build and show elements. Text is only ever set as text, so that nothing a
// message says can become markup.

/** h makes an element: h("button", {class: "big", onclick: f}, "Send"). */
export function h(tag, attributes, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes ?? {})) {
		if (value === undefined || value === null || value === false) continue;
		if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
		else if (name === "value" || name === "checked" || name === "disabled" || name === "hidden") element[name] = value;
		else element.setAttribute(name, value === true ? "" : value);
	}
	element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
	return element;
}

const paths = {
	back: "M15 5l-7 7 7 7",
	plus: "M12 5v14M5 12h14",
	send: "M4 12l16-8-6 16-3-6z",
	clip: "M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.4 3.4 0 0 1 5 5l-8.5 8.5a1.8 1.8 0 0 1-2.5-2.5L15 7.500",
	link: "M10 14a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-5.700-5.700l-1.500 1.500M14 10a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 5.700 5.700l1.500-1.500",
	chats: "M4 5h16v11H9l-5 4z",
	devices: "M3 5h12v9H3zM2 18h12M17 9h5v10h-5z",
	settings: "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4",
	more: "M6 12h.01M12 12h.01M18 12h.01",
	file: "M7 3h7l4 4v14H7zM14 3v4h4",
};

/** icon makes one of the line icons above; it is decoration, so label what holds it. */
export function icon(name) {
	const namespace = "http://www.w3.org/2000/svg";
	const svg = document.createElementNS(namespace, "svg");
	for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" })) svg.setAttribute(key, value);
	const path = document.createElementNS(namespace, "path");
	path.setAttribute("d", paths[name]);
	svg.append(path);
	return svg;
}

/** avatar is a round sign for a person or a group, always the same for the same one. */
export function avatar(key, name, group) {
	let sum = 0;
	for (const letter of key) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
	const words = name.replace(/[+()]/g, "").trim().split(/\s+/);
	const letters = /^\d/.test(words[0] ?? "") ? name.slice(-2) : words.slice(0, 2).map((word) => [...word][0] ?? "").join("");
	return h("span", { class: `avatar shade-${sum % 6}${group ? " group" : ""}`, "aria-hidden": "true" }, letters.toUpperCase());
}

let hide;

/** toast shows a sentence for a moment at the bottom of the phone. */
export function toast(text, bad) {
	const box = document.getElementById("toast");
	box.textContent = text;
	box.classList.toggle("bad", Boolean(bad));
	box.hidden = false;
	clearTimeout(hide);
	hide = setTimeout(() => { box.hidden = true; }, bad ? 8000 : 4000);
}

/** busy runs work while button is disabled, and shows what went wrong. */
export async function busy(button, work) {
	if (button) {
		button.disabled = true;
		button.setAttribute("aria-busy", "true");
	}
	try {
		return await work();
	} catch (error) {
		toast(error.message, true);
		return undefined;
	} finally {
		if (button) {
			button.disabled = false;
			button.removeAttribute("aria-busy");
		}
	}
}

export function clock(time) {
	return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

export function day(time) {
	const date = new Date(time);
	const midnight = (d) => new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime();
	const days = Math.round((midnight(new Date()) - midnight(date)) / 86400000);
	if (days === 0) return "Today";
	if (days === 1) return "Yesterday";
	return date.toLocaleDateString([], { weekday: "short", day: "numeric", month: "long" });
}

/** pretty writes a number in groups, as people do. */
export function pretty(number) {
	if (number.includes("@")) return number;
	return "+" + number.replace(/^(\d{2})(\d{3})(\d{3,4})(\d*)$/, "$1 $2 $3 $4").trim();
}
