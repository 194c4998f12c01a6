// What neither HTML nor htmx can do: count seconds down, show times in the reader's own
// zone, copy a text, ask for a passkey, let a toast go, keep a page that somebody types in.
// Every page works without it.
(() => {
  // The server's clock counts, however wrong this computer's may be.
  const skew = Number(document.documentElement.dataset.now) - Date.now();
  const secondsUntil = (millis) => Math.ceil((Number(millis) - Date.now() - skew) / 1000);

  const duration = (seconds) => {
    if (seconds < 90) return `${seconds} s`;
    if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
    return `${Math.round(seconds / 3600)} h`;
  };

  const put = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };

  function tick() {
    for (const e of document.querySelectorAll("[data-left]")) {
      const left = secondsUntil(e.dataset.left);
      put(e, left > 0 ? `${duration(left)} left` + (e.dataset.after && `, ${e.dataset.after}`) : "run out");
    }
    for (const e of document.querySelectorAll("[data-until]")) {
      const left = secondsUntil(e.dataset.until);
      put(e, left > 0 ? `in ${duration(left)}` : "now");
    }
    for (const ring of document.querySelectorAll("[data-ring]")) {
      const left = Math.max(0, secondsUntil(ring.dataset.ring));
      // WhatsApp shows the first code of a round for 60 s and the others for 20 s; the
      // longest that was seen of this code is what the ring starts from.
      if (!ring.dataset.full) ring.dataset.full = String(left > 20 ? Math.max(left, 60) : 20);
      const done = 100 - (100 * left) / Number(ring.dataset.full);
      ring.querySelector(".clock-left").style.strokeDashoffset = String(done);
    }
  }

  const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const second = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

  function localise(root) {
    for (const e of root.querySelectorAll("time[data-local]")) {
      const at = new Date(e.dateTime);
      if (e.dataset.local === "second") {
        put(e, second.format(at));
        continue;
      }
      const today = at.toDateString() === new Date().toDateString();
      put(e, !today ? day.format(at) : (e.dataset.local === "day" ? "today, " : "") + time.format(at));
    }
  }

  function copyButtons(root) {
    if (!navigator.clipboard) return;
    for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
  }

  function passkeyButtons(root) {
    for (const part of root.querySelectorAll("[data-passkey-direct]")) {
      const rp = part.dataset.rp;
      const ours = rp && (location.hostname === rp || location.hostname.endsWith("." + rp));
      part.hidden = !(ours && window.isSecureContext && window.PublicKeyCredential);
    }
  }

  function toasts(root) {
    for (const toast of root.querySelectorAll("[data-toast]:not([data-leaving])")) {
      toast.dataset.leaving = "";
      setTimeout(() => toast.classList.add("toast-leaving"), 6000);
      setTimeout(() => toast.remove(), 6500);
    }
  }

  function dress(root) {
    localise(root);
    copyButtons(root);
    passkeyButtons(root);
    toasts(document);
    tick();
  }

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      await navigator.clipboard.writeText(document.querySelector(copy.dataset.copy).value);
      copy.textContent = "Copied";
      setTimeout(() => { copy.textContent = "Copy"; }, 2000);
    }
    const passkey = event.target.closest("[data-passkey]");
    if (passkey) {
      const field = document.querySelector("#passkey-answer");
      try {
        field.value = await answerPasskey(JSON.parse(passkey.dataset.passkey));
        field.form.requestSubmit();
      } catch {
        passkey.textContent = "The passkey did not answer. Try again";
      }
    }
  });

  // A link to a folded part of the page unfolds it, one to a form begins it.
  const unfold = () => {
    const part = location.hash && document.getElementById(location.hash.slice(1));
    if (part instanceof HTMLDetailsElement) part.open = true;
    if (part instanceof HTMLFormElement) part.querySelector("input:not([type=hidden])").focus();
  };
  addEventListener("hashchange", unfold);

  // The panel itself may be away for a moment, during an update for example.
  const away = (gone) => { document.getElementById("away").hidden = !gone; };
  document.addEventListener("htmx:sendError", () => away(true));
  document.addEventListener("htmx:timeout", () => away(true));
  document.addEventListener("htmx:afterOnLoad", () => away(false));
  document.addEventListener("htmx:afterSettle", () => dress(document));

  // A part of the page that finds the session ended leads to sign-in, but not somebody who types.
  const typing = () => [...document.querySelectorAll("textarea, input:not([type=hidden], [type=checkbox], [type=radio])")]
    .some((field) => field.value !== field.defaultValue);
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const { xhr, requestConfig } = event.detail;
    const ended = xhr.status === 401 && requestConfig.verb === "get" && typing();
    document.getElementById("ended").hidden = !ended;
    if (ended) event.preventDefault();
  });

  unfold();
  dress(document);
  setInterval(tick, 500);
})();
