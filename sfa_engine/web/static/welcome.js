// Sets a password by a one-time link. The secret is in the fragment, which no server's log has.
"use strict";

const secret = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

async function begin() {
  const { name } = await post("/api/auth/link", { secret });
  part("greeting").textContent = name
    ? `Set a password for ${name}.`
    : "Set up the first user, who may do everything.";
  part("name-row").hidden = name !== null;
  part("name").required = name === null;
  part("form").hidden = false;
  say("");
  part("form").addEventListener("submit", (event) => {
    event.preventDefault();
    submit(name).catch((error) => say(error.message));
  });
}

async function submit(known) {
  const password = part("password").value;
  if (password !== part("again").value) return say("The passwords differ.");
  const body = { secret, password };
  if (known === null) body.name = part("name").value;
  const { name } = await post("/api/auth/use_link", body);
  part("form").hidden = true;
  say(`The password is set; ${name} is signed in.`);
}

if (secret) begin().catch((error) => say(error.message));
else say("This link is not complete. `sfa web` prints one.");
