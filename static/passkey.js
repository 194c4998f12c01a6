// This asks the browser for a passkey's answer to one request, and does nothing else. The
// panel loads it; a person runs it on WhatsApp's own page, the only place where browsers
// let WhatsApp's passkeys answer.
async function answerPasskey(options) {
  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const publicKey = { ...options, challenge: bytes(options.challenge) };
  if (options.allowCredentials) {
    publicKey.allowCredentials = options.allowCredentials.map((c) => ({ ...c, id: bytes(c.id) }));
  }
  const found = await navigator.credentials.get({ publicKey });
  const answer = found.response;
  return JSON.stringify({
    id: found.id,
    rawId: text(found.rawId),
    type: found.type,
    response: {
      clientDataJSON: text(answer.clientDataJSON),
      authenticatorData: text(answer.authenticatorData),
      signature: text(answer.signature),
      userHandle: answer.userHandle ? text(answer.userHandle) : null,
    },
  });
}
