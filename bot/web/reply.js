// One reply on the page: its words, who gave it, thumbs and sources. Everything is set as text, never as markup.

import { announce, follow, headers, log, make, remember } from "/page.js";

const THUMB = "M7 11v9H4v-9zm0 0 4-8c1.4 0 2.5 1.1 2.5 2.5V9H19c1 0 1.8 1 1.5 2l-2 7.5c-.2.9-1 1.5-1.9 1.5H7";

function drawing(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(svg.namespaceURI, "path");
  for (const [name, value] of Object.entries({ d: path, fill: "none", stroke: "currentColor", "stroke-width": "1.8",
    "stroke-linejoin": "round", "stroke-linecap": "round" })) line.setAttribute(name, value);
  svg.append(line);
  return svg;
}

// One reply on the page; its methods are the events of the stream.
export class Reply {
  constructor() {
    this.node = make("li", "turn bot");
    this.who = make("span", "unseen", "Support: ");
    this.text = make("div", "text");
    this.typing = make("div", "typing");
    const dots = make("span", "dots");
    dots.append(make("i"), make("i"), make("i"));
    this.wait = make("span", "", "");
    this.typing.append(dots, this.wait);
    this.meta = make("div", "meta");
    this.meta.hidden = true;
    this.node.append(this.who, this.text, this.typing, this.meta);
    this.node.setAttribute("aria-busy", "true");
    this.words = "";
    log.append(this.node);
    follow(true);
  }

  clear() {
    this.text.textContent = "";
    this.node.querySelectorAll(".withdrawn, .trouble, details").forEach((old) => old.remove());
    this.typing.hidden = false;
    this.wait.textContent = "";
  }

  route(data) {
    remember(data.conversation);
    if (data.pending) {
      if (data.route === "teacher") {
        this.wait.textContent = "Checking with our senior assistant. This can take a moment.";
        announce(this.wait.textContent);
        follow();
      }
      return;
    }
    this.node.classList.remove("student", "teacher", "human");
    this.node.classList.add(data.route);
    this.words = data.words;
  }

  delta(data) {
    this.typing.hidden = true;
    this.text.textContent += data.text;
    follow();
  }

  amend(data) {
    const old = make("div", "withdrawn");
    const was = make("span", "was", this.text.textContent);
    was.setAttribute("aria-hidden", "true");
    old.append(was, make("span", "note", data.text));
    this.node.insertBefore(old, this.text);
    this.text.textContent = "";
    this.typing.hidden = false;
    announce(data.text);
    follow();
  }

  sources(data) {
    const box = make("details");
    const count = data.sources.length;
    box.append(make("summary", "", count === 1 ? "1 source" : `${count} sources`));
    const list = make("ul");
    for (const source of data.sources) {
      const item = make("li");
      item.append(make("b", "", source.title));
      item.append(make("span", "", source.text || (source.kind === "ticket" ? "A similar question that was solved" : "Help article")));
      list.append(item);
    }
    box.append(list);
    this.node.append(box);
  }

  handoff(data) {
    this.node.classList.add("human");
    this.words = data.words;
  }

  done(data) {
    this.typing.hidden = true;
    this.node.removeAttribute("aria-busy");
    this.text.textContent = this.text.textContent.trim();
    this.finished(data.turn, data.finish === "handoff" ? null : 0);
    announce(`${this.text.textContent} (${this.words})`);
    follow();
  }

  finished(turn, rating) {
    this.meta.hidden = false;
    this.meta.replaceChildren(...(this.words ? [make("span", "route", this.words)] : []));
    if (rating !== null) this.meta.append(thumbs(turn, rating, this.node));
  }

  trouble(text, retry) {
    this.typing.hidden = true;
    this.node.removeAttribute("aria-busy");
    const box = make("div", "trouble");
    const again = make("button", "", "Try again");
    again.type = "button";
    again.addEventListener("click", retry);
    box.append(make("span", "", text), again);
    this.node.append(box);
    announce(text);
    follow();
  }
}

function thumbs(turn, rating, node) {
  const box = make("span", "thumbs");
  const choices = [[1, "This helped", "up"], [-1, "This did not help", "down"]].map(([value, label, name]) => {
    const button = make("button", name);
    button.type = "button";
    button.title = label;
    button.setAttribute("aria-label", label);
    button.setAttribute("aria-pressed", String(rating === value));
    const svg = drawing(THUMB);
    if (value < 0) svg.setAttribute("transform", "rotate(180)");
    button.append(svg);
    button.addEventListener("click", async () => {
      if (!await rate(turn, value)) return announce("That could not be saved; please try again.");
      choices.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      node.querySelector(".why")?.remove();
      announce("Thank you for telling us.");
      if (value < 0) node.append(why(turn));
    });
    return button;
  });
  box.append(...choices);
  return box;
}

function why(turn) {
  const box = make("form", "why");
  const input = make("input");
  input.placeholder = "What was missing? (optional)";
  input.maxLength = 2000;
  input.setAttribute("aria-label", "What was missing?");
  const button = make("button", "quiet", "Send");
  box.append(input, button);
  box.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await rate(turn, -1, input.value)) box.replaceChildren(make("span", "", "Thank you."));
  });
  return box;
}

async function rate(turn, value, comment = "") {
  try {
    const body = JSON.stringify({ turn, value, comment });
    return (await fetch("/chat/feedback", { method: "POST", headers: headers(), body })).ok;
  } catch { return false; }
}
