// The chat page: no framework, no build, nothing from elsewhere. Everyone's words are set as text, never as markup.
import { $, follow, headers, log, make, remember, session } from "/page.js";
import { Reply } from "/reply.js";

const form = $("form"), message = $("message"), send = $("send");
let busy = false;

const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
const RETRY_SECONDS = [1, 3, 7];

function showCustomer(text) {
  $("welcome").hidden = true;
  const turn = make("li", "turn customer");
  turn.append(make("span", "unseen", "You: "), make("div", "text", text));
  log.append(turn);
  follow(true);
}

// Server-sent events from a POST: blocks end with an empty line, comments keep the line open.
async function read(response, on) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const blocks = rest.split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      let name = "", data = "";
      for (const line of block.split("\n")) {
        if (line.startsWith("event: ")) name = line.slice(7);
        if (line.startsWith("data: ")) data = line.slice(6);
      }
      if (name) on(name, JSON.parse(data));
    }
  }
}

async function attempt(text, turn, reply) {
  const body = JSON.stringify({ text, turn, conversation: session.conversation });
  const response = await fetch("/chat/turns", { method: "POST", headers: headers(), body });
  if (!response.ok) {
    const said = (await response.json().catch(() => ({}))).error?.message || "Something went wrong.";
    throw Object.assign(new Error(said), { status: response.status });
  }
  let ended = false;
  await read(response, (name, data) => {
    if (name === "error") throw Object.assign(new Error(data.message), { status: 500 });
    ended ||= name === "done";
    reply[name]?.(data);
  });
  if (!ended) throw new TypeError("the stream was cut");
}

// A lost connection is tried again with the same turn id, so that nothing is asked or answered twice.
async function ask(text, turn, reply) {
  setBusy(true);
  for (let tries = 0; ; tries++) {
    try {
      reply.clear();
      await attempt(text, turn, reply);
      break;
    } catch (error) {
      if (error.status === 401) { askForKey(); reply.trouble("This chat needs an access key.", () => ask(text, turn, reply)); break; }
      if (error.status === 404 && session.conversation) { remember(""); continue; }
      const lost = !error.status || error.status === 503 || error.status === 429;
      if (!lost || tries >= RETRY_SECONDS.length) {
        reply.trouble(lost ? "The connection was lost. Your message is kept." : error.message, () => ask(text, turn, reply));
        break;
      }
      reply.typing.hidden = false;
      reply.wait.textContent = "Connection lost, trying again…";
      await new Promise((next) => setTimeout(next, RETRY_SECONDS[tries] * 1000));
    }
  }
  setBusy(false);
}

function setBusy(now) {
  busy = now;
  send.disabled = now || !message.value.trim();
}

function askForKey() {
  $("key-form").hidden = false;
  $("key").focus();
}

function grow() {
  message.style.height = "auto";
  message.style.height = `${Math.min(message.scrollHeight + 2, 160)}px`;
  send.disabled = busy || !message.value.trim();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = message.value.trim();
  if (!text || busy) return;
  message.value = "";
  grow();
  showCustomer(text);
  ask(text, newId(), new Reply());
  message.focus();
});

message.addEventListener("input", grow);
message.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !matchMedia("(pointer: coarse)").matches) {
    event.preventDefault();
    form.requestSubmit();
  }
});

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  session.key = $("key").value.trim();
  $("key-form").hidden = true;
  const again = [...document.querySelectorAll(".trouble button")].pop();
  if (again) again.click(); else restore();
});

$("new").addEventListener("click", () => {
  if (busy) return;
  remember("");
  log.replaceChildren();
  $("welcome").hidden = false;
  message.focus();
});

async function restore() {
  const { conversation } = session;
  if (!conversation) return;
  const response = await fetch(`/chat/conversations/${encodeURIComponent(conversation)}`, { headers: headers() }).catch(() => null);
  if (response?.status === 401) return askForKey();
  if (response?.status === 404) return remember("");
  if (!response?.ok) return;
  for (const turn of (await response.json()).turns) {
    if (turn.role === "customer") { showCustomer(turn.text); continue; }
    const reply = new Reply();
    reply.clear();
    reply.route({ conversation, route: turn.route || "student", words: turn.words });
    reply.delta({ text: turn.text });
    if (turn.finish === "handoff") reply.handoff({ words: "a colleague will reply" });
    reply.node.removeAttribute("aria-busy");
    reply.finished(turn.id, turn.finish === "handoff" ? null : turn.rating);
  }
  $("new").hidden = false;
}

async function start() {
  const about = await fetch("/desk.json").then((response) => response.json()).catch(() => null);
  if (about) {
    $("desk").textContent = `${about.desk} support`;
    $("about").textContent = about.about;
    document.title = `${about.desk} support`;
  }
  grow();
  await restore();
  message.focus();
}

start();
