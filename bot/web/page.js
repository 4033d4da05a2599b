// What the page's other scripts share: its elements, who is talking, and saying things aloud to screen readers.

const kept = (() => { try { return window.localStorage; } catch { return null; } })();

export const $ = (id) => document.getElementById(id);
export const log = $("log");
export const session = { conversation: kept?.getItem("conversation") || "", key: "" };

export function make(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

export const headers = () => ({
  "content-type": "application/json",
  ...(session.key && { authorization: `Bearer ${session.key}` }),
});

export const announce = (text) => { $("announce").textContent = text; };

export function remember(id) {
  session.conversation = id;
  if (id) kept?.setItem("conversation", id); else kept?.removeItem("conversation");
  $("new").hidden = !id;
}

export function follow(always = false) {
  const main = document.querySelector("main");
  if (always || main.scrollHeight - main.scrollTop - main.clientHeight < 160) main.scrollTop = main.scrollHeight;
}
