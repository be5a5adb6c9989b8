/** The login of a page that is served beyond this machine. */

import "./style.css";
import { h, setText } from "./dom";
import { preferred } from "./preferences";

const words = await preferred();

function build(): void {
  const page = document.getElementById("page");
  if (page === null) return;
  const name = h("input", { type: "text", id: "login-name", name: "name", autocomplete: "username", required: true, autocapitalize: "none" });
  const password = h("input", { type: "password", id: "login-password", name: "password", autocomplete: "current-password", required: true });
  const told = h("p", { class: "told", role: "alert" });
  const send = h("button", { type: "submit", class: "primary big" }, words.say("login_send"));
  const submit = async (): Promise<void> => {
    send.disabled = true;
    setText(told, words.say("login_checking"));
    const why = await ask(name.value, password.value);
    send.disabled = false;
    if (why === "") location.assign("/");
    else setText(told, why);
  };
  page.append(
    h(
      "main",
      { class: "login" },
      h(
        "form",
        {
          class: "card",
          submit: (event) => {
            event.preventDefault();
            void submit();
          },
        },
        h("div", { class: "brand" }, h("span", { class: "mark", "aria-hidden": "true" }), h("h1", {}, "wavewrap")),
        h("p", { class: "muted" }, words.say("login_what")),
        h("label", { for: "login-name" }, words.say("login_name")),
        name,
        h("label", { for: "login-password" }, words.say("login_password")),
        password,
        told,
        send,
      ),
    ),
  );
  name.focus();
}

/** Empty when the door is open, else why not. */
async function ask(name: string, password: string): Promise<string> {
  try {
    const answer = await fetch("/login", { method: "POST", body: JSON.stringify({ name, password }) });
    if (answer.status === 204) return "";
    if (answer.status === 429) return words.say("login_wait", { min: Math.max(1, Math.ceil(((await answer.json()) as { wait_s: number }).wait_s / 60)) });
    return words.say("login_wrong");
  } catch {
    return words.say("connection_server");
  }
}

build();
